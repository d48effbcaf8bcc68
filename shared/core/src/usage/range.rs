//! A range of time, and which part of it is answered by the kept sums.

use crate::instant::Timestamp;

/// Instants from one to another, both included; an absent bound is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub until: Option<Timestamp>,
}

/// A range as what is compared in the database, where hours (`2026-01-31T09`) and instants are texts in time order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Whole hours: from this text on, and before that one.
    pub(super) hours: (String, String),
    /// Instants before the first whole hour, both bounds included.
    pub(super) first_edge: (String, String),
    /// Instants after the last whole hour, both bounds included.
    pub(super) last_edge: (String, String),
}

/// Sorts behind every digit, hyphen and letter of an instant: `hour~` is what comes right after `hour`.
const AFTER: &str = "~";

impl Range {
    /// The last `days` UTC days, the present one included.
    pub fn last_days(days: u32, now: Timestamp) -> Self {
        let today = start_of_day(now);
        Self { from: Some(today.plus_seconds(-86_400 * (i64::from(days) - 1))), until: Some(now) }
    }

    /// The last `hours` hours.
    pub fn last_hours(hours: u32, now: Timestamp) -> Self {
        Self { from: Some(now.plus_seconds(-3600 * i64::from(hours))), until: Some(now) }
    }

    pub(super) fn parts(self) -> Parts {
        let mut parts = Parts { hours: (String::new(), AFTER.to_owned()), first_edge: nothing(), last_edge: nothing() };
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from > until
        {
            parts.hours = nothing();
            return parts;
        }
        if let Some(from) = self.from {
            let (hour, text) = (hour_of(from), from.to_string());
            if text == format!("{hour}:00:00.000Z") {
                parts.hours.0 = hour;
            } else {
                let end_of_hour = format!("{hour}:59:59.999Z");
                let until = self.until.map_or(end_of_hour.clone(), |until| until.to_string().min(end_of_hour));
                parts.hours.0 = format!("{hour}{AFTER}");
                parts.first_edge = (text, until);
            }
        }
        if let Some(until) = self.until {
            let (hour, text) = (hour_of(until), until.to_string());
            if text == format!("{hour}:59:59.999Z") {
                parts.hours.1 = format!("{hour}{AFTER}");
            } else {
                // An hour that the first edge has covered already is not counted twice.
                if parts.hours.0 <= hour {
                    parts.last_edge = (format!("{hour}:00:00.000Z"), text);
                }
                parts.hours.1 = hour;
            }
        }
        parts
    }
}

/// Bounds that nothing lies between.
fn nothing() -> (String, String) {
    (AFTER.to_owned(), String::new())
}

/// The UTC hour of an instant, as the kept sums name it.
fn hour_of(instant: Timestamp) -> String {
    instant.to_string().chars().take_while(|&c| c != ':').collect()
}

fn start_of_day(instant: Timestamp) -> Timestamp {
    instant.whole_second().plus_seconds(-instant.unix_seconds().rem_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(from: &str, until: &str) -> Parts {
        let read = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Range { from: read(from), until: read(until) }.parts()
    }

    fn pair(from: &str, until: &str) -> (String, String) {
        (from.to_owned(), until.to_owned())
    }

    #[test]
    fn whole_hours_need_no_rows() {
        let day = parts("2026-01-31T00:00:00.000Z", "2026-01-31T23:59:59.999Z");
        assert_eq!(day.hours, pair("2026-01-31T00", "2026-01-31T23~"));
        assert_eq!((day.first_edge, day.last_edge), (nothing(), nothing()));
        let ever = parts("", "");
        assert_eq!(ever.hours, pair("", "~"));
        assert_eq!((ever.first_edge, ever.last_edge), (nothing(), nothing()));
    }

    #[test]
    fn edges_end_where_the_whole_hours_begin() {
        let both = parts("2026-01-31T09:15:00.042Z", "2026-01-31T11:30:00.000Z");
        assert_eq!(both.hours, pair("2026-01-31T09~", "2026-01-31T11"));
        assert_eq!(both.first_edge, pair("2026-01-31T09:15:00.042Z", "2026-01-31T09:59:59.999Z"));
        assert_eq!(both.last_edge, pair("2026-01-31T11:00:00.000Z", "2026-01-31T11:30:00.000Z"));
    }

    #[test]
    fn a_range_inside_one_hour_is_one_edge() {
        let inside = parts("2026-01-31T09:15:00.000Z", "2026-01-31T09:20:00.000Z");
        assert_eq!(inside.first_edge, pair("2026-01-31T09:15:00.000Z", "2026-01-31T09:20:00.000Z"));
        assert_eq!(inside.last_edge, nothing());
        let from_the_start = parts("2026-01-31T09:00:00.000Z", "2026-01-31T09:20:00.000Z");
        assert_eq!(from_the_start.first_edge, nothing());
        assert_eq!(from_the_start.last_edge, pair("2026-01-31T09:00:00.000Z", "2026-01-31T09:20:00.000Z"));
    }

    #[test]
    fn a_range_that_ends_before_it_begins_holds_nothing() {
        let none = parts("2026-01-31T09:00:00.000Z", "2026-01-31T08:59:59.999Z");
        assert_eq!(none, Parts { hours: nothing(), first_edge: nothing(), last_edge: nothing() });
    }

    #[test]
    fn days_begin_at_midnight_and_hours_at_any_moment() {
        let now: Timestamp = "2026-03-01T09:15:00.042Z".parse().unwrap();
        let from = |range: Range| range.from.unwrap().to_string();
        assert_eq!(from(Range::last_days(1, now)), "2026-03-01T00:00:00.000Z");
        assert_eq!(from(Range::last_days(2, now)), "2026-02-28T00:00:00.000Z");
        assert_eq!(from(Range::last_hours(24, now)), "2026-02-28T09:15:00.042Z");
    }
}

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

/// Two texts in time order, the bounds of a part.
pub(super) type Bounds = (String, String);

/// A range as what is compared in the database, where days (`2026-01-31`), hours (`2026-01-31T09`) and instants are texts
/// in time order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Whole days: from this text on, and before that one.
    pub(super) days: Bounds,
    /// Whole hours outside of the whole days, before and behind them, bounded in the same way.
    pub(super) hours_around: [Bounds; 2],
    /// All whole hours, those of the whole days included.
    pub(super) hours: Bounds,
    /// Instants before the first and after the last whole hour, both bounds included.
    pub(super) edges: [Bounds; 2],
}

/// Sorts behind every digit, hyphen and letter of an instant: `hour~` is what comes right after `hour`, `day~` after `day`.
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
        let (hours, edges) = self.whole_hours();
        let (days, hours_around) = whole_days(&hours);
        Parts { days, hours_around, hours, edges }
    }

    fn whole_hours(self) -> (Bounds, [Bounds; 2]) {
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from > until
        {
            return (nothing(), [nothing(), nothing()]);
        }
        let mut hours = (String::new(), AFTER.to_owned());
        let (mut first_edge, mut last_edge) = (nothing(), nothing());
        if let Some(from) = self.from {
            let (hour, text) = (hour_of(from), from.to_string());
            if text == format!("{hour}:00:00.000Z") {
                hours.0 = hour;
            } else {
                let end_of_hour = format!("{hour}:59:59.999Z");
                let until = self.until.map_or(end_of_hour.clone(), |until| until.to_string().min(end_of_hour));
                hours.0 = format!("{hour}{AFTER}");
                first_edge = (text, until);
            }
        }
        if let Some(until) = self.until {
            let (hour, text) = (hour_of(until), until.to_string());
            if text == format!("{hour}:59:59.999Z") {
                hours.1 = format!("{hour}{AFTER}");
            } else {
                // An hour that the first edge has covered already is not counted twice.
                if hours.0 <= hour {
                    last_edge = (format!("{hour}:00:00.000Z"), text);
                }
                hours.1 = hour;
            }
        }
        (hours, [first_edge, last_edge])
    }
}

/// The whole days among whole hours, and the hours that are left before and behind them.
fn whole_days(hours: &Bounds) -> (Bounds, [Bounds; 2]) {
    let (from, until) = hours;
    let (mut days, mut before, mut behind) = ((String::new(), AFTER.to_owned()), nothing(), nothing());
    if let Some((day, hour)) = from.split_once('T') {
        if hour == "00" {
            days.0 = day.to_owned();
        } else {
            days.0 = format!("{day}{AFTER}");
            before = (from.clone(), until.clone().min(days.0.clone()));
        }
    } else {
        days.0.clone_from(from);
    }
    if let Some((day, hour)) = until.split_once('T') {
        if hour == "23~" {
            days.1 = format!("{day}{AFTER}");
        } else {
            // A day that the hours before have covered already is not counted twice.
            if days.0.as_str() <= day {
                behind = (day.to_owned(), until.clone());
            }
            days.1 = day.to_owned();
        }
    } else {
        days.1.clone_from(until);
    }
    (days, [before, behind])
}

/// Bounds that nothing lies between.
fn nothing() -> Bounds {
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

    fn pair(from: &str, until: &str) -> Bounds {
        (from.to_owned(), until.to_owned())
    }

    #[test]
    fn whole_days_need_no_hours_and_whole_hours_no_rows() {
        let day = parts("2026-01-31T00:00:00.000Z", "2026-01-31T23:59:59.999Z");
        assert_eq!(day.days, pair("2026-01-31", "2026-01-31~"));
        assert_eq!(day.hours, pair("2026-01-31T00", "2026-01-31T23~"));
        assert_eq!((day.hours_around, day.edges), ([nothing(), nothing()], [nothing(), nothing()]));
        let ever = parts("", "");
        assert_eq!((ever.days, ever.hours), (pair("", "~"), pair("", "~")));
        assert_eq!((ever.hours_around, ever.edges), ([nothing(), nothing()], [nothing(), nothing()]));
    }

    #[test]
    fn edges_end_where_the_whole_hours_begin() {
        let both = parts("2026-01-31T09:15:00.042Z", "2026-01-31T11:30:00.000Z");
        assert_eq!(both.hours, pair("2026-01-31T09~", "2026-01-31T11"));
        let first = pair("2026-01-31T09:15:00.042Z", "2026-01-31T09:59:59.999Z");
        assert_eq!(both.edges, [first, pair("2026-01-31T11:00:00.000Z", "2026-01-31T11:30:00.000Z")]);
        assert_eq!(both.hours_around, [pair("2026-01-31T09~", "2026-01-31T11"), nothing()], "within one day");
    }

    #[test]
    fn hours_end_where_the_whole_days_begin() {
        let days = parts("2026-01-29T22:00:00.000Z", "2026-02-01T05:59:59.999Z");
        assert_eq!(days.days, pair("2026-01-29~", "2026-02-01"));
        assert_eq!(days.hours_around, [pair("2026-01-29T22", "2026-01-29~"), pair("2026-02-01", "2026-02-01T05~")]);
        let open = parts("", "2026-02-01T05:59:59.999Z");
        assert_eq!(open.days, pair("", "2026-02-01"));
        assert_eq!(open.hours_around, [nothing(), pair("2026-02-01", "2026-02-01T05~")]);
    }

    #[test]
    fn a_range_inside_one_hour_is_one_edge() {
        let inside = parts("2026-01-31T09:15:00.000Z", "2026-01-31T09:20:00.000Z");
        assert_eq!(inside.edges, [pair("2026-01-31T09:15:00.000Z", "2026-01-31T09:20:00.000Z"), nothing()]);
        let from_the_start = parts("2026-01-31T09:00:00.000Z", "2026-01-31T09:20:00.000Z");
        assert_eq!(from_the_start.edges, [nothing(), pair("2026-01-31T09:00:00.000Z", "2026-01-31T09:20:00.000Z")]);
    }

    #[test]
    fn a_range_that_ends_before_it_begins_holds_nothing() {
        let none = parts("2026-01-31T09:00:00.000Z", "2026-01-31T08:59:59.999Z");
        assert_eq!((none.days, none.hours), (nothing(), nothing()));
        assert_eq!((none.hours_around, none.edges), ([nothing(), nothing()], [nothing(), nothing()]));
    }
}

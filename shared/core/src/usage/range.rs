//! A range of time, and how it is put together from periods with kept sums.

use crate::instant::Timestamp;

/// Instants from one to another, both included; an absent bound is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub until: Option<Timestamp>,
}

/// Two texts: from the first on, and before the second.
pub(super) type Bounds = (String, String);

/// A period with kept sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Month,
    Day,
}

impl Unit {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Day => "day",
        }
    }

    /// How many characters of an instant name its period.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Month => "2026-01".len(),
            Self::Day => DAY_LENGTH,
        }
    }
}

/// A range as what is compared in the database, where periods, hours and instants are texts in time order. No instant lies in
/// two parts; a part may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Periods that lie in the range as a whole.
    pub(super) periods: Vec<(Unit, Bounds)>,
    /// Whole hours (`2026-01-31T09`) around them, each bounds within a day.
    pub(super) hours: Vec<Bounds>,
    /// Instants around these, each bounds within an hour.
    pub(super) instants: Vec<Bounds>,
}

/// Sorts behind every digit, hyphen and letter of an instant: `hour~` is what comes right after `hour`, `day~` after `day`.
const AFTER: &str = "~";
pub(super) const DAY_LENGTH: usize = "2026-01-31".len();
const HOUR_LENGTH: usize = "2026-01-31T09".len();
/// No instants, but before and behind all of them.
const BEFORE_ALL: &str = "0000-00-00T00:00:00.000Z";
const BEHIND_ALL: &str = "9999-99-99T99:99:99.999Z";

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

    /// Cuts the range into whole periods of these units, the largest first, and what is left around them.
    pub(super) fn parts(self, units: &[Unit]) -> Parts {
        let (before, behind) = self.neighbours();
        let mut outer = 0;
        let mut cut = |length: usize| {
            let (first, last) = (format!("{}{AFTER}", &before[..length]), behind[..length].to_owned());
            let parts = if before >= behind {
                Vec::new()
            } else if before[..outer] == behind[..outer] {
                vec![(first, last)]
            } else {
                // What is left of the larger period that the range begins in, and of the one that it ends in.
                vec![(first, format!("{}{AFTER}", &before[..outer])), (behind[..outer].to_owned(), last)]
            };
            outer = length;
            parts
        };
        let periods = units.iter().flat_map(|&unit| cut(unit.length()).into_iter().map(move |part| (unit, part)));
        let periods = periods.collect();
        Parts { periods, hours: cut(HOUR_LENGTH), instants: cut(BEFORE_ALL.len()) }
    }

    /// The last instant before the range and the first one behind it, as texts.
    fn neighbours(self) -> (String, String) {
        let neighbour = |bound: Option<Timestamp>, millis: i64, open: &str| {
            let text = bound.map(|instant| instant.plus_millis(millis).to_string());
            // Outside of the years of four digits there is nothing.
            text.filter(|text| text.len() == open.len()).unwrap_or_else(|| open.to_owned())
        };
        (neighbour(self.from, -1, BEFORE_ALL), neighbour(self.until, 1, BEHIND_ALL))
    }
}

fn start_of_day(instant: Timestamp) -> Timestamp {
    instant.whole_second().plus_seconds(-instant.unix_seconds().rem_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [Unit; 2] = [Unit::Month, Unit::Day];

    fn range(from: &str, until: &str) -> Range {
        let read = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Range { from: read(from), until: read(until) }
    }

    /// All parts as lines, without those that hold nothing.
    fn parts(from: &str, until: &str) -> Vec<String> {
        let Parts { periods, hours, instants } = range(from, until).parts(&UNITS);
        let periods = periods.into_iter().map(|(unit, bounds)| (unit.as_str(), bounds));
        let around = [("hour", hours), ("instant", instants)];
        let around = around.into_iter().flat_map(|(name, parts)| parts.into_iter().map(move |bounds| (name, bounds)));
        let all = periods.chain(around).filter(|(_, (from, until))| from < until);
        all.map(|(name, (from, until))| format!("{name} {from} {until}")).collect()
    }

    #[test]
    fn a_range_is_cut_into_the_largest_periods_and_smaller_ones_around_them() {
        let expected = [
            "month 2025-11~ 2026-02",
            "day 2025-11-28~ 2025-11~",
            "day 2026-02 2026-02-03",
            "hour 2025-11-28T21~ 2025-11-28~",
            "hour 2026-02-03 2026-02-03T05",
            "instant 2025-11-28T21:59:00.000Z~ 2025-11-28T21~",
            "instant 2026-02-03T05 2026-02-03T05:30:00.001Z",
        ];
        assert_eq!(parts("2025-11-28T21:59:00.001Z", "2026-02-03T05:30:00.000Z"), expected);
    }

    #[test]
    fn a_range_inside_a_period_has_one_part_of_each_kind() {
        let expected = [
            "hour 2026-01-31T09~ 2026-01-31T11",
            "instant 2026-01-31T09:14:59.999Z~ 2026-01-31T09~",
            "instant 2026-01-31T11 2026-01-31T11:30:00.001Z",
        ];
        assert_eq!(parts("2026-01-31T09:15:00.000Z", "2026-01-31T11:30:00.000Z"), expected);
        let expected = ["instant 2026-01-31T09:14:59.999Z~ 2026-01-31T09:20:00.001Z"];
        assert_eq!(parts("2026-01-31T09:15:00.000Z", "2026-01-31T09:20:00.000Z"), expected);
    }

    #[test]
    fn open_ranges_and_those_to_the_end_of_time_are_months() {
        assert_eq!(parts("", "")[0], "month 0000-00~ 9999-99");
        assert_eq!(parts("0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"), parts("", ""));
    }

    #[test]
    fn a_range_that_ends_before_it_begins_has_no_parts() {
        let none = Parts { periods: vec![], hours: vec![], instants: vec![] };
        for until in ["2026-01-31T08:59:59.998Z", "2026-01-31T08:00:00.000Z", "2025-01-31T09:00:00.000Z"] {
            assert_eq!(range("2026-01-31T09:00:00.000Z", until).parts(&UNITS), none);
        }
    }
}

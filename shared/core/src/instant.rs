//! Instants as the contract writes them: UTC, exactly three fractional digits, `Z` (contract 1.4).

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant with millisecond precision; its text sorts in time order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The present moment, cut to milliseconds.
    pub fn now() -> Self {
        Self(Utc::now().trunc_subsecs(3))
    }

    /// Reads a date as HTTP headers have it: `Sun, 01 Mar 2026 12:00:00 GMT`.
    pub fn from_http_date(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text).ok().map(|instant| Self(instant.with_timezone(&Utc)))
    }

    /// This instant moved by `seconds`, backwards when negative.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// This instant moved by `millis`, backwards when negative.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        let moved = TimeDelta::try_milliseconds(millis).and_then(|delta| self.0.checked_add_signed(delta));
        Self(moved.unwrap_or(self.0))
    }

    /// This instant moved back by `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).map_or(i64::MIN, i64::wrapping_neg))
    }

    /// This instant moved on by `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// This instant without its fraction of a second.
    #[must_use]
    pub fn whole_second(self) -> Self {
        Self(self.0.trunc_subsecs(0))
    }

    /// Seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// Milliseconds since 1970.
    pub fn unix_millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Milliseconds from `earlier` to this instant; negative when it lies before.
    pub fn millis_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).num_milliseconds()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, nanosecond) = (self.0.year(), self.0.nanosecond());
        let Some(year) = u32::try_from(year).ok().filter(|year| *year < 10_000 && nanosecond < 1_000_000_000) else {
            // Years of other lengths, and leap seconds.
            return write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S%.3fZ"));
        };
        // By hand: answers are full of instants, and the general way takes twenty times as long.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |first: usize, last: usize, mut number: u32| {
            for place in (first..=last).rev() {
                text[place] += (number % 10) as u8;
                number /= 10;
            }
        };
        put(0, 3, year);
        put(5, 6, self.0.month());
        put(8, 9, self.0.day());
        put(11, 12, self.0.hour());
        put(14, 15, self.0.minute());
        put(17, 18, self.0.second());
        put(20, 22, nanosecond / 1_000_000);
        f.write_str(std::str::from_utf8(&text).expect("digits are text"))
    }
}

/// Why a text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] chrono::ParseError),
    /// In UTC, its year does not have four digits, and it would neither sort nor be read again.
    #[error("the year is out of range")]
    Year,
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let instant = DateTime::parse_from_rfc3339(text)?.with_timezone(&Utc).trunc_subsecs(3);
        if (0..=9999).contains(&instant.year()) { Ok(Self(instant)) } else { Err(TimestampError::Year) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("Instant in UTC, ISO 8601, three fractional digits and a literal Z."))
            .pattern(Some(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"))
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {
    fn name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_exactly_three_fractional_digits() {
        for (given, written) in [
            ("2026-01-31T09:15:00Z", "2026-01-31T09:15:00.000Z"),
            ("2026-01-31T09:15:00.0427Z", "2026-01-31T09:15:00.042Z"),
            ("2026-01-31T10:15:00.5+01:00", "2026-01-31T09:15:00.500Z"),
        ] {
            assert_eq!(given.parse::<Timestamp>().unwrap().to_string(), written);
        }
        assert!("yesterday".parse::<Timestamp>().is_err());
        for beyond in ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(beyond.parse::<Timestamp>(), Err(TimestampError::Year), "{beyond}");
        }
    }
}

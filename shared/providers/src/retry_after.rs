//! How long a vendor asks to wait.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// No wait is longer than this, whatever the vendor says.
const LONGEST: Duration = Duration::from_secs(3600);

/// Reads `retry-after-ms` (milliseconds, OpenAI) or else `Retry-After` (seconds or an HTTP date, RFC 9110).
pub(crate) fn read(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(non_negative) {
        return Some(at_most_longest(milliseconds / 1000.0));
    }
    let value = text(RETRY_AFTER.as_str())?;
    if let Some(wait) = seconds(value) {
        return Some(wait);
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?;
    // A date that has passed means now.
    Some((at.with_timezone(&Utc) - now).to_std().unwrap_or_default().min(LONGEST))
}

/// A number of seconds.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    non_negative(text).map(at_most_longest)
}

fn non_negative(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| *number >= 0.0)
}

fn at_most_longest(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn wait(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let now = DateTime::parse_from_rfc3339("2026-03-01T12:00:00Z").unwrap().with_timezone(&Utc);
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        read(&headers, now)
    }

    #[test]
    fn reads_seconds_dates_and_milliseconds() {
        assert_eq!(wait(&[("retry-after", "20")]), Some(Duration::from_secs(20)));
        assert_eq!(wait(&[("retry-after", " 1.5 ")]), Some(Duration::from_millis(1500)));
        assert_eq!(wait(&[("retry-after", "Sun, 01 Mar 2026 12:01:30 GMT")]), Some(Duration::from_secs(90)));
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "1")]), Some(Duration::from_millis(250)));
    }

    #[test]
    fn waits_an_hour_at_most_and_never_a_negative_time() {
        assert_eq!(wait(&[("retry-after", "86400")]), Some(LONGEST));
        assert_eq!(wait(&[("retry-after", "inf")]), Some(LONGEST));
        assert_eq!(wait(&[("retry-after-ms", "1e300")]), Some(LONGEST));
        assert_eq!(wait(&[("retry-after", "Mon, 01 Mar 2027 12:00:00 GMT")]), Some(LONGEST));
        assert_eq!(wait(&[("retry-after", "Sun, 01 Mar 2026 11:00:00 GMT")]), Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_counts_as_absent() {
        for nonsense in ["", "soon", "-5", "NaN", "2026-03-01"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(wait(&[("retry-after-ms", "soon"), ("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wait(&[]), None);
    }
}

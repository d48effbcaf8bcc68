//! How long an HTTP server asks to wait: model vendors, and receivers of webhooks.

use std::time::Duration;

use crate::instant::Timestamp;

/// No wait is longer than this, whatever the server says.
const LONGEST: Duration = Duration::from_secs(3600);

/// Reads the value of `Retry-After`: seconds or an HTTP date (RFC 9110). Nonsense counts as absent.
pub fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Some(seconds) = non_negative(value) {
        return Some(at_most_longest(seconds));
    }
    // A date that has passed means now.
    let wait_ms = Timestamp::from_http_date(value)?.millis_since(now).max(0);
    Some(Duration::from_millis(wait_ms.unsigned_abs()).min(LONGEST))
}

/// Reads a number of milliseconds, as `retry-after-ms` of OpenAI has it.
pub fn parse_millis(value: &str) -> Option<Duration> {
    non_negative(value.trim()).map(|milliseconds| at_most_longest(milliseconds / 1000.0))
}

fn non_negative(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| *number >= 0.0)
}

fn at_most_longest(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str) -> Option<Duration> {
        parse(value, "2026-03-01T12:00:00.000Z".parse().unwrap())
    }

    #[test]
    fn reads_seconds_dates_and_milliseconds() {
        assert_eq!(wait("20"), Some(Duration::from_secs(20)));
        assert_eq!(wait(" 1.5 "), Some(Duration::from_millis(1500)));
        assert_eq!(wait("Sun, 01 Mar 2026 12:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(parse_millis("250"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn waits_an_hour_at_most_and_never_a_negative_time() {
        assert_eq!(wait("86400"), Some(LONGEST));
        assert_eq!(wait("inf"), Some(LONGEST));
        assert_eq!(wait("Mon, 01 Mar 2027 12:00:00 GMT"), Some(LONGEST));
        assert_eq!(wait("Sun, 01 Mar 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse_millis("1e300"), Some(LONGEST));
    }

    #[test]
    fn nonsense_counts_as_absent() {
        for nonsense in ["", "soon", "-5", "NaN", "2026-03-01"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
            assert_eq!(parse_millis(nonsense), None, "{nonsense}");
        }
    }
}

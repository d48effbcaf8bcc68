//! How long a vendor asks to wait.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use shared_core::{Timestamp, retry_after};

/// Reads `retry-after-ms` (OpenAI) or else `Retry-After`.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let precise = text("retry-after-ms").and_then(retry_after::parse_millis);
    precise.or_else(|| retry_after::parse(text(RETRY_AFTER.as_str())?, now))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn wait(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        read(&headers, "2026-03-01T12:00:00.000Z".parse().unwrap())
    }

    #[test]
    fn milliseconds_win_over_seconds_unless_they_are_nonsense() {
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "1")]), Some(Duration::from_millis(250)));
        assert_eq!(wait(&[("retry-after-ms", "soon"), ("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wait(&[("retry-after", "Sun, 01 Mar 2026 12:01:30 GMT")]), Some(Duration::from_secs(90)));
        assert_eq!(wait(&[]), None);
    }
}

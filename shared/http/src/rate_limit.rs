//! What an API key has left, as the IETF draft "RateLimit header fields for HTTP" writes it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use shared_core::api_keys::Allowance;

/// Seconds in which a key may make as many requests as it may.
const WINDOW_SECONDS: u32 = 60;

/// Writes what is left into the headers of an answer.
pub(crate) fn describe(allowance: Allowance, headers: &mut HeaderMap) {
    let Allowance { most, left, full_in_seconds } = allowance;
    set(headers, "ratelimit-policy", &format!("\"requests\";q={most};w={WINDOW_SECONDS}"));
    set(headers, "ratelimit", &format!("\"requests\";r={left};t={full_in_seconds}"));
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("quotes, letters and digits are a header");
    headers.insert(HeaderName::from_static(name), value);
}

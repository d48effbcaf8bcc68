//! Reading vendors' error answers.

pub(crate) mod rules;

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;
use shared_core::Timestamp;

use crate::{
    error::{ErrorClass, FailureKind, ProviderError},
    http::Session,
    retry_after,
    vendor::Vendor,
};

/// The longest vendor message that is passed on, in characters.
pub(crate) const MAX_MESSAGE: usize = 2000;

/// What a vendor says in an error answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct VendorError {
    message: Option<String>,
    /// Codes, types and reasons, in whatever member the vendor has them.
    codes: Vec<String>,
    /// How long to wait, for the vendor that says it in the body.
    wait: Option<Duration>,
}

/// An answer that is not 2xx, as a [`ProviderError`]. `model` is the model that the call was about.
pub(crate) fn read(
    session: &Session<impl Vendor>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    model: Option<&str>,
) -> ProviderError {
    let said = VendorError::parse(body);
    let raw = String::from_utf8_lossy(body);
    let told = said.message.as_deref().unwrap_or(&raw);
    // The key goes before the text is cut, so that no half of it remains.
    let message = cut(session.redact(told).trim(), MAX_MESSAGE);
    let wait = retry_after::read(headers, Timestamp::now()).or(said.wait);
    let rules = session.provider.error_rules();
    let kind = rules::kind(&rules, status, &said.codes, said.message.as_deref().unwrap_or_default());
    if let (FailureKind::UnknownModel, Some(model)) = (kind, model) {
        let text = format!("{} has no model \"{model}\": {message}", session.vendor());
        let unknown = ProviderError::new(ErrorClass::ModelNotSupported, session.redact(&text));
        return unknown.of_kind(kind).answered(status.as_u16(), wait);
    }
    let colon = if message.is_empty() { "" } else { ": " };
    let text = format!("{} answered {}{colon}{message}", session.vendor(), status_line(status));
    ProviderError::vendor(text).of_kind(kind).answered(status.as_u16(), wait)
}

impl VendorError {
    /// Finds message and codes in the shapes that vendors use: `{"error": "text"}` (Ollama), `{"error": {"message",
    /// "type", "code"}}` (OpenAI, DeepSeek, DeepInfra), the same with `error.details.error_code` (Anthropic), with
    /// `error.status` and a list of details (Gemini), `{"detail": {"error"}}` (DeepInfra), and a bare `{"message"}` or
    /// `{"detail"}` (gateways).
    fn parse(body: &[u8]) -> Self {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Self::default() };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let error = match (body.get("error"), body.get("detail")) {
            (Some(Value::String(message)), _) => return Self { message: Some(message.clone()), ..Self::default() },
            (Some(Value::Object(error)), _) | (_, Some(Value::Object(error))) => error,
            _ => &body,
        };
        let message = ["message", "detail", "error"].iter().find_map(|name| text(error.get(*name)));
        let named = ["code", "type", "status"].iter().map(|name| error.get(*name));
        let mut said = Self { message, codes: named.filter_map(text).collect(), wait: None };
        match error.get("details") {
            Some(Value::Object(details)) => said.codes.extend(text(details.get("error_code"))),
            Some(Value::Array(details)) => details.iter().for_each(|detail| said.read_detail(detail)),
            _ => {}
        }
        said
    }

    /// One of Gemini's details: a reason, a violated quota, or how long to wait (Google's error model, AIP-193).
    fn read_detail(&mut self, detail: &Value) {
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        self.codes.extend(text("reason").map(str::to_owned));
        for violation in detail.get("violations").and_then(Value::as_array).into_iter().flatten() {
            self.codes.extend(violation.get("quotaId").and_then(Value::as_str).map(str::to_owned));
        }
        let seconds = text("retryDelay").and_then(|delay| delay.strip_suffix('s'));
        self.wait = self.wait.or_else(|| shared_core::retry_after::parse(seconds?, Timestamp::now()));
    }
}

/// Status and reason phrase; 529 has no registered phrase, so Anthropic's word stands in.
fn status_line(status: StatusCode) -> String {
    match (status.as_u16(), status.canonical_reason()) {
        (529, _) => "529 Overloaded".to_owned(),
        (code, Some(reason)) => format!("{code} {reason}"),
        (code, None) => code.to_string(),
    }
}

/// The text, cut to so many characters.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(body: &Value) -> VendorError {
        VendorError::parse(body.to_string().as_bytes())
    }

    #[test]
    fn finds_message_and_codes_in_every_shape() {
        let openai = parsed(&json!({"error": {"message": "m", "type": "t", "param": null, "code": "c"}}));
        assert_eq!((openai.message.as_deref(), openai.codes), (Some("m"), vec!["c".to_owned(), "t".to_owned()]));
        let limit = parsed(&json!({"type": "error", "error": {
            "type": "rate_limit_error", "message": "m", "details": {"error_code": "enforced_spend_limit_reached"}
        }}));
        assert_eq!(limit.codes, ["rate_limit_error", "enforced_spend_limit_reached"]);
        let gemini =
            parsed(&json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "PerMinute"}]},
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
            ]}}));
        assert_eq!(gemini.codes, ["RESOURCE_EXHAUSTED", "PerMinute", "RATE_LIMIT_EXCEEDED"]);
        assert_eq!(gemini.wait, Some(Duration::from_millis(34_500)));
        assert_eq!(parsed(&json!({"detail": {"error": "Model busy"}})).message.as_deref(), Some("Model busy"));
        assert_eq!(parsed(&json!({"error": "plain"})).message.as_deref(), Some("plain"));
        assert_eq!(parsed(&json!({"detail": "Not Found"})).message.as_deref(), Some("Not Found"));
        assert_eq!(parsed(&json!({"error": null, "message": "m"})).message.as_deref(), Some("m"));
        for nothing in [json!([]), json!(7), json!({"error": {"code": 404}}), json!({"error": [1]})] {
            assert_eq!(parsed(&nothing), VendorError::default(), "{nothing}");
        }
        assert_eq!(VendorError::parse(b"<html>"), VendorError::default());
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("", 0), "");
    }
}

//! Reading vendors' error answers.

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;
use shared_core::Timestamp;

use crate::{
    error::{ErrorClass, ProviderError},
    http::Session,
    retry_after,
    vendor::Vendor,
};

/// The longest vendor message that is passed on, in characters.
pub(crate) const MAX_MESSAGE: usize = 2000;

/// Statuses after which the same call may succeed: time-outs, rate limits, overload (529 is Anthropic's) and faults of
/// the vendor or a gateway before it.
const TRANSIENT: [u16; 8] = [408, 425, 429, 500, 502, 503, 504, 529];

/// Codes and types of answers that wait for somebody to pay or to raise a limit, and so are permanent although their
/// status is 429 (OpenAI, "Error codes"; Anthropic, "Errors").
const OUT_OF_QUOTA: [&str; 8] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "enforced_spend_limit_reached",
];

/// What a vendor says in an error answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct VendorError {
    message: Option<String>,
    /// Codes and types, in whatever member the vendor has them.
    codes: Vec<String>,
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
    // The key goes before the text is cut, so that no half of it remains.
    let message = cut(session.redact(said.message.as_deref().unwrap_or(&raw)).trim(), MAX_MESSAGE);
    let wait = retry_after::read(headers, Timestamp::now());
    if let Some(model) = model.filter(|_| status.is_client_error() && said.means_unknown_model(status)) {
        let text = format!("{} has no model \"{model}\": {message}", session.vendor());
        let unknown = ProviderError::new(ErrorClass::ModelNotSupported, session.redact(&text));
        return unknown.answered(status.as_u16(), false, wait);
    }
    let colon = if message.is_empty() { "" } else { ": " };
    let text = format!("{} answered {}{colon}{message}", session.vendor(), status_line(status));
    let is_transient = TRANSIENT.contains(&status.as_u16()) && !said.is_out_of_quota();
    ProviderError::vendor(text).answered(status.as_u16(), is_transient, wait)
}

impl VendorError {
    /// Finds message and codes in the shapes that vendors use: `{"error": "text"}` (Ollama), `{"error": {"message",
    /// "type", "code"}}` (OpenAI, DeepSeek, DeepInfra; Gemini with `status`), the same with `error.details.error_code`
    /// (Anthropic), and a bare `{"message"}` or `{"detail"}` (gateways).
    fn parse(body: &[u8]) -> Self {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Self::default() };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let error = match body.get("error") {
            Some(Value::String(message)) => return Self { message: Some(message.clone()), codes: Vec::new() },
            Some(Value::Object(error)) => error,
            _ => &body,
        };
        let detail = error.get("details").and_then(|details| details.get("error_code"));
        let codes = [error.get("code"), error.get("type"), error.get("status"), detail];
        Self {
            message: text(error.get("message").or_else(|| error.get("detail"))),
            codes: codes.into_iter().filter_map(text).collect(),
        }
    }

    fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|present| present == code)
    }

    fn is_out_of_quota(&self) -> bool {
        OUT_OF_QUOTA.iter().any(|code| self.has(code))
    }

    /// OpenAI has a code for it. The others answer 404 and say the word, as no other 404 of theirs does: a wrong base
    /// URL or path is answered otherwise.
    fn means_unknown_model(&self, status: StatusCode) -> bool {
        let names_model = || self.message.as_deref().is_some_and(|text| text.to_ascii_lowercase().contains("model"));
        self.has("model_not_found") || (status == StatusCode::NOT_FOUND && names_model())
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
        assert!(limit.is_out_of_quota());
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

//! What becomes of a provider's answer under a response schema.

use serde::Serialize;
use serde_json::{Serializer, Value, ser::PrettyFormatter};

use super::{Schema, summary};

/// A provider's answer after the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedResult {
    /// The JSON, tidied up and indented with tabs, when it is valid; otherwise the answer as it came.
    pub text: String,
    /// Whether the answer is JSON that the schema allows.
    pub is_valid: bool,
    /// Why the answer is not valid.
    pub message: Option<String>,
}

/// Checks an answer as it is and, if the schema objects, once more without the nulls that it does not allow.
pub fn check_result(schema: &Value, answer: &str) -> CheckedResult {
    match valid_json(schema, answer) {
        Ok(json) => CheckedResult { text: indented(&json), is_valid: true, message: None },
        Err(message) => CheckedResult { text: answer.to_owned(), is_valid: false, message: Some(message) },
    }
}

fn valid_json(schema: &Value, answer: &str) -> Result<Value, String> {
    let json: Value = serde_json::from_str(answer).map_err(|error| format!("result is not JSON: {error}"))?;
    let schema = Schema::compile(schema).map_err(|error| error.to_string())?;
    let violations = schema.violations(&json);
    if violations.is_empty() {
        return Ok(json);
    }
    let Some(cleaned) = schema.without_forbidden_nulls(&json) else {
        return Err(summary(&violations));
    };
    let violations = schema.violations(&cleaned);
    if violations.is_empty() { Ok(cleaned) } else { Err(summary(&violations)) }
}

fn indented(json: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"\t"));
    json.serialize(&mut serializer).expect("JSON can be written to memory");
    String::from_utf8(bytes).expect("JSON is written as UTF-8")
}

//! What became of an execution (contract 9.4).

use serde_json::{Map, Value, json};

use super::{ExecutionStatus, ProviderCall};
use crate::schemas::check_result;

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAnswer {
    /// The text.
    pub text: String,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// Why the model stopped, in the vendor's words.
    pub stop_reason: Option<String>,
    /// Options that the vendor does not take, by their contract names.
    pub ignored_options: Vec<String>,
    /// What the vendor told about the call.
    pub call: ProviderCall,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With an answer: members to be merged into the document.
    Completed(Map<String, Value>),
    /// Without one, and why.
    Failed(String),
}

impl Outcome {
    /// An answer, checked against the version's response schema when there is one.
    pub fn answered(answer: ModelAnswer, response_schema: Option<&Value>) -> Self {
        let mut members = Map::new();
        match response_schema {
            None => {
                members.insert("result".into(), answer.text.into());
                members.insert("result_valid".into(), true.into());
            }
            Some(schema) => {
                let checked = check_result(schema, &answer.text);
                members.insert("result".into(), checked.text.into());
                members.insert("result_valid".into(), checked.is_valid.into());
                members.extend(checked.message.map(|text| ("result_validation_message".into(), text.into())));
            }
        }
        members.insert("input_tokens_used".into(), answer.input_tokens.into());
        members.insert("output_tokens_used".into(), answer.output_tokens.into());
        members.extend(answer.stop_reason.map(|reason| ("stop_reason".into(), reason.into())));
        if !answer.ignored_options.is_empty() {
            members.insert("ignored_options".into(), answer.ignored_options.into());
        }
        members.insert("provider_call".into(), json!(answer.call));
        Self::Completed(members)
    }

    /// The status that it leaves.
    pub const fn status(&self) -> ExecutionStatus {
        match self {
            Self::Completed(_) => ExecutionStatus::Completed,
            Self::Failed(_) => ExecutionStatus::Failed,
        }
    }

    /// Tokens that went in and came out.
    pub fn tokens(&self) -> Option<(u64, u64)> {
        let Self::Completed(members) = self else { return None };
        let tokens = |name: &str| members.get(name).and_then(Value::as_u64).unwrap_or_default();
        Some((tokens("input_tokens_used"), tokens("output_tokens_used")))
    }

    /// The members to be merged into the document.
    pub(super) fn members(&self) -> Value {
        match self {
            Self::Completed(members) => Value::Object(members.clone()),
            Self::Failed(message) => json!({ "error_message": message }),
        }
    }
}

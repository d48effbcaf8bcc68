//! Anthropic's bodies (API reference, "Create a Message" and "List Models"): the members that we use.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::executions::TokenUsage;

use crate::wire::{expected_list, lenient, lenient_list, tokens};

/// `POST /v1/messages`.
#[derive(Serialize)]
pub(super) struct MessageBody {
    pub(super) model: String,
    pub(super) max_tokens: u64,
    pub(super) messages: Vec<UserMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<OutputConfig>,
}

/// How the text is to look.
#[derive(Serialize)]
pub(super) struct OutputConfig {
    pub(super) format: Format,
}

/// A JSON Schema for the text.
#[derive(Serialize)]
pub(super) struct Format {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) schema: Value,
}

/// What the user says.
#[derive(Serialize)]
pub(super) struct UserMessage {
    pub(super) role: &'static str,
    pub(super) content: Content,
}

/// Text alone, or text and files.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Blocks(Vec<InputBlock>),
}

/// A part of what the user says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum InputBlock {
    Text { text: String },
    Image { source: Source },
    Document { source: Source },
}

/// The content of a file.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source {
    /// Bytes, in base64.
    Base64 { media_type: String, data: String },
    /// Plain text as it is.
    Text { media_type: &'static str, data: String },
}

/// A tool that the vendor runs itself.
#[derive(Serialize)]
pub(super) struct Tool {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
}

/// The answer to `POST /v1/messages`.
#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) content: Vec<OutputBlock>,
    /// `end_turn`, `max_tokens`, `refusal` and others (guide "Handling stop reasons").
    #[serde(default, deserialize_with = "lenient")]
    pub(super) stop_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Usage,
}

/// A part of an answer.
#[derive(Deserialize)]
pub(super) struct OutputBlock {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) text: String,
}

/// What the call used.
#[derive(Deserialize, Default)]
pub(super) struct Usage {
    /// Without what came from the cache or went into it.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) input_tokens: u64,
    #[serde(default, deserialize_with = "tokens")]
    cache_read_input_tokens: u64,
    #[serde(default, deserialize_with = "tokens")]
    cache_creation_input_tokens: u64,
    /// All of the answer, the reasoning included.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) output_tokens: u64,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens_details: OutputDetails,
}

#[derive(Deserialize, Default)]
struct OutputDetails {
    #[serde(default, deserialize_with = "tokens")]
    thinking_tokens: u64,
}

impl Usage {
    pub(super) fn by_purpose(&self) -> TokenUsage {
        let reasoning = self.output_tokens_details.thinking_tokens;
        TokenUsage {
            input: self.input_tokens,
            output: self.output_tokens.saturating_sub(reasoning),
            cached_read: self.cache_read_input_tokens,
            cache_write: self.cache_creation_input_tokens,
            reasoning,
        }
    }
}

/// The answer to `GET /v1/models`.
#[derive(Deserialize)]
pub(super) struct ModelPage {
    #[serde(deserialize_with = "expected_list")]
    pub(super) data: Vec<Model>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) has_more: bool,
    /// Where the next page starts.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) last_id: Option<String>,
}

/// A model in the list.
#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
    /// `active`, `deprecated` or `retired`; retired models stay in the list and answer nothing.
    #[serde(default, deserialize_with = "lenient")]
    lifecycle: Option<String>,
}

impl Model {
    pub(super) fn is_retired(&self) -> bool {
        self.lifecycle.as_deref() == Some("retired")
    }
}

//! OpenAI's bodies (API reference, "Create a model response", "The response object" and "List models"): the members
//! that we use.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::executions::TokenUsage;

use crate::wire::{expected_list, lenient, lenient_list, tokens};

/// `POST /v1/responses`.
#[derive(Serialize)]
pub(super) struct ResponseBody {
    pub(super) model: String,
    pub(super) input: Input,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instructions: Option<String>,
    pub(super) max_output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text>,
}

/// Text alone, or a message of text and files.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Input {
    Text(String),
    Messages([UserMessage; 1]),
}

/// What the user says.
#[derive(Serialize)]
pub(super) struct UserMessage {
    pub(super) role: &'static str,
    pub(super) content: Vec<InputPart>,
}

/// A part of what the user says.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum InputPart {
    #[serde(rename = "input_text")]
    Text { text: String },
    #[serde(rename = "input_image")]
    Image { detail: &'static str, image_url: String },
    #[serde(rename = "input_file")]
    File { filename: String, file_data: String },
}

/// A tool that the vendor runs itself.
#[derive(Serialize)]
pub(super) struct Tool {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// How the text is to look.
#[derive(Serialize)]
pub(super) struct Text {
    pub(super) format: Format,
}

/// A JSON Schema for the text.
#[derive(Serialize)]
pub(super) struct Format {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) strict: bool,
}

/// The answer to `POST /v1/responses`.
#[derive(Deserialize)]
pub(super) struct Created {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<String>,
    /// `completed`, `incomplete`, `failed`, `cancelled`, `queued` or `in_progress`.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) error: Option<ResponseError>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) incomplete_details: Option<IncompleteDetails>,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) output: Vec<OutputItem>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Usage,
}

/// Why a response failed.
#[derive(Deserialize, Default)]
pub(super) struct ResponseError {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) message: String,
}

/// Why a response is incomplete.
#[derive(Deserialize)]
pub(super) struct IncompleteDetails {
    /// `max_output_tokens` or `content_filter`.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reason: Option<String>,
}

/// A message, or what the model did besides: reasoning, a web search.
#[derive(Deserialize)]
pub(super) struct OutputItem {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) content: Vec<ContentPart>,
}

/// A part of a message: `output_text` or `refusal`.
#[derive(Deserialize)]
pub(super) struct ContentPart {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) text: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refusal: String,
}

/// What the call used.
#[derive(Deserialize, Default, Clone, Copy)]
pub(super) struct Usage {
    /// All of the input, what came from the cache or went into it included.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) input_tokens: u64,
    #[serde(default, deserialize_with = "lenient")]
    input_tokens_details: InputDetails,
    /// All of the answer, the reasoning included.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) output_tokens: u64,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens_details: OutputDetails,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct InputDetails {
    #[serde(default, deserialize_with = "tokens")]
    cached_tokens: u64,
    #[serde(default, deserialize_with = "tokens")]
    cache_write_tokens: u64,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct OutputDetails {
    #[serde(default, deserialize_with = "tokens")]
    reasoning_tokens: u64,
}

impl Usage {
    pub(super) fn by_purpose(&self) -> TokenUsage {
        let InputDetails { cached_tokens, cache_write_tokens } = self.input_tokens_details;
        let reasoning = self.output_tokens_details.reasoning_tokens;
        TokenUsage {
            input: self.input_tokens.saturating_sub(cached_tokens).saturating_sub(cache_write_tokens),
            output: self.output_tokens.saturating_sub(reasoning),
            cached_read: cached_tokens,
            cache_write: cache_write_tokens,
            reasoning,
        }
    }
}

/// The answer to `GET /v1/models`; this vendor gives the whole list in one page.
#[derive(Deserialize)]
pub(super) struct ModelList {
    #[serde(deserialize_with = "expected_list")]
    pub(super) data: Vec<Model>,
}

/// A model in the list.
#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
}

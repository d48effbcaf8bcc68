//! Bodies of the chat-completions format (OpenAI's API reference, "Create chat completion", "The chat completion object"
//! and "List models"): the members that we use.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::executions::TokenUsage;

use crate::wire::{expected_list, lenient, lenient_list, tokens};

/// What is asked.
#[derive(Serialize)]
pub(super) struct CompletionBody {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
    pub(super) max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_format: Option<ResponseFormat>,
}

/// What somebody says.
#[derive(Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: String,
}

/// How the text is to look.
#[derive(Serialize)]
pub(super) struct ResponseFormat {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// What is answered.
#[derive(Deserialize)]
pub(super) struct Completion {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) choices: Vec<Choice>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Usage,
    /// Some gateways answer 200 with nothing but an error.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) error: Option<CompletionError>,
}

/// Why there is no answer.
#[derive(Deserialize)]
pub(super) struct CompletionError {
    pub(super) message: String,
}

/// One of the answers; we ask for one.
#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) message: ChoiceMessage,
    /// `stop`, `length`, `content_filter`, `tool_calls` and others.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) finish_reason: Option<String>,
}

/// What the model said. Its reasoning is a member of its own (`reasoning_content`), which is no part of the answer.
#[derive(Deserialize, Default)]
pub(super) struct ChoiceMessage {
    #[serde(default)]
    content: Value,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refusal: Option<String>,
}

impl ChoiceMessage {
    /// The text, which some gateways give in parts.
    pub(super) fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let is_text = |part: &&Value| part.get("type").and_then(Value::as_str) == Some("text");
                parts.iter().filter(is_text).filter_map(|part| part.get("text")?.as_str()).collect()
            }
            _ => String::new(),
        }
    }
}

/// What the call used.
#[derive(Deserialize, Default, Clone, Copy)]
pub(super) struct Usage {
    /// All of the prompt, what came from the cache included.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) prompt_tokens: u64,
    /// All of the answer, the reasoning included.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) completion_tokens: u64,
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens_details: PromptDetails,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens_details: CompletionDetails,
    /// DeepSeek's name for what came from the cache (guide "Context Caching").
    #[serde(default, deserialize_with = "tokens")]
    prompt_cache_hit_tokens: u64,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct PromptDetails {
    #[serde(default, deserialize_with = "tokens")]
    cached_tokens: u64,
    #[serde(default, deserialize_with = "tokens")]
    cache_write_tokens: u64,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct CompletionDetails {
    #[serde(default, deserialize_with = "tokens")]
    reasoning_tokens: u64,
}

impl Usage {
    pub(super) fn by_purpose(&self) -> TokenUsage {
        let cached_read = self.prompt_tokens_details.cached_tokens.max(self.prompt_cache_hit_tokens);
        let cache_write = self.prompt_tokens_details.cache_write_tokens;
        let reasoning = self.completion_tokens_details.reasoning_tokens;
        TokenUsage {
            input: self.prompt_tokens.saturating_sub(cached_read).saturating_sub(cache_write),
            output: self.completion_tokens.saturating_sub(reasoning),
            cached_read,
            cache_write,
            reasoning,
        }
    }
}

/// The list of models; these vendors give it in one page.
#[derive(Deserialize)]
pub(super) struct ModelList {
    #[serde(deserialize_with = "expected_list")]
    pub(super) data: Vec<Model>,
}

/// A model in the list.
#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) id: String,
    /// What DeepInfra tells about its models.
    #[serde(default)]
    pub(crate) metadata: Value,
}

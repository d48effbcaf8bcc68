//! Gemini's bodies (API reference, `GenerateContentRequest`, `GenerateContentResponse` and `models.list`): the members
//! that we use.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use shared_core::executions::TokenUsage;

use super::families;
use crate::wire::{expected_list, lenient, lenient_list, tokens};

/// `POST /v1beta/models/{model}:generateContent`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerateBody {
    pub(super) contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_instruction: Option<Content>,
    pub(super) generation_config: GenerationConfig,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool>,
}

/// What somebody says.
#[derive(Serialize)]
pub(super) struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    pub(super) parts: Vec<Part>,
}

/// A part of what somebody says.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Text(String),
    InlineData(Blob),
}

impl Part {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The content of a file.
#[derive(Serialize)]
pub(super) struct Blob {
    pub(super) mime_type: String,
    /// In base64.
    pub(super) data: String,
}

/// How to generate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<u64>,
    pub(super) max_output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_json_schema: Option<Value>,
}

/// A tool that the vendor runs itself.
#[derive(Serialize)]
pub(super) struct Tool {
    pub(super) google_search: Value,
}

/// The answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Generated {
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) candidates: Vec<Candidate>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) prompt_feedback: PromptFeedback,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage_metadata: Usage,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) response_id: Option<String>,
}

/// What the vendor's filters say about the question.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) block_reason: Option<String>,
}

/// One of the answers; we ask for one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) content: CandidateContent,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) finish_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) finish_message: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct CandidateContent {
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) parts: Vec<CandidatePart>,
}

/// A part of an answer: text, or something else that counts as empty text.
#[derive(Deserialize)]
pub(super) struct CandidatePart {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) text: String,
    /// The text is a summary of the model's reasoning.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) thought: bool,
}

/// What the call used.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    /// All of the prompt, what came from the cache included.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) prompt_token_count: u64,
    #[serde(default, deserialize_with = "tokens")]
    cached_content_token_count: u64,
    /// What tools brought to the model; not in the prompt's count.
    #[serde(default, deserialize_with = "tokens")]
    tool_use_prompt_token_count: u64,
    /// The answer without the reasoning.
    #[serde(default, deserialize_with = "tokens")]
    pub(super) candidates_token_count: u64,
    #[serde(default, deserialize_with = "tokens")]
    pub(super) thoughts_token_count: u64,
}

impl Usage {
    pub(super) fn by_purpose(&self) -> TokenUsage {
        let anew = self.prompt_token_count.saturating_sub(self.cached_content_token_count);
        TokenUsage {
            input: anew.saturating_add(self.tool_use_prompt_token_count),
            output: self.candidates_token_count,
            cached_read: self.cached_content_token_count,
            cache_write: 0,
            reasoning: self.thoughts_token_count,
        }
    }
}

/// `GET /v1beta/models`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelPage {
    /// An empty page lacks this.
    #[serde(default, deserialize_with = "some_list")]
    pub(super) models: Option<Vec<Model>>,
    /// Where the next page starts.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) next_page_token: Option<String>,
}

fn some_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Model>>, D::Error> {
    expected_list(deserializer).map(Some)
}

/// A model in the list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Model {
    /// `models/` and the id.
    name: String,
    #[serde(default, deserialize_with = "lenient_list")]
    supported_generation_methods: Vec<String>,
}

impl Model {
    pub(super) fn id(self) -> String {
        match self.name.strip_prefix("models/") {
            Some(id) => id.to_owned(),
            None => self.name,
        }
    }

    pub(super) fn answers_text(&self) -> bool {
        let generates = self.supported_generation_methods.iter().any(|method| method == "generateContent");
        generates && families::answers_text(&self.name)
    }
}

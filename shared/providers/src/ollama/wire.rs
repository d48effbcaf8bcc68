//! Ollama's bodies (API reference, "Generate a response" and "List models"): the members that we use.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{each_once, expected_list, lenient, lenient_list, tokens};

/// `POST /api/generate`.
#[derive(Serialize)]
pub(super) struct GenerateBody<'a> {
    pub(super) model: &'a str,
    pub(super) prompt: String,
    /// In base64, for models that see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) images: Vec<String>,
    pub(super) stream: bool,
    /// A JSON Schema that the answer is held to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a Value>,
    pub(super) options: Options,
}

/// How to generate (Ollama, "Modelfile", valid parameters).
#[derive(Serialize)]
pub(super) struct Options {
    pub(super) temperature: f64,
    pub(super) top_p: f64,
    pub(super) top_k: u64,
    /// The longest answer, in tokens; without it, the model decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) num_predict: Option<u64>,
}

/// The answer to `POST /api/generate`.
#[derive(Deserialize)]
pub(super) struct Generated {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) response: String,
    /// `stop`, `length` (cut off) or `load` (nothing was asked).
    #[serde(default, deserialize_with = "lenient")]
    pub(super) done_reason: Option<String>,
    #[serde(default, deserialize_with = "tokens")]
    pub(super) prompt_eval_count: u64,
    #[serde(default, deserialize_with = "tokens")]
    pub(super) eval_count: u64,
    /// What went wrong after the head of the answer had been sent.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) error: Option<String>,
}

/// The answer to `POST /api/show`.
#[derive(Deserialize)]
pub(super) struct Shown {
    /// `completion`, `vision`, `thinking` and others; none on old servers.
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) capabilities: Vec<String>,
}

/// The answer to `GET /api/tags`.
#[derive(Deserialize)]
pub(super) struct Tags {
    #[serde(deserialize_with = "expected_list")]
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

impl Tags {
    pub(super) fn names(self) -> Vec<String> {
        each_once(self.models.into_iter().map(|model| model.name))
    }
}

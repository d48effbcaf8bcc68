//! Voyage AI's bodies: the members that we use. What is no vector is an error; the figures beside them are read leniently.

use serde::{Deserialize, Serialize};
use shared_core::embeddings::{EmbeddingInputType, EmbeddingInputs, EmbeddingModel};

use crate::wire::{lenient, tokens};

/// `POST /v1/embeddings`.
#[derive(Serialize)]
pub(super) struct RequestBody<'a> {
    pub(super) input: &'a EmbeddingInputs,
    pub(super) model: EmbeddingModel,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_type: Option<EmbeddingInputType>,
}

/// The answer.
#[derive(Deserialize)]
pub(super) struct EmbeddingList {
    pub(super) data: EmbeddingItems,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) model: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Usage,
}

/// What was counted.
#[derive(Deserialize, Default)]
pub(super) struct Usage {
    #[serde(default, deserialize_with = "tokens")]
    pub(super) total_tokens: u64,
}

/// The vectors in whatever order they came.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct EmbeddingItems(Vec<EmbeddingItem>);

/// One vector.
#[derive(Deserialize)]
struct EmbeddingItem {
    embedding: Vec<f64>,
    /// Position of its text among the inputs.
    index: usize,
}

impl EmbeddingItems {
    /// The vectors in the order of the texts, or what is wrong with them.
    pub(super) fn in_order(self, expected: usize) -> Result<Vec<Vec<f64>>, String> {
        let Self(mut items) = self;
        if items.len() != expected {
            return Err(format!("answered with {} embeddings for {expected} texts", items.len()));
        }
        items.sort_by_key(|item| item.index);
        if items.iter().zip(0..).any(|(item, position)| item.index != position) {
            return Err("answered with embeddings that do not name each text once".to_owned());
        }
        let length = items.first().map_or(0, |item| item.embedding.len());
        if items.iter().any(|item| item.embedding.is_empty()) {
            return Err("answered with an empty embedding".to_owned());
        }
        if items.iter().any(|item| item.embedding.len() != length) {
            return Err("answered with embeddings of different lengths".to_owned());
        }
        Ok(items.into_iter().map(|item| item.embedding).collect())
    }
}

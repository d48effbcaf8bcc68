//! Replies as Voyage AI sends them (API reference, "Text embedding models" and "Error codes").

use serde_json::{Value, json};

use super::Reply;

/// `POST /v1/embeddings`: these vectors for texts 0, 1, and so on; seven tokens each.
pub fn embedded(vectors: &[Vec<f64>]) -> Reply {
    Reply::json(&embedded_body(vectors))
}

/// The body of an answer, to be changed as a test needs.
pub fn embedded_body(vectors: &[Vec<f64>]) -> Value {
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({"object": "embedding", "embedding": vector, "index": index}))
        .collect();
    json!({"object": "list", "data": data, "model": "voyage-3.5", "usage": {"total_tokens": 7 * vectors.len()}})
}

/// `POST /v1/embeddings`: a vector of so many dimensions for each text that was sent, whose first element is the text's
/// position.
pub fn embedded_each(dimensions: usize) -> Reply {
    Reply::computed(move |request| {
        let count = request.json()["input"].as_array().map_or(1, Vec::len);
        let vector = |position: usize| {
            let mut vector = vec![-0.031_265_258_789_062_5; dimensions];
            vector[0] = position as f64;
            vector
        };
        embedded(&(0..count).map(vector).collect::<Vec<_>>())
    })
}

/// An error answer.
pub fn error(status: u16, detail: &str) -> Reply {
    Reply::json(&json!({"detail": detail})).with_status(status)
}

//! Embeddings without a model: speaks Voyage AI's wire format and answers deterministically.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a vector is.
const DIMENSIONS: usize = 8;

#[derive(Deserialize)]
pub(super) struct EmbedRequest {
    model: String,
    input: Inputs,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    One(String),
    Many(Vec<String>),
}

/// `POST /v1/embeddings`.
pub(super) async fn embed(Json(request): Json<EmbedRequest>) -> Response {
    if !request.model.starts_with("voyage-") {
        let body = json!({ "detail": format!("Model {} is not supported.", request.model) });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let texts = match request.input {
        Inputs::One(text) => vec![text],
        Inputs::Many(texts) => texts,
    };
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "embedding": vector(text), "index": index }))
        .collect();
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    let body = json!({
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": { "total_tokens": tokens },
    });
    Json(body).into_response()
}

/// A vector of length one, the same for the same text: how often each of so many kinds of bytes occurs.
fn vector(text: &str) -> Vec<f64> {
    let mut counts = [1.0; DIMENSIONS];
    for byte in text.bytes() {
        counts[usize::from(byte) % DIMENSIONS] += 1.0;
    }
    let length = counts.iter().map(|count| count * count).sum::<f64>().sqrt();
    counts.map(|count| count / length).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_vector_of_length_one() {
        for text in ["", "hello", "something else"] {
            let vector = vector(text);
            assert_eq!(vector, super::vector(text));
            let length: f64 = vector.iter().map(|number| number * number).sum();
            assert!((length - 1.0).abs() < 1e-9 && vector.len() == DIMENSIONS, "{text}");
        }
        assert_ne!(vector("hello"), vector("help"));
    }
}

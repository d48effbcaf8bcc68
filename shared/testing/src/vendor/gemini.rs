//! Replies as Gemini sends them (API reference, "Generating content", "Models" and Google's error model).

use serde_json::{Value, json};

use super::Reply;

/// `POST /v1beta/models/{model}:generateContent`: one part with this text, 12 tokens in and 7 out.
pub fn generated(text: &str) -> Reply {
    Reply::json(&generated_body(&[text_part(text)], "STOP"))
}

/// The body of an answer with these parts, ended for this reason; to be changed as a test needs.
pub fn generated_body(parts: &[Value], finish_reason: &str) -> Value {
    json!({
        "candidates": [{
            "content": {"parts": parts, "role": "model"},
            "finishReason": finish_reason,
            "index": 0
        }],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 7,
            "totalTokenCount": 19,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}]
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "gemini_response_1"
    })
}

/// The body of an answer without candidates: the question was blocked.
pub fn blocked_body(reason: &str) -> Value {
    json!({
        "promptFeedback": {"blockReason": reason},
        "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
        "modelVersion": "gemini-2.5-flash",
        "responseId": "gemini_response_1"
    })
}

/// A part: text.
pub fn text_part(text: &str) -> Value {
    json!({"text": text})
}

/// A part: a summary of what a model thought before it answered.
pub fn thought_part(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

/// `GET /v1beta/models`: one page of models that generate content; a token says that another page follows.
pub fn models_page<'a>(ids: impl IntoIterator<Item = &'a str>, next_page_token: Option<&str>) -> Reply {
    let models: Vec<Value> = ids.into_iter().map(|id| model(id, &["generateContent", "countTokens"])).collect();
    let mut page = json!({"models": models});
    if let Some(token) = next_page_token {
        page["nextPageToken"] = token.into();
    }
    Reply::json(&page)
}

/// A model in the list that can do this.
pub fn model(id: &str, methods: &[&str]) -> Value {
    json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": id,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2
    })
}

/// An error answer, for example `error(503, "UNAVAILABLE", "The model is overloaded.")`.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(&json!({"error": {"code": status, "message": message, "status": code}})).with_status(status)
}

//! Replies as Ollama sends them (API reference, "Generate a response", "List models" and "Errors").

use serde_json::{Value, json};

use super::Reply;

/// `POST /api/generate` without streaming: this text, 12 tokens in and 7 out.
pub fn generated(text: &str) -> Reply {
    Reply::json(&generated_body(text, "stop"))
}

/// The body of an answer, to be changed as a test needs. `done_reason` is `stop`, `length` or `load`.
pub fn generated_body(text: &str, done_reason: &str) -> Value {
    json!({
        "model": "llama3.2",
        "created_at": "2025-08-04T19:22:45.499127Z",
        "response": text,
        "done": true,
        "done_reason": done_reason,
        "context": [1, 2, 3],
        "total_duration": 5_043_500_667_u64,
        "load_duration": 5_025_959,
        "prompt_eval_count": 12,
        "prompt_eval_duration": 325_953_000,
        "eval_count": 7,
        "eval_duration": 4_709_213_000_u64
    })
}

/// `GET /api/tags`: the installed models.
pub fn tags<'a>(names: impl IntoIterator<Item = &'a str>) -> Reply {
    let models: Vec<Value> = names
        .into_iter()
        .map(|name| {
            json!({
                "name": name,
                "model": name,
                "modified_at": "2025-05-10T08:06:48.639712648-07:00",
                "size": 4_683_075_271_u64,
                "digest": "0a8c266910232fd3291e71e5ba1e058cc5af9d411192cf88b6d30e92b6e73163",
                "details": {
                    "parent_model": "",
                    "format": "gguf",
                    "family": "llama",
                    "families": ["llama"],
                    "parameter_size": "7.6B",
                    "quantization_level": "Q4_K_M"
                }
            })
        })
        .collect();
    Reply::json(&json!({"models": models}))
}

/// `POST /api/show`: a model that can do this, `vision` for example.
pub fn shown(capabilities: &[&str]) -> Reply {
    Reply::json(&json!({"details": {"family": "llama"}, "model_info": {}, "capabilities": capabilities}))
}

/// An error answer.
pub fn error(status: u16, message: &str) -> Reply {
    Reply::json(&json!({"error": message})).with_status(status)
}

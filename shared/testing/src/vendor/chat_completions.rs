//! Replies in the chat-completions format, as DeepSeek and DeepInfra send them.

use serde_json::{Value, json};

use super::Reply;

/// `POST .../chat/completions`: one choice with this text, 12 tokens in and 7 out.
pub fn completion(text: &str) -> Reply {
    Reply::json(&completion_body(text, "stop"))
}

/// The body of an answer that ended for this reason, to be changed as a test needs.
pub fn completion_body(text: &str, finish_reason: &str) -> Value {
    json!({
        "id": "completion_1",
        "object": "chat.completion",
        "created": 1_741_476_542,
        "model": "some-model",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "logprobs": null,
            "finish_reason": finish_reason
        }],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
        "system_fingerprint": "fp_1"
    })
}

/// DeepSeek's `GET /v1/models`.
pub fn deepseek_models<'a>(ids: impl IntoIterator<Item = &'a str>) -> Reply {
    let data: Vec<Value> =
        ids.into_iter().map(|id| json!({"id": id, "object": "model", "owned_by": "deepseek"})).collect();
    Reply::json(&json!({"object": "list", "data": data}))
}

/// DeepInfra's `GET /v1/openai/models`: models that write text, and models that do something else.
pub fn deepinfra_models<'a>(
    writing: impl IntoIterator<Item = &'a str>,
    others: impl IntoIterator<Item = &'a str>,
) -> Reply {
    let model = |id: &str, metadata: Value| {
        json!({
            "id": id, "object": "model", "created": 1_741_476_542, "owned_by": "deepinfra", "root": id, "parent": null,
            "metadata": metadata
        })
    };
    let text = json!({
        "description": "A model", "context_length": 131_072, "max_tokens": 131_072,
        "pricing": {"input_tokens": 0.1, "output_tokens": 0.3}, "tags": ["prompt_cache"]
    });
    let writing = writing.into_iter().map(|id| model(id, text.clone()));
    let others = others.into_iter().map(|id| model(id, Value::Null));
    Reply::json(&json!({"object": "list", "data": writing.chain(others).collect::<Vec<_>>()}))
}

/// An error answer; an empty `code` is null.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    let code = if code.is_empty() { Value::Null } else { Value::from(code) };
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
    Reply::json(&json!({"error": error})).with_status(status)
}

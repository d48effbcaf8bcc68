//! Replies as OpenAI sends them (API reference, "Responses", "Models" and the guide "Error codes").

use serde_json::{Value, json};

use super::Reply;

/// `POST /v1/responses`: one message with this text, 12 tokens in and 7 out.
pub fn response_text(text: &str) -> Reply {
    response(&[message(text)])
}

/// `POST /v1/responses`: completed, with these output items.
pub fn response(output: &[Value]) -> Reply {
    Reply::json(&response_body("completed", output)).with_header("x-request-id", "req_openai_1")
}

/// The body of a response in this status (`completed`, `incomplete`, `failed`, ...), to be changed as a test needs.
pub fn response_body(status: &str, output: &[Value]) -> Value {
    json!({
        "id": "resp_67ccd2bed1ec8190b14f964abc054267",
        "object": "response",
        "created_at": 1_741_476_542,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": 4096,
        "model": "gpt-4.1-2025-04-14",
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "store": true,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 19
        },
        "user": null,
        "metadata": {}
    })
}

/// An output item: a message with one text part.
pub fn message(text: &str) -> Value {
    json!({
        "type": "message",
        "id": "msg_67ccd2bf17f0819081ff3bb2cf6508e6",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}]
    })
}

/// An output item: a message in which the model declines.
pub fn refusal(explanation: &str) -> Value {
    json!({
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": explanation}]
    })
}

/// An output item: what a reasoning model puts before its message.
pub fn reasoning() -> Value {
    json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": null, "encrypted_content": null})
}

/// An output item: a finished web search.
pub fn web_search_call() -> Value {
    json!({
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "weather"}
    })
}

/// `GET /v1/models`: the whole list in one page, as this vendor gives it.
pub fn models_page<'a>(ids: impl IntoIterator<Item = &'a str>) -> Reply {
    let data: Vec<Value> = ids
        .into_iter()
        .map(|id| json!({"id": id, "object": "model", "created": 1_686_935_002, "owned_by": "system"}))
        .collect();
    Reply::json(&json!({"object": "list", "data": data}))
}

/// An error answer; `code` also serves as the type where this vendor repeats it.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    let kind = match status {
        400 | 401 | 404 => "invalid_request_error",
        500.. => "server_error",
        _ => code,
    };
    let code = if code.is_empty() { Value::Null } else { Value::from(code) };
    Reply::json(&json!({"error": {"message": message, "type": kind, "param": null, "code": code}}))
        .with_status(status)
        .with_header("x-request-id", "req_openai_1")
}

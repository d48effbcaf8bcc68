//! Replies as Anthropic sends them (API reference, "Create a Message", "List Models" and "Errors").

use serde_json::{Value, json};

use super::Reply;

/// `POST /v1/messages`: one text block, ended by itself, 12 tokens in and 7 out.
pub fn message(text: &str) -> Reply {
    blocks(&[text_block(text)], "end_turn")
}

/// `POST /v1/messages`: these content blocks, ended for this reason.
pub fn blocks(content: &[Value], stop_reason: &str) -> Reply {
    Reply::json(&message_body(content, stop_reason)).with_header("request-id", "req_anthropic_1")
}

/// The body of a message, to be changed as a test needs.
pub fn message_body(content: &[Value], stop_reason: &str) -> Value {
    json!({
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 7,
            "service_tier": "standard"
        }
    })
}

/// A content block: text.
pub fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A content block: what a model thought before it answered.
pub fn thinking_block(thinking: &str) -> Value {
    json!({"type": "thinking", "thinking": thinking, "signature": "EqQBCgIYAhIM"})
}

/// Two content blocks: a web search and its result.
pub fn web_search_blocks() -> [Value; 2] {
    [
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}}),
        json!({
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [{
                "type": "web_search_result",
                "url": "https://example.com/weather",
                "title": "Weather",
                "encrypted_content": "EqgfCioIARgB",
                "page_age": "April 30, 2025"
            }]
        }),
    ]
}

/// `GET /v1/models`: one page; `has_more` says that another follows the last of these.
pub fn models_page<'a>(ids: impl IntoIterator<Item = &'a str>, has_more: bool) -> Reply {
    let ids: Vec<&str> = ids.into_iter().collect();
    let data: Vec<Value> = ids
        .iter()
        .map(|id| json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-02-19T00:00:00Z"}))
        .collect();
    Reply::json(&json!({"data": data, "has_more": has_more, "first_id": ids.first(), "last_id": ids.last()}))
}

/// An error answer, for example `error(529, "overloaded_error", "Overloaded")`.
pub fn error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(&json!({
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_anthropic_1"
    }))
    .with_status(status)
    .with_header("request-id", "req_anthropic_1")
}

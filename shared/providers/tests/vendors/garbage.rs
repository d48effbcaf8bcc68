//! What no vendor should send: every answer of any shape is an answer or an error, never a panic.

use serde_json::{Value, json};
use shared_core::ProviderName;
use shared_providers::ErrorClass;
use shared_testing::vendor::{FakeVendor, Reply, anthropic, chat_completions, gemini, ollama, openai};

use crate::support::{VENDORS, ask, client, generate_path, models_path, question};

/// What takes the place of each member in turn.
fn replacements() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!("text"),
        json!([]),
        json!([null, 1, "a", [], {}]),
        json!({}),
        json!({"type": "message", "text": 7, "content": {"type": []}}),
    ]
}

/// The value with every member of it, at any depth, replaced or removed once.
fn mutations(value: &Value) -> Vec<Value> {
    let mut mutated = replacements();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                for replacement in mutations(member) {
                    let mut copy = members.clone();
                    copy.insert(name.clone(), replacement);
                    mutated.push(Value::Object(copy));
                }
                let mut without = members.clone();
                without.remove(name);
                mutated.push(Value::Object(without));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for replacement in mutations(item) {
                    let mut copy = items.clone();
                    copy[index] = replacement;
                    mutated.push(Value::Array(copy));
                }
            }
        }
        _ => {}
    }
    mutated
}

/// A complete answer to a generation, with little in it that is not read.
fn answer(name: ProviderName) -> Value {
    match name {
        ProviderName::Ollama => ollama::generated_body("A", "stop"),
        ProviderName::OpenAi => json!({
            "status": "incomplete",
            "error": null,
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [openai::reasoning(), openai::message("A"), openai::refusal("R")],
            "usage": {"input_tokens": 1, "output_tokens": 2}
        }),
        ProviderName::Anthropic => {
            anthropic::message_body(&[anthropic::thinking_block("T"), anthropic::text_block("A")], "end_turn")
        }
        ProviderName::Gemini => {
            gemini::generated_body(&[gemini::thought_part("T"), gemini::text_part("A")], "MAX_TOKENS")
        }
        ProviderName::DeepSeek | ProviderName::DeepInfra => chat_completions::completion_body("A", "length"),
    }
}

fn list(name: ProviderName) -> Value {
    match name {
        ProviderName::Ollama => json!({"models": [{"name": "a"}, {"name": "b"}]}),
        ProviderName::Gemini => {
            json!({"models": [gemini::model("gemini-a", &["generateContent"])], "nextPageToken": "t"})
        }
        ProviderName::DeepInfra => json!({"data": [{"id": "a", "metadata": {"pricing": {"output_tokens": 1}}}]}),
        _ => json!({"data": [{"id": "gpt-a"}, {"id": "gpt-chat-b"}], "has_more": true, "last_id": "gpt-b"}),
    }
}

#[tokio::test]
async fn any_json_is_an_answer_or_an_error() {
    for (name, model) in VENDORS {
        let vendor = FakeVendor::start().await;
        let client = client(&vendor, name);
        let request = question(model, "P", "I");
        for body in mutations(&answer(name)) {
            vendor.on("POST", generate_path(name), Reply::json(&body));
            match client.generate(&request).await {
                Ok(answer) => assert!(!answer.text.trim().is_empty(), "{body}"),
                Err(error) => assert_eq!(error.class(), ErrorClass::Provider, "{body}: {error}"),
            }
        }
        for body in mutations(&list(name)) {
            vendor.on("GET", models_path(name), Reply::json(&body));
            match client.models().await {
                Ok(models) => assert!(models.iter().all(|model| !model.is_empty()), "{body}"),
                Err(error) => assert_eq!(error.class(), ErrorClass::ProviderUnavailable, "{body}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn any_json_can_be_the_body_of_an_error() {
    let error = json!({
        "type": "error",
        "error": {"message": "m", "type": "t", "code": "c", "details": {"error_code": "e"}},
        "detail": "d"
    });
    for (name, model) in VENDORS {
        let vendor = FakeVendor::start().await;
        let client = client(&vendor, name);
        let request = question(model, "P", "I");
        for body in mutations(&error) {
            vendor.on("POST", generate_path(name), Reply::json(&body).with_status(404));
            assert_eq!(client.generate(&request).await.unwrap_err().status(), Some(404), "{body}");
        }
    }
}

#[tokio::test]
async fn what_is_not_json_is_named_as_such() {
    for (name, _) in VENDORS {
        let vendor = FakeVendor::start().await;
        for (body, what) in [
            (&b""[..], "with an empty body"),
            (b" \n", "with an empty body"),
            (b"<html>login</html>", "with something that is not JSON: <html>login</html>"),
            (b"{\"response\": \"cut", "with something that is not JSON: {\"response\": \"cut"),
            (b"{\"usage\": {\"input_tokens\": NaN}}", "with something that is not JSON"),
            (b"\xff\xfe\x00", "with something that is not JSON"),
            (b"null", "with JSON that is not an object"),
            (b"[]", "with JSON that is not an object"),
        ] {
            vendor.on("POST", generate_path(name), Reply::bytes("application/json", body));
            let error = ask(&vendor, name).await.unwrap_err();
            assert!(error.to_string().starts_with("ProviderError: "), "{error}");
            assert!(error.to_string().contains(&format!("answered 200 OK {what}")), "{error}");
            assert!(!error.is_transient());
        }
    }
}

//! Ollama's own mapping (contract section 11.2).

use serde_json::{Value, json};
use shared_core::ProviderName::Ollama;
use shared_providers::{Attachment, GenerationRequest};
use shared_testing::vendor::{FakeVendor, Reply, ollama};

use crate::support::{all_options, ask, client, question};

async fn sent(request: &GenerationRequest) -> Value {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", ollama::generated("A"));
    client(&vendor, Ollama).generate(request).await.expect("an answer");
    vendor.requests()[0].json()
}

#[tokio::test]
async fn sends_the_contracts_body_with_its_defaults() {
    let expected = json!({
        "model": "llama3.2",
        "prompt": "P",
        "stream": false,
        "options": {"temperature": 0.7, "top_p": 0.9, "top_k": 40}
    });
    assert_eq!(sent(&question("llama3.2", "P", "")).await, expected);
}

#[tokio::test]
async fn sends_prompt_and_input_as_parts_of_one_text() {
    let body = sent(&question("llama3.2", "You are P.", "Do I.")).await;
    assert_eq!(body["prompt"], "<context>\nYou are P.\n</context>\n\n<task>\nDo I.\n</task>");
}

#[tokio::test]
async fn sends_options_and_schema() {
    let schema = json!({"type": "array", "items": {"type": "string"}});
    let request =
        GenerationRequest { options: all_options(), schema: Some(schema.clone()), ..question("llama3.2", "P", "") };
    let body = sent(&request).await;
    assert_eq!(body["options"], json!({"temperature": 0.25, "top_p": 0.5, "top_k": 7, "num_predict": 321}));
    assert_eq!(body["format"], schema);
}

#[tokio::test]
async fn sends_no_key() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", ollama::generated("A"));
    ask(&vendor, Ollama).await.unwrap();
    let request = &vendor.requests()[0];
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn reads_text_tokens_and_stop_reason() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", ollama::generated(" Hello!\n"));
    let request = GenerationRequest { options: all_options(), ..question("llama3.2", "P", "I") };
    let answer = client(&vendor, Ollama).generate(&request).await.unwrap();
    assert_eq!(answer.text, " Hello!\n");
    assert_eq!((answer.input_tokens, answer.output_tokens), (12, 7));
    assert_eq!(answer.stop_reason.as_deref(), Some("stop"));
    assert!(!answer.is_truncated);
    assert_eq!(answer.ignored_options, ["webSearch"]);
    assert_eq!(answer.request_id, None);
}

#[tokio::test]
async fn tells_a_cut_off_answer() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", Reply::json(&ollama::generated_body("Hel", "length")));
    let answer = ask(&vendor, Ollama).await.unwrap();
    assert!(answer.is_truncated);
    assert_eq!(answer.stop_reason.as_deref(), Some("length"));
}

#[tokio::test]
async fn missing_or_odd_token_counts_are_zero() {
    for counts in [json!({}), json!({"prompt_eval_count": null, "eval_count": "7"}), json!({"eval_count": -1})] {
        let vendor = FakeVendor::start().await;
        let mut body = json!({"response": "A", "done": true});
        body.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
        vendor.on("POST", "/api/generate", Reply::json(&body));
        let answer = ask(&vendor, Ollama).await.unwrap();
        assert_eq!((answer.input_tokens, answer.output_tokens), (0, 0), "{counts}");
    }
}

#[tokio::test]
async fn an_error_in_a_good_answer_is_an_error() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", Reply::json(&json!({"error": "model runner has unexpectedly stopped"})));
    let error = ask(&vendor, Ollama).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: Ollama reported an error: model runner has unexpectedly stopped");
}

#[tokio::test]
async fn an_empty_answer_is_an_error() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", Reply::json(&ollama::generated_body("", "load")));
    let error = ask(&vendor, Ollama).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: Ollama gave an empty answer (done reason: load)");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn lists_the_installed_models() {
    let vendor = FakeVendor::start().await;
    vendor.on("GET", "/api/tags", ollama::tags(["llama3.2:latest", "qwen3:8b", "llama3.2:latest"]));
    let models = client(&vendor, Ollama).models().await.unwrap();
    assert_eq!(models, ["llama3.2:latest", "qwen3:8b"]);
    vendor.on("GET", "/api/tags", Reply::json(&json!({"models": null})));
    assert!(client(&vendor, Ollama).models().await.unwrap().is_empty());
}

#[tokio::test]
async fn takes_no_files() {
    let vendor = FakeVendor::start().await;
    let file = Attachment { file_name: "a.txt".into(), mime_type: "text/plain".into(), data: b"a".to_vec() };
    let client = client(&vendor, Ollama);
    assert!(!client.supports_files());
    let request = GenerationRequest { files: vec![file], ..question("llama3.2", "P", "I") };
    assert_eq!(client.generate(&request).await.unwrap_err().to_string(), "ProviderError: Ollama takes no files");
    assert!(vendor.requests().is_empty());
}

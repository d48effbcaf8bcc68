//! Ollama's own mapping (contract section 11.2).

use serde_json::{Value, json};
use shared_core::{ProviderName::Ollama, executions::TokenUsage};
use shared_providers::{FailureKind, GenerationRequest};
use shared_testing::vendor::{FakeVendor, Reply, ollama};

use crate::support::{all_options, ask, client, file, question, refused};

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
async fn images_go_beside_the_prompt_and_text_into_it() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", ollama::generated("A")).on("POST", "/api/show", ollama::shown(&["vision"]));
    let files = vec![file("photo.png", "image/png", &[1, 2]), file("notes.csv", "text/csv", b"a,b")];
    let client = client(&vendor, Ollama);
    assert!(client.supports_files());
    client.generate(&GenerationRequest { files, ..question("llava", "P", "") }).await.unwrap();
    assert_eq!(vendor.requests_to("POST", "/api/show")[0].json(), json!({"model": "llava"}));
    let body = vendor.requests_to("POST", "/api/generate")[0].json();
    assert_eq!(body["images"], json!(["AQI="]));
    assert_eq!(body["prompt"], "P\n\n<file name=\"notes.csv\">\na,b\n</file>");
}

#[tokio::test]
async fn a_model_without_sight_is_not_shown_images() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", ollama::generated("A")).on("POST", "/api/show", ollama::shown(&["completion"]));
    let image = vec![file("a.png", "image/png", &[1])];
    let request = GenerationRequest { files: image, ..question("llama3.2", "P", "I") };
    let error = client(&vendor, Ollama).generate(&request).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: the Ollama model \"llama3.2\" takes no images");
    assert_eq!(error.kind(), FailureKind::Invalid);
    assert!(vendor.requests_to("POST", "/api/generate").is_empty());
    // A server that cannot tell is asked all the same.
    for reply in [Reply::status(404), ollama::shown(&[])] {
        vendor.on("POST", "/api/show", reply);
        assert_eq!(client(&vendor, Ollama).generate(&request).await.unwrap().text, "A");
    }
    // Text alone needs no sight.
    vendor.forget_requests();
    let text = vec![file("a.txt", "text/plain", b"a")];
    let request = GenerationRequest { files: text, ..question("llama3.2", "P", "I") };
    client(&vendor, Ollama).generate(&request).await.unwrap();
    assert!(vendor.requests_to("POST", "/api/show").is_empty());
}

#[tokio::test]
async fn other_files_are_refused_by_name() {
    for (name, mime) in [("a.pdf", "application/pdf"), ("a.zip", "application/zip"), ("a.gif", "image/gif")] {
        let error = refused(Ollama, file(name, mime, b"x")).await.to_string();
        let text = format!(
            "ProviderError: Ollama takes images (JPEG, PNG, WebP) and text; the file \"{name}\" is of type {mime}"
        );
        assert_eq!(error, text);
    }
}

#[tokio::test]
async fn usage_is_counted_and_kept_as_it_came() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/api/generate", ollama::generated("A"));
    let answer = ask(&vendor, Ollama).await.unwrap();
    assert_eq!(answer.tokens, TokenUsage { input: 12, output: 7, ..TokenUsage::default() });
    let usage = answer.usage.unwrap();
    assert_eq!((&usage["eval_count"], &usage["total_duration"]), (&json!(7), &json!(5_043_500_667_u64)));
    assert_eq!(usage.as_object().unwrap().len(), 6);
}

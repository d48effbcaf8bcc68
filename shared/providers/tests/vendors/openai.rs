//! OpenAI's own mapping (contract section 11.2, defects V-02, V-03, V-04, V-16).

use serde_json::{Value, json};
use shared_core::{ProviderName::OpenAi, executions::TokenUsage};
use shared_providers::{Answer, FailureKind, GenerationRequest, ProviderError};
use shared_testing::vendor::{FakeVendor, Reply, openai};

use crate::support::{KEY, all_options, ask, client, file, question, refused};

async fn sent(request: &GenerationRequest) -> (Value, Answer) {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/responses", openai::response_text("A"));
    let answer = client(&vendor, OpenAi).generate(request).await.expect("an answer");
    (vendor.requests()[0].json(), answer)
}

async fn answered(body: &Value) -> Result<Answer, ProviderError> {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/responses", Reply::json(body));
    ask(&vendor, OpenAi).await
}

#[tokio::test]
async fn sends_the_contracts_body_with_its_defaults() {
    let (body, _) = sent(&question("gpt-4.1", "P", "I")).await;
    assert_eq!(body, json!({"model": "gpt-4.1", "input": "I", "instructions": "P", "max_output_tokens": 4096}));
}

#[tokio::test]
async fn a_compiled_prompt_is_the_input() {
    let (body, _) = sent(&question("gpt-4.1", "P", "")).await;
    assert_eq!(body, json!({"model": "gpt-4.1", "input": "P", "max_output_tokens": 4096}));
}

#[tokio::test]
async fn sends_the_key_as_bearer() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/responses", openai::response_text("A"));
    ask(&vendor, OpenAi).await.unwrap();
    assert_eq!(vendor.requests()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
}

#[tokio::test]
async fn sends_the_options_that_the_model_takes() {
    let request = GenerationRequest { options: all_options(), ..question("gpt-4.1", "P", "I") };
    let (body, answer) = sent(&request).await;
    assert_eq!(body["temperature"], 0.25);
    assert_eq!(body["top_p"], 0.5);
    assert_eq!(body["max_output_tokens"], 321);
    assert_eq!(body["tools"], json!([{"type": "web_search"}]));
    assert_eq!(answer.ignored_options, ["topK"]);
}

#[tokio::test]
async fn reasoning_models_get_no_sampling_options() {
    for model in ["o3", "gpt-5"] {
        let request = GenerationRequest { options: all_options(), ..question(model, "P", "I") };
        let (body, answer) = sent(&request).await;
        assert_eq!((&body["temperature"], &body["top_p"]), (&Value::Null, &Value::Null));
        assert_eq!(body["max_output_tokens"], 321);
        assert_eq!(answer.ignored_options, ["temperature", "topP", "topK"]);
    }
}

#[tokio::test]
async fn sends_a_schema_in_strict_mode() {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name"]
    });
    let (body, _) = sent(&GenerationRequest { schema: Some(schema), ..question("gpt-4.1", "P", "I") }).await;
    let format = json!({
        "type": "json_schema",
        "name": "schema-name",
        "schema": {
            "type": "object",
            "required": ["name", "age"],
            "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
            "additionalProperties": false
        },
        "strict": true
    });
    assert_eq!(body["text"], json!({"format": format}));
    assert_eq!(body["instructions"], "P");
}

#[tokio::test]
async fn sends_an_open_schema_without_strict_mode() {
    let schema = json!({"type": "object", "additionalProperties": {"type": "number"}});
    let (body, _) = sent(&GenerationRequest { schema: Some(schema.clone()), ..question("gpt-4.1", "P", "I") }).await;
    assert_eq!(body["text"]["format"]["schema"], schema);
    assert_eq!(body["text"]["format"]["strict"], false);
}

#[tokio::test]
async fn puts_a_schema_of_a_list_into_words() {
    let schema = json!({"type": "array", "items": {"type": "string"}});
    for (input, place) in [("I", "instructions"), ("", "input")] {
        let request = GenerationRequest { schema: Some(schema.clone()), ..question("gpt-4.1", "P", input) };
        let (body, _) = sent(&request).await;
        assert_eq!(body["text"], Value::Null);
        let said = body[place].as_str().unwrap();
        assert!(said.starts_with("P\n\n") && said.contains("\n  \"type\": \"array\","), "{said}");
    }
}

#[tokio::test]
async fn reads_the_text_of_all_messages_whatever_stands_between() {
    let vendor = FakeVendor::start().await;
    let output = [openai::reasoning(), openai::message("One, "), openai::web_search_call(), openai::message("two.")];
    vendor.on("POST", "/v1/responses", openai::response(&output));
    let answer = ask(&vendor, OpenAi).await.unwrap();
    assert_eq!(answer.text, "One, two.");
    assert_eq!((answer.input_tokens, answer.output_tokens), (12, 7));
    assert_eq!(answer.stop_reason.as_deref(), Some("completed"));
    assert_eq!(answer.request_id.as_deref(), Some("req_openai_1"));
    assert!(!answer.is_truncated);
    assert!(answer.ignored_options.is_empty());
}

#[tokio::test]
async fn unknown_items_and_parts_are_passed_over() {
    let mut message = openai::message("A");
    message["content"].as_array_mut().unwrap().insert(0, json!({"type": "output_hologram", "text": 7}));
    let output = [json!(null), json!({"type": "message", "content": "odd"}), json!({"type": "new_call"}), message];
    assert_eq!(answered(&openai::response_body("completed", &output)).await.unwrap().text, "A");
}

#[tokio::test]
async fn a_gateway_without_status_is_read_too() {
    let answer = answered(&json!({"output": [openai::message("A")]})).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.stop_reason), ("A", None));
}

#[tokio::test]
async fn missing_or_odd_usage_is_zero() {
    for usage in [json!(null), json!({}), json!("much"), json!({"input_tokens": "12", "output_tokens": -7})] {
        let mut body = openai::response_body("completed", &[openai::message("A")]);
        body["usage"] = usage.clone();
        let answer = answered(&body).await.unwrap();
        assert_eq!((answer.input_tokens, answer.output_tokens), (0, 0), "{usage}");
    }
    let mut body = openai::response_body("completed", &[openai::message("A")]);
    body["usage"] = json!({"output_tokens": 7.0});
    let answer = answered(&body).await.unwrap();
    assert_eq!((answer.input_tokens, answer.output_tokens), (0, 7));
}

#[tokio::test]
async fn tells_a_cut_off_answer() {
    let mut body = openai::response_body("incomplete", &[openai::message("Hel")]);
    body["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let answer = answered(&body).await.unwrap();
    assert_eq!(answer.text, "Hel");
    assert!(answer.is_truncated);
    assert_eq!(answer.stop_reason.as_deref(), Some("max_output_tokens"));
}

#[tokio::test]
async fn an_answer_without_text_is_an_error_that_says_why() {
    let mut body = openai::response_body("incomplete", &[openai::reasoning()]);
    body["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let error = answered(&body).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: OpenAI gave an empty answer (it stopped at max_output_tokens)");
    let blank = answered(&openai::response_body("completed", &[openai::message(" \n")])).await.unwrap_err();
    assert_eq!(blank.to_string(), "ProviderError: OpenAI gave an empty answer");
}

#[tokio::test]
async fn a_refusal_is_an_error() {
    let output = [openai::message("Well, "), openai::refusal("I can't help with that.")];
    let error = answered(&openai::response_body("completed", &output)).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: OpenAI refused to answer: I can't help with that.");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn filtered_content_is_a_permanent_error() {
    let mut body = openai::response_body("incomplete", &[openai::message("Hel")]);
    body["incomplete_details"] = json!({"reason": "content_filter"});
    let error = answered(&body).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: OpenAI stopped the answer by its content filter");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_failed_response_is_an_error_and_transient_by_its_code() {
    for (code, is_transient) in [("server_error", true), ("rate_limit_exceeded", true), ("invalid_prompt", false)] {
        let mut body = openai::response_body("failed", &[]);
        body["error"] = json!({"code": code, "message": "It went wrong."});
        let error = answered(&body).await.unwrap_err();
        let text = format!("ProviderError: OpenAI could not finish the response ({code}): It went wrong.");
        assert_eq!(error.to_string(), text);
        assert_eq!(error.is_transient(), is_transient);
    }
    let bare = answered(&json!({"error": {"message": "Provider returned error", "code": 502}})).await.unwrap_err();
    let text = "ProviderError: OpenAI could not finish the response (no code): Provider returned error";
    assert_eq!(bare.to_string(), text);
    let unfinished = answered(&openai::response_body("in_progress", &[])).await.unwrap_err();
    assert_eq!(unfinished.to_string(), "ProviderError: OpenAI gave an unfinished response (in_progress)");
}

#[tokio::test]
async fn lists_the_models_that_answer_text() {
    let vendor = FakeVendor::start().await;
    let ids = [
        "gpt-4.1",
        "o3",
        "gpt-image-1",
        "text-embedding-3-small",
        "gpt-4o-realtime-preview",
        "chatgpt-4o-latest",
        "ft:gpt-4o-mini-2024-07-18:acme::AbC123",
        "gpt-4.1",
    ];
    vendor.on("GET", "/v1/models", openai::models_page(ids));
    let models = client(&vendor, OpenAi).models().await.unwrap();
    assert_eq!(models, ["gpt-4.1", "o3", "chatgpt-4o-latest", "ft:gpt-4o-mini-2024-07-18:acme::AbC123"]);
}

#[tokio::test]
async fn an_unknown_model_is_not_supported() {
    for (status, code) in [(404, "model_not_found"), (400, "model_not_found"), (403, "model_not_found"), (404, "")] {
        let vendor = FakeVendor::start().await;
        let message = "The model `gpt-4.1` does not exist or you do not have access to it.";
        vendor.on("POST", "/v1/responses", openai::error(status, code, message));
        let error = ask(&vendor, OpenAi).await.unwrap_err();
        let text = format!("ModelNotSupportedError: OpenAI has no model \"gpt-4.1\": {message}");
        assert_eq!(error.to_string(), text);
        assert_eq!(error.status(), Some(status));
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn an_empty_purse_is_permanent() {
    for code in ["insufficient_quota", "project_spend_limit_exceeded"] {
        let vendor = FakeVendor::start().await;
        vendor.on("POST", "/v1/responses", openai::error(429, code, "You exceeded your current quota."));
        let error = ask(&vendor, OpenAi).await.unwrap_err();
        let text = "ProviderError: OpenAI answered 429 Too Many Requests: You exceeded your current quota.";
        assert_eq!(error.to_string(), text);
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn files_go_along_with_input_and_with_a_compiled_prompt() {
    let files = vec![
        file("photo.png", "image/png", &[1, 2]),
        file("paper.pdf", "application/pdf", b"%PDF-"),
        file("notes.csv", "text/csv", b"a,b"),
    ];
    for (input, text) in [("I", "I"), ("", "P")] {
        let (body, _) = sent(&GenerationRequest { files: files.clone(), ..question("gpt-4.1", "P", input) }).await;
        let expected = json!([{"role": "user", "content": [
            {"type": "input_text", "text": text},
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AQI="},
            {"type": "input_file", "filename": "paper.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
            {"type": "input_text", "text": "<file name=\"notes.csv\">\na,b\n</file>"}
        ]}]);
        assert_eq!(body["input"], expected);
    }
}

#[tokio::test]
async fn other_files_are_refused_by_name() {
    for (name, mime) in [("a.zip", "application/zip"), ("a.svg", "image/svg+xml")] {
        let error = refused(OpenAi, file(name, mime, b"x")).await;
        let text = format!(
            "ProviderError: OpenAI takes images (GIF, JPEG, PNG, WebP), PDF and text; the file \"{name}\" is of type {mime}"
        );
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn older_models_get_a_schema_in_words_and_no_web_search() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let request =
        GenerationRequest { schema: Some(schema), options: all_options(), ..question("gpt-4-turbo", "P", "I") };
    let (body, answer) = sent(&request).await;
    assert_eq!((&body["text"], &body["tools"]), (&Value::Null, &Value::Null));
    assert!(body["instructions"].as_str().unwrap().contains("JSON Schema"));
    assert_eq!(answer.ignored_options, ["topK", "webSearch"]);
    assert!(answer.notes.is_empty(), "this model is never held to a schema");
}

#[tokio::test]
async fn notes_tell_how_a_schema_was_sent() {
    for (schema, note) in [
        (json!({"type": "array", "items": {}}), "The schema was sent as words since its root describes no object."),
        (
            json!({"type": "object", "additionalProperties": {"type": "number"}}),
            "The schema was sent without strict mode since strict mode cannot express it.",
        ),
    ] {
        let (_, answer) = sent(&GenerationRequest { schema: Some(schema), ..question("gpt-4.1", "P", "I") }).await;
        assert_eq!(answer.notes, [note]);
    }
}

#[tokio::test]
async fn counts_cached_and_reasoning_tokens_apart() {
    let mut body = openai::response_body("completed", &[openai::message("A")]);
    body["usage"] = json!({
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 30}, "total_tokens": 150, "later": null
    });
    let answer = answered(&body).await.unwrap();
    assert_eq!((answer.input_tokens, answer.output_tokens), (100, 50));
    let expected = TokenUsage { input: 30, output: 20, cached_read: 60, cache_write: 10, reasoning: 30 };
    assert_eq!(answer.tokens, expected);
    assert_eq!(answer.usage, Some(body["usage"].clone()));
}

#[tokio::test]
async fn filters_are_told_apart_from_other_failures() {
    let mut failed = openai::response_body("failed", &[]);
    failed["error"] = json!({"code": "invalid_prompt", "message": "Flagged."});
    let refused = openai::response_body("completed", &[openai::refusal("No.")]);
    let mut filtered = openai::response_body("incomplete", &[]);
    filtered["incomplete_details"] = json!({"reason": "content_filter"});
    for body in [failed, refused, filtered] {
        assert_eq!(answered(&body).await.unwrap_err().kind(), FailureKind::ContentFilter, "{body}");
    }
    let blank = openai::response_body("completed", &[]);
    assert_eq!(answered(&blank).await.unwrap_err().kind(), FailureKind::Other);
}

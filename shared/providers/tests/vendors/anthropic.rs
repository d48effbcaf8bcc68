//! Anthropic's own mapping (contract section 11.2, defects V-05, V-06, V-13, V-16).

use serde_json::{Value, json};
use shared_core::{ProviderName::Anthropic, executions::TokenUsage};
use shared_providers::{Answer, Attachment, GenerationOptions, GenerationRequest, ProviderError};
use shared_testing::vendor::{FakeVendor, Reply, anthropic};

use crate::support::{KEY, all_options, ask, client, question};

const MODEL: &str = "claude-sonnet-4-5";

async fn sent(request: &GenerationRequest) -> (Value, Answer) {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/messages", anthropic::message("A"));
    let answer = client(&vendor, Anthropic).generate(request).await.expect("an answer");
    (vendor.requests()[0].json(), answer)
}

async fn answered(body: &Value) -> Result<Answer, ProviderError> {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/messages", Reply::json(body));
    ask(&vendor, Anthropic).await
}

fn files() -> Vec<Attachment> {
    [
        ("photo.png", "image/png", "\u{1}\u{2}"),
        ("paper.pdf", "application/pdf", "%PDF-"),
        ("notes.csv", "text/csv", "a,b"),
    ]
    .map(|(name, mime, data)| Attachment {
        file_name: name.to_owned(),
        mime_type: mime.to_owned(),
        data: data.as_bytes().to_vec(),
    })
    .to_vec()
}

#[tokio::test]
async fn sends_the_contracts_body_with_its_defaults() {
    let (body, _) = sent(&question(MODEL, "P", "I")).await;
    let expected = json!({
        "model": MODEL,
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "I"}],
        "system": "P",
        "temperature": 0.9
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_compiled_prompt_is_the_users_message() {
    let (body, _) = sent(&question(MODEL, "P", "")).await;
    let expected = json!({
        "model": MODEL, "max_tokens": 4096, "messages": [{"role": "user", "content": "P"}], "temperature": 0.9
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn sends_key_and_version_as_headers() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/messages", anthropic::message("A"));
    ask(&vendor, Anthropic).await.unwrap();
    let request = &vendor.requests()[0];
    assert_eq!(request.header("x-api-key"), Some(KEY));
    assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn sends_temperature_or_top_p_and_never_both() {
    let with = |temperature, top_p| GenerationRequest {
        options: GenerationOptions { temperature, top_p, ..GenerationOptions::default() },
        ..question(MODEL, "P", "I")
    };
    for (temperature, top_p, sent_temperature, sent_top_p, ignored) in [
        (Some(0.0), None, json!(0.0), Value::Null, vec![]),
        (None, Some(0.5), Value::Null, json!(0.5), vec![]),
        (Some(0.25), Some(0.5), json!(0.25), Value::Null, vec!["topP"]),
    ] {
        let (body, answer) = sent(&with(temperature, top_p)).await;
        assert_eq!((&body["temperature"], &body["top_p"]), (&sent_temperature, &sent_top_p));
        assert_eq!(answer.ignored_options, ignored);
    }
}

#[tokio::test]
async fn the_newest_models_get_no_sampling_options() {
    let request = GenerationRequest { options: all_options(), ..question("claude-opus-4-7", "P", "I") };
    let (body, answer) = sent(&request).await;
    assert_eq!((&body["temperature"], &body["top_p"]), (&Value::Null, &Value::Null));
    assert_eq!(answer.ignored_options, ["temperature", "topP", "topK"]);
    let (body, answer) = sent(&question("claude-sonnet-5", "P", "I")).await;
    assert_eq!(body["temperature"], Value::Null);
    assert!(answer.ignored_options.is_empty());
}

#[tokio::test]
async fn sends_limit_and_web_search() {
    let (body, answer) = sent(&GenerationRequest { options: all_options(), ..question(MODEL, "P", "I") }).await;
    assert_eq!(body["max_tokens"], 321);
    assert_eq!(body["tools"], json!([{"type": "web_search_20250305", "name": "web_search"}]));
    assert_eq!(answer.ignored_options, ["topP", "topK"]);
}

#[tokio::test]
async fn holds_newer_models_to_a_schema() {
    let schema = json!({
        "type": "object", "properties": {"age": {"type": "integer", "minimum": 0}, "name": {"type": "string"}},
        "required": ["name"]
    });
    let (body, answer) = sent(&GenerationRequest { schema: Some(schema), ..question(MODEL, "P", "I") }).await;
    let expected = json!({
        "type": "object", "additionalProperties": false, "required": ["name"],
        "properties": {"age": {"type": "integer", "description": "Rules: {\"minimum\":0}"}, "name": {"type": "string"}}
    });
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": expected}}));
    assert_eq!(body["system"], "P");
    assert!(answer.notes.is_empty());
}

#[tokio::test]
async fn a_schema_that_does_not_fit_goes_as_words_with_a_note() {
    let open = json!({"type": "object", "additionalProperties": {"type": "number"}});
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    for (schema, web_search, note) in [
        (open, false, "The schema was sent as words since it has an object with open keys."),
        (closed, true, "The schema was sent as words since answers with citations of the web cannot be held to one."),
    ] {
        let options = GenerationOptions { web_search, ..GenerationOptions::default() };
        let request = GenerationRequest { schema: Some(schema), options, ..question(MODEL, "P", "I") };
        let (body, answer) = sent(&request).await;
        assert_eq!(body["output_config"], Value::Null);
        assert!(body["system"].as_str().unwrap().contains("JSON Schema"));
        assert_eq!(answer.notes, [note]);
    }
}

#[tokio::test]
async fn puts_a_schema_into_words_after_the_prompt() {
    let schema = json!({"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}});
    for (input, place) in [("I", "/system"), ("", "/messages/0/content")] {
        let older = question("claude-sonnet-4-0", "P", input);
        let (body, answer) = sent(&GenerationRequest { schema: Some(schema.clone()), ..older }).await;
        assert!(answer.notes.is_empty(), "older models are never held to one");
        let said = body.pointer(place).and_then(Value::as_str).unwrap();
        assert!(said.starts_with("P\n\n"), "{said}");
        assert!(said.contains("\n  \"properties\": {\n    \"colour\": {"), "{said}");
        for rule in ["nothing else", "enum", "null"] {
            assert!(said.contains(rule), "{said}");
        }
    }
}

#[tokio::test]
async fn files_go_along_with_input_and_with_a_compiled_prompt() {
    for (input, text) in [("I", "I"), ("", "P")] {
        let (body, _) = sent(&GenerationRequest { files: files(), ..question(MODEL, "P", input) }).await;
        let expected = json!([
            {"type": "text", "text": text},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQI="}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}}
        ]);
        assert_eq!(body["messages"][0]["content"], expected);
    }
}

#[tokio::test]
async fn a_file_of_another_type_is_refused_before_anything_is_sent() {
    let vendor = FakeVendor::start().await;
    let client = client(&vendor, Anthropic);
    assert!(client.supports_files());
    let file = Attachment { file_name: "a.zip".into(), mime_type: "application/zip".into(), data: vec![1] };
    let request = GenerationRequest { files: vec![file], ..question(MODEL, "P", "I") };
    let error = client.generate(&request).await.unwrap_err();
    let text = "ProviderError: Anthropic takes images (GIF, JPEG, PNG, WebP), PDF and text; the file \"a.zip\" is of type \
                application/zip";
    assert_eq!(error.to_string(), text);
    assert!(!error.is_transient());
    assert!(vendor.requests().is_empty());
}

#[tokio::test]
async fn reads_the_text_of_all_text_blocks() {
    let [search, result] = anthropic::web_search_blocks();
    let blocks = [
        anthropic::thinking_block("hm"),
        anthropic::text_block("One, "),
        search,
        result,
        json!({"type": "text", "text": "two", "citations": [{"type": "web_search_result_location"}]}),
        json!(null),
        anthropic::text_block("."),
    ];
    let vendor = FakeVendor::start().await;
    vendor.on("POST", "/v1/messages", anthropic::blocks(&blocks, "end_turn"));
    let answer = ask(&vendor, Anthropic).await.unwrap();
    assert_eq!(answer.text, "One, two.");
    assert_eq!((answer.input_tokens, answer.output_tokens), (12, 7));
    assert_eq!(answer.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(answer.request_id.as_deref(), Some("req_anthropic_1"));
    assert!(!answer.is_truncated);
}

#[tokio::test]
async fn tells_a_cut_off_answer() {
    for (reason, is_truncated) in
        [("max_tokens", true), ("model_context_window_exceeded", true), ("pause_turn", true), ("stop_sequence", false)]
    {
        let body = anthropic::message_body(&[anthropic::text_block("Hel")], reason);
        let answer = answered(&body).await.unwrap();
        assert_eq!(answer.is_truncated, is_truncated, "{reason}");
        assert_eq!(answer.stop_reason.as_deref(), Some(reason));
    }
}

#[tokio::test]
async fn a_refusal_is_an_error() {
    let body = anthropic::message_body(&[anthropic::text_block("I would")], "refusal");
    let error = answered(&body).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: Anthropic refused to answer (stop reason: refusal)");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn an_answer_without_text_is_an_error() {
    for content in [vec![], vec![anthropic::thinking_block("hm")], vec![anthropic::text_block(" ")]] {
        let error = answered(&anthropic::message_body(&content, "max_tokens")).await.unwrap_err();
        assert_eq!(error.to_string(), "ProviderError: Anthropic gave an empty answer (stop reason: max_tokens)");
    }
}

#[tokio::test]
async fn missing_or_odd_usage_is_zero() {
    for usage in [json!(null), json!({}), json!([]), json!({"input_tokens": null, "output_tokens": "7"})] {
        let mut body = anthropic::message_body(&[anthropic::text_block("A")], "end_turn");
        body["usage"] = usage.clone();
        let answer = answered(&body).await.unwrap();
        assert_eq!((answer.input_tokens, answer.output_tokens), (0, 0), "{usage}");
    }
}

#[tokio::test]
async fn follows_the_pages_of_the_model_list() {
    let vendor = FakeVendor::start().await;
    vendor.enqueue("GET", "/v1/models", anthropic::models_page(["claude-a", "claude-b"], true));
    vendor.enqueue("GET", "/v1/models", anthropic::models_page(["claude-c"], true));
    vendor.enqueue("GET", "/v1/models", anthropic::models_page(["claude-d", "claude-a"], false));
    let models = client(&vendor, Anthropic).models().await.unwrap();
    assert_eq!(models, ["claude-a", "claude-b", "claude-c", "claude-d"]);
    let requests = vendor.requests();
    let after: Vec<_> = requests.iter().map(|request| request.query_value("after_id")).collect();
    assert_eq!(after, [None, Some("claude-b"), Some("claude-c")]);
    assert!(requests.iter().all(|request| request.query_value("limit") == Some("1000")));
}

#[tokio::test]
async fn pages_that_lead_nowhere_end_the_list() {
    let vendor = FakeVendor::start().await;
    vendor.on("GET", "/v1/models", anthropic::models_page(["claude-a"], true));
    assert_eq!(client(&vendor, Anthropic).models().await.unwrap(), ["claude-a"]);
    assert_eq!(vendor.requests().len(), 2);
    vendor.on("GET", "/v1/models", Reply::json(&json!({"data": [{"id": "claude-b"}], "has_more": true})));
    assert_eq!(client(&vendor, Anthropic).models().await.unwrap(), ["claude-b"]);
    assert_eq!(vendor.requests().len(), 3);
}

#[tokio::test]
async fn an_error_on_a_later_page_fails_the_list() {
    let vendor = FakeVendor::start().await;
    vendor.enqueue("GET", "/v1/models", anthropic::models_page(["claude-a"], true));
    vendor.enqueue("GET", "/v1/models", anthropic::error(529, "overloaded_error", "Overloaded"));
    let error = client(&vendor, Anthropic).models().await.unwrap_err();
    let text =
        "ProviderUnavailableError: the model list could not be read: Anthropic answered 529 Overloaded: Overloaded";
    assert_eq!(error.to_string(), text);
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_spending_limit_is_permanent() {
    let vendor = FakeVendor::start().await;
    let body = json!({"type": "error", "error": {
        "type": "rate_limit_error",
        "message": "Monthly limit reached.",
        "details": {"error_code": "enforced_spend_limit_reached"}
    }});
    vendor.on("POST", "/v1/messages", Reply::json(&body).with_status(429));
    assert!(!ask(&vendor, Anthropic).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn counts_cached_and_reasoning_tokens_apart() {
    let mut body = anthropic::message_body(&[anthropic::text_block("A")], "end_turn");
    body["usage"] = json!({
        "input_tokens": 10, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30,
        "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20}, "service_tier": null
    });
    let answer = answered(&body).await.unwrap();
    assert_eq!((answer.input_tokens, answer.output_tokens), (10, 50));
    let expected = TokenUsage { input: 10, output: 30, cached_read: 60, cache_write: 30, reasoning: 20 };
    assert_eq!(answer.tokens, expected);
    assert_eq!(answer.usage, Some(body["usage"].clone()));
}

#[tokio::test]
async fn retired_models_are_not_listed() {
    let vendor = FakeVendor::start().await;
    let list = json!({"data": [
        {"id": "claude-a", "lifecycle": "active"}, {"id": "claude-b", "lifecycle": "retired"},
        {"id": "claude-c", "lifecycle": "deprecated"}, {"id": "claude-d"}
    ]});
    vendor.on("GET", "/v1/models", Reply::json(&list));
    assert_eq!(client(&vendor, Anthropic).models().await.unwrap(), ["claude-a", "claude-c", "claude-d"]);
}

//! Gemini's own mapping (contract section 11.2, defects V-01, V-08, V-13, V-14, V-16).

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{ProviderName::Gemini, executions::TokenUsage};
use shared_providers::{Answer, ErrorClass, FailureKind, GenerationOptions, GenerationRequest};
use shared_testing::vendor::{FakeVendor, Reply, gemini};

use crate::support::{self, KEY, all_options, answered, ask, client, file, generate_path, question, refused};

const MODEL: &str = "gemini-2.5-flash";

async fn sent(request: &GenerationRequest) -> (Value, Answer) {
    let path = format!("/v1beta/models/{}:generateContent", request.model);
    support::sent(Gemini, &path, gemini::generated("A"), request).await
}

fn with_schema(model: &str, schema: Value) -> GenerationRequest {
    GenerationRequest { schema: Some(schema), ..question(model, "P", "I") }
}

#[tokio::test]
async fn sends_the_contracts_body_with_its_defaults() {
    let (body, _) = sent(&question(MODEL, "P", "I")).await;
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "I"}]}],
        "systemInstruction": {"parts": [{"text": "P"}]},
        "generationConfig": {"temperature": 0.7, "topP": 0.9, "topK": 40, "maxOutputTokens": 4096}
    });
    assert_eq!(body, expected, "the prompt is never lost");
}

#[tokio::test]
async fn a_compiled_prompt_is_what_the_user_says() {
    let (body, _) = sent(&question(MODEL, "P", "")).await;
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "P"}]}]));
    assert_eq!(body["systemInstruction"], Value::Null);
}

#[tokio::test]
async fn sends_the_key_as_a_header_and_not_in_the_address() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", generate_path(Gemini), gemini::generated("A"));
    ask(&vendor, Gemini).await.unwrap();
    let request = &vendor.requests()[0];
    assert_eq!(request.header("x-goog-api-key"), Some(KEY));
    assert_eq!((request.query.as_str(), request.header("authorization")), ("", None));
}

#[tokio::test]
async fn a_model_name_stays_inside_its_place_in_the_address() {
    let vendor = FakeVendor::start().await;
    let request = question("../x?key=1#y z", "P", "I");
    assert_eq!(client(&vendor, Gemini).generate(&request).await.unwrap_err().status(), Some(501));
    assert_eq!(vendor.requests()[0].path, "/v1beta/models/..%2Fx%3Fkey%3D1%23y%20z:generateContent");
    assert_eq!(vendor.requests()[0].query, "");
}

#[tokio::test]
async fn sends_all_options_and_web_search() {
    let (body, answer) = sent(&GenerationRequest { options: all_options(), ..question(MODEL, "P", "I") }).await;
    let expected = json!({"temperature": 0.25, "topP": 0.5, "topK": 7, "maxOutputTokens": 321});
    assert_eq!(body["generationConfig"], expected);
    assert_eq!(body["tools"], json!([{"google_search": {}}]));
    assert!(answer.ignored_options.is_empty());
}

#[tokio::test]
async fn newer_families_keep_their_own_sampling() {
    let (body, answer) = sent(&question("gemini-3-flash-preview", "P", "I")).await;
    assert_eq!(body["generationConfig"], json!({"maxOutputTokens": 4096}), "the vendor advises its own defaults");
    assert!(answer.ignored_options.is_empty());
    let given = GenerationRequest { options: all_options(), ..question("gemini-3-flash-preview", "P", "I") };
    let (body, _) = sent(&given).await;
    assert_eq!(body["generationConfig"]["temperature"], 0.25);
    let given = GenerationRequest { options: all_options(), ..question("gemini-3.6-flash", "P", "I") };
    let (body, answer) = sent(&given).await;
    assert_eq!(body["generationConfig"], json!({"maxOutputTokens": 321}));
    assert_eq!(answer.ignored_options, ["temperature", "topP", "topK"]);
}

#[tokio::test]
async fn holds_the_model_to_a_schema() {
    let schema = json!({
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": ["integer", "null"], "minimum": 0}}
    });
    let (body, answer) = sent(&with_schema(MODEL, schema)).await;
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    let expected = json!({
        "type": "object", "additionalProperties": false, "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "Rules: {\"maxLength\":9}"},
            "age": {"type": ["integer", "null"], "minimum": 0}
        }
    });
    assert_eq!(config["responseJsonSchema"], expected);
    assert!(answer.notes.is_empty());
}

#[tokio::test]
async fn a_schema_that_does_not_fit_goes_as_words_with_a_note() {
    let (body, answer) = sent(&with_schema(MODEL, json!({"patternProperties": {"^a": {}}}))).await;
    assert_eq!(body["generationConfig"]["responseMimeType"], Value::Null);
    let said = body["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
    assert!(said.starts_with("P\n\n") && said.contains("patternProperties"), "{said}");
    assert_eq!(answer.notes, ["The schema was sent as words since it has conditions or patterns of keys."]);
}

#[tokio::test]
async fn only_the_third_generation_searches_the_web_under_a_schema() {
    let options = GenerationOptions { web_search: true, ..GenerationOptions::default() };
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    for (model, is_native) in [(MODEL, false), ("gemini-3-flash-preview", true)] {
        let request = GenerationRequest { options: options.clone(), ..with_schema(model, schema.clone()) };
        let (body, answer) = sent(&request).await;
        assert_eq!(body["generationConfig"]["responseJsonSchema"].is_object(), is_native, "{model}");
        assert_eq!(answer.notes.is_empty(), is_native, "{model}");
        assert_eq!(body["tools"], json!([{"google_search": {}}]));
    }
}

#[tokio::test]
async fn files_go_along_with_input_and_with_a_compiled_prompt() {
    let files = vec![
        file("photo.png", "image/png", &[1, 2]),
        file("paper.pdf", "application/pdf", b"%PDF-"),
        file("notes.csv", "text/csv", b"a,b"),
        file("notes.json", "application/json", b"{}"),
        file("notes.yaml", "application/yaml", b"a: b"),
    ];
    for (input, text) in [("I", "I"), ("", "P")] {
        let (body, _) = sent(&GenerationRequest { files: files.clone(), ..question(MODEL, "P", input) }).await;
        let expected = json!([
            {"text": text},
            {"inline_data": {"mime_type": "image/png", "data": "AQI="}},
            {"inline_data": {"mime_type": "application/pdf", "data": "JVBERi0="}},
            {"inline_data": {"mime_type": "text/csv", "data": "YSxi"}},
            {"inline_data": {"mime_type": "application/json", "data": "e30="}},
            {"inline_data": {"mime_type": "text/plain", "data": "YTogYg=="}}
        ]);
        assert_eq!(body["contents"][0]["parts"], expected);
    }
}

#[tokio::test]
async fn other_files_are_refused_by_name() {
    for (name, mime) in [("a.zip", "application/zip"), ("a.gif", "image/gif")] {
        let error = refused(Gemini, file(name, mime, b"x")).await;
        let kinds = "images (HEIC, HEIF, JPEG, PNG, WebP), PDF and text";
        let text = format!("ProviderError: Gemini takes {kinds}; the file \"{name}\" is of type {mime}");
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn reads_the_text_of_all_parts_but_thoughts() {
    let parts = [
        gemini::thought_part("hm"),
        gemini::text_part("One, "),
        json!({"executableCode": {"language": "PYTHON", "code": "1"}}),
        json!(null),
        gemini::text_part("two."),
    ];
    let answer = answered(Gemini, &gemini::generated_body(&parts, "STOP")).await.unwrap();
    assert_eq!(answer.text, "One, two.");
    assert_eq!((answer.input_tokens, answer.output_tokens), (12, 7));
    assert_eq!(answer.stop_reason.as_deref(), Some("STOP"));
    assert_eq!(answer.request_id.as_deref(), Some("gemini_response_1"));
    assert!(!answer.is_truncated);
}

#[tokio::test]
async fn counts_cached_and_reasoning_tokens_apart() {
    let mut body = gemini::generated_body(&[gemini::text_part("A")], "STOP");
    body["usageMetadata"] = json!({
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 155, "trafficType": null
    });
    let answer = answered(Gemini, &body).await.unwrap();
    assert_eq!((answer.input_tokens, answer.output_tokens), (100, 50));
    let expected = TokenUsage { input: 45, output: 20, cached_read: 60, cache_write: 0, reasoning: 30 };
    assert_eq!(answer.tokens, expected);
    assert_eq!(answer.usage, Some(body["usageMetadata"].clone()));
}

#[tokio::test]
async fn missing_or_odd_usage_is_zero() {
    for usage in [json!(null), json!({}), json!("much"), json!({"promptTokenCount": "12", "thoughtsTokenCount": -7})] {
        let mut body = gemini::generated_body(&[gemini::text_part("A")], "STOP");
        body["usageMetadata"] = usage.clone();
        let answer = answered(Gemini, &body).await.unwrap();
        assert_eq!((answer.input_tokens, answer.output_tokens), (0, 0), "{usage}");
    }
}

#[tokio::test]
async fn tells_a_cut_off_answer() {
    for (reason, is_truncated) in [("STOP", false), ("MAX_TOKENS", true), ("OTHER", true)] {
        let body = gemini::generated_body(&[gemini::text_part("Hel")], reason);
        let answer = answered(Gemini, &body).await.unwrap();
        assert_eq!((answer.is_truncated, answer.stop_reason.as_deref()), (is_truncated, Some(reason)));
    }
}

#[tokio::test]
async fn a_blocked_question_or_answer_is_the_content_filters() {
    let error = answered(Gemini, &gemini::blocked_body("SAFETY")).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: Gemini blocked the prompt (SAFETY)");
    assert_eq!(error.kind(), FailureKind::ContentFilter);
    for reason in ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII"] {
        let body = gemini::generated_body(&[gemini::text_part("Hel")], reason);
        let error = answered(Gemini, &body).await.unwrap_err();
        let text = format!("ProviderError: Gemini stopped the answer by its content filter (finish reason: {reason})");
        assert_eq!(error.to_string(), text);
        assert_eq!(error.kind(), FailureKind::ContentFilter);
    }
}

#[tokio::test]
async fn an_answer_without_text_is_an_error_that_says_why() {
    let none = answered(Gemini, &json!({"candidates": []})).await.unwrap_err();
    assert_eq!(none.to_string(), "ProviderError: Gemini gave no candidates");
    let mut body = gemini::generated_body(&[gemini::thought_part("hm")], "MAX_TOKENS");
    let thought = answered(Gemini, &body).await.unwrap_err();
    assert_eq!(thought.to_string(), "ProviderError: Gemini gave an empty answer (finish reason: MAX_TOKENS)");
    body["candidates"][0] = json!({"finishReason": "MALFORMED_RESPONSE", "finishMessage": "Malformed output"});
    let malformed = answered(Gemini, &body).await.unwrap_err();
    let text = "ProviderError: Gemini gave an empty answer (finish reason: MALFORMED_RESPONSE; Malformed output)";
    assert_eq!((malformed.to_string().as_str(), malformed.kind()), (text, FailureKind::Other));
}

#[tokio::test]
async fn follows_the_pages_of_the_model_list_and_keeps_what_answers_text() {
    let vendor = FakeVendor::start().await;
    let first = json!({"nextPageToken": "two", "models": [
        gemini::model("gemini-2.5-pro", &["generateContent"]),
        gemini::model("gemini-embedding-001", &["embedContent"]),
        gemini::model("gemini-2.5-flash-image", &["generateContent"]),
        gemini::model("gemma-3-27b-it", &["generateContent"])
    ]});
    vendor.enqueue("GET", "/v1beta/models", Reply::json(&first));
    vendor.enqueue("GET", "/v1beta/models", gemini::models_page(["gemini-2.5-flash", "gemini-2.5-pro"], None));
    assert_eq!(client(&vendor, Gemini).models().await.unwrap(), ["gemini-2.5-pro", "gemini-2.5-flash"]);
    let requests = vendor.requests();
    let tokens: Vec<_> = requests.iter().map(|request| request.query_value("pageToken")).collect();
    assert_eq!(tokens, [None, Some("two")]);
    assert!(requests.iter().all(|request| request.query_value("pageSize") == Some("1000")));
}

#[tokio::test]
async fn pages_that_lead_nowhere_end_the_list() {
    let vendor = FakeVendor::start().await;
    vendor.on("GET", "/v1beta/models", gemini::models_page(["gemini-a"], Some("same")));
    assert_eq!(client(&vendor, Gemini).models().await.unwrap(), ["gemini-a"]);
    assert_eq!(vendor.requests().len(), 2);
}

#[tokio::test]
async fn a_rate_limit_says_in_its_body_how_long_to_wait() {
    let quota = |id: &str| {
        json!({"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
        ]}})
    };
    for (id, kind) in [("RequestsPerMinute", FailureKind::Transient), ("RequestsPerDay-FreeTier", FailureKind::Quota)] {
        let vendor = FakeVendor::start().await;
        vendor.on("POST", generate_path(Gemini), Reply::json(&quota(id)).with_status(429));
        let error = ask(&vendor, Gemini).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (kind, Some(Duration::from_secs(34))));
    }
}

#[tokio::test]
async fn an_unknown_model_is_not_supported() {
    let vendor = FakeVendor::start().await;
    let message = "models/gemini-0 is not found for API version v1beta";
    vendor.on("POST", generate_path(Gemini), gemini::error(404, "NOT_FOUND", message));
    let error = ask(&vendor, Gemini).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ModelNotSupported);
    assert_eq!(error.message(), format!("Gemini has no model \"{MODEL}\": {message}"));
}

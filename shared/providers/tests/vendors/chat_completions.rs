//! DeepSeek's and DeepInfra's mapping (contract section 11.2, defects V-07, V-12, V-14, V-16).

use serde_json::{Value, json};
use shared_core::{
    ProviderName::{self, DeepInfra, DeepSeek},
    executions::TokenUsage,
};
use shared_providers::{Answer, ErrorClass, FailureKind, GenerationRequest};
use shared_testing::vendor::{FakeVendor, Reply, chat_completions};

use crate::support::{
    self, KEY, all_options, answered, ask, client, file, generate_path, model_of, models_path, question, refused,
};

const BOTH: [ProviderName; 2] = [DeepSeek, DeepInfra];

async fn sent(name: ProviderName, request: &GenerationRequest) -> (Value, Answer) {
    support::sent(name, generate_path(name), chat_completions::completion("A"), request).await
}

#[tokio::test]
async fn sends_the_contracts_body_with_its_defaults() {
    for name in BOTH {
        let (body, _) = sent(name, &question(model_of(name), "P", "I")).await;
        let expected = json!({
            "model": model_of(name),
            "messages": [{"role": "system", "content": "P"}, {"role": "user", "content": "I"}],
            "max_tokens": 4096,
            "temperature": 0.7,
            "top_p": 0.9
        });
        assert_eq!(body, expected, "{name}");
    }
}

#[tokio::test]
async fn a_compiled_prompt_is_the_users_message() {
    for name in BOTH {
        let (body, _) = sent(name, &question(model_of(name), "P", "")).await;
        assert_eq!(body["messages"], json!([{"role": "user", "content": "P"}]), "{name}");
    }
}

#[tokio::test]
async fn sends_the_key_as_bearer() {
    for name in BOTH {
        let vendor = FakeVendor::start().await;
        vendor.on("POST", generate_path(name), chat_completions::completion("A"));
        ask(&vendor, name).await.unwrap();
        assert_eq!(vendor.requests()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    }
}

#[tokio::test]
async fn sends_the_options_that_the_model_takes() {
    for name in BOTH {
        let request = GenerationRequest { options: all_options(), ..question(model_of(name), "P", "I") };
        let (body, answer) = sent(name, &request).await;
        assert_eq!((&body["temperature"], &body["top_p"]), (&json!(0.25), &json!(0.5)));
        assert_eq!(body["max_tokens"], 321);
        assert_eq!((body.get("top_k"), body.get("tools")), (None, None));
        assert_eq!(answer.ignored_options, ["topK", "webSearch"]);
    }
}

#[tokio::test]
async fn deepseek_models_that_think_get_no_temperature() {
    for (model, top_p, ignored) in [
        ("deepseek-reasoner", Value::Null, vec!["temperature", "topP", "topK", "webSearch"]),
        ("deepseek-flash", json!(0.5), vec!["temperature", "topK", "webSearch"]),
    ] {
        let request = GenerationRequest { options: all_options(), ..question(model, "P", "I") };
        let (body, answer) = sent(DeepSeek, &request).await;
        assert_eq!((&body["temperature"], &body["top_p"]), (&Value::Null, &top_p), "{model}");
        assert_eq!(answer.ignored_options, ignored, "{model}");
        let (body, _) = sent(DeepSeek, &question(model, "P", "I")).await;
        assert_eq!((body.get("temperature"), body.get("top_p")), (None, None), "{model}");
    }
}

#[tokio::test]
async fn a_schema_goes_as_words_with_json_mode() {
    let schema = json!({"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}});
    for name in BOTH {
        for (input, place) in [("I", "/messages/0/content"), ("", "/messages/0/content")] {
            let request = GenerationRequest { schema: Some(schema.clone()), ..question(model_of(name), "P", input) };
            let (body, answer) = sent(name, &request).await;
            assert_eq!(body["response_format"], json!({"type": "json_object"}));
            let said = body.pointer(place).and_then(Value::as_str).unwrap();
            assert!(said.starts_with("P\n\n") && said.contains("\n  \"properties\": {"), "{said}");
            assert!(answer.notes.is_empty(), "these vendors hold no model to a schema");
        }
    }
}

#[tokio::test]
async fn json_mode_is_left_off_for_what_is_no_object() {
    for name in BOTH {
        let schema = json!({"$ref": "#/$defs/list", "$defs": {"list": {"type": "array", "items": {"type": "string"}}}});
        let request = GenerationRequest { schema: Some(schema), ..question(model_of(name), "P", "I") };
        let (body, answer) = sent(name, &request).await;
        assert_eq!(body.get("response_format"), None);
        let note = "The vendor's JSON mode was left off since the schema describes no object.";
        assert_eq!(answer.notes, [note]);
    }
}

#[tokio::test]
async fn files_are_refused() {
    for (name, text) in
        [(DeepSeek, "ProviderError: DeepSeek takes no files"), (DeepInfra, "ProviderError: DeepInfra takes no files")]
    {
        let error = refused(name, file("a.png", "image/png", &[1])).await;
        assert_eq!((error.to_string().as_str(), error.kind()), (text, FailureKind::Invalid));
        assert!(!client(&FakeVendor::start().await, name).supports_files());
    }
}

#[tokio::test]
async fn reads_text_reason_and_name_of_the_call() {
    let mut body = chat_completions::completion_body("A", "stop");
    body["choices"][0]["message"]["reasoning_content"] = "hm".into();
    for name in BOTH {
        let answer = answered(name, &body).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.stop_reason.as_deref()), ("A", Some("stop")));
        assert_eq!((answer.input_tokens, answer.output_tokens), (12, 7));
        assert_eq!(answer.request_id.as_deref(), Some("completion_1"));
        assert!(!answer.is_truncated);
        let vendor = FakeVendor::start().await;
        let reply = Reply::json(&body).with_header("x-ds-trace-id", "trace_1");
        vendor.on("POST", generate_path(name), reply);
        assert_eq!(ask(&vendor, name).await.unwrap().request_id.as_deref(), Some("trace_1"));
    }
}

#[tokio::test]
async fn text_in_parts_is_put_together() {
    let mut body = chat_completions::completion_body("", "stop");
    body["choices"][0]["message"]["content"] = json!([{"type": "text", "text": "One, "}, {"type": "thinking", "text": "hm"}, null, {"type": "text", "text": "two."}]);
    assert_eq!(answered(DeepInfra, &body).await.unwrap().text, "One, two.");
}

#[tokio::test]
async fn counts_cached_and_reasoning_tokens_apart() {
    let deepseek = json!({
        "prompt_tokens": 100, "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40, "completion_tokens": 50,
        "completion_tokens_details": {"reasoning_tokens": 30}, "total_tokens": 150
    });
    let deepinfra = json!({
        "prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        "completion_tokens": 50, "completion_tokens_details": null, "total_tokens": 150, "estimated_cost": 0.000_01
    });
    for (name, usage, tokens) in [
        (DeepSeek, deepseek, TokenUsage { input: 40, output: 20, cached_read: 60, cache_write: 0, reasoning: 30 }),
        (DeepInfra, deepinfra, TokenUsage { input: 30, output: 50, cached_read: 60, cache_write: 10, reasoning: 0 }),
    ] {
        let mut body = chat_completions::completion_body("A", "stop");
        body["usage"] = usage.clone();
        let answer = answered(name, &body).await.unwrap();
        assert_eq!((answer.input_tokens, answer.output_tokens), (100, 50));
        assert_eq!((answer.tokens, answer.usage), (tokens, Some(usage)));
    }
}

#[tokio::test]
async fn missing_or_odd_usage_is_zero() {
    for usage in [json!(null), json!({}), json!("much"), json!({"prompt_tokens": "12", "completion_tokens": -7})] {
        let mut body = chat_completions::completion_body("A", "stop");
        body["usage"] = usage.clone();
        let answer = answered(DeepSeek, &body).await.unwrap();
        assert_eq!((answer.input_tokens, answer.output_tokens), (0, 0), "{usage}");
    }
}

#[tokio::test]
async fn tells_a_cut_off_answer() {
    let answer = answered(DeepInfra, &chat_completions::completion_body("Hel", "length")).await.unwrap();
    assert_eq!((answer.is_truncated, answer.stop_reason.as_deref()), (true, Some("length")));
}

#[tokio::test]
async fn an_answer_without_text_is_an_error_that_says_why() {
    let text = async |body: Value| answered(DeepSeek, &body).await.unwrap_err().to_string();
    let empty = text(chat_completions::completion_body(" ", "length")).await;
    assert_eq!(empty, "ProviderError: DeepSeek gave an empty answer (finish reason: length)");
    assert_eq!(text(json!({"choices": []})).await, "ProviderError: DeepSeek gave no choices");
    let inside = json!({"error": {"message": "Model busy"}});
    assert_eq!(text(inside).await, "ProviderError: DeepSeek reported an error: Model busy");
}

#[tokio::test]
async fn filters_and_refusals_are_permanent_and_a_machine_that_gave_out_is_not() {
    let kind = async |body: Value| answered(DeepSeek, &body).await.unwrap_err().kind();
    assert_eq!(kind(chat_completions::completion_body("Hel", "content_filter")).await, FailureKind::ContentFilter);
    let mut refusal = chat_completions::completion_body("", "stop");
    refusal["choices"][0]["message"]["refusal"] = "No.".into();
    assert_eq!(kind(refusal).await, FailureKind::ContentFilter);
    let gave_out = chat_completions::completion_body("Hel", "insufficient_system_resource");
    assert_eq!(kind(gave_out).await, FailureKind::Transient);
}

#[tokio::test]
async fn lists_the_models_that_answer_text() {
    let vendor = FakeVendor::start().await;
    let ids = ["deepseek-chat", "deepseek-reasoner", "some-embedding", "deepseek-chat"];
    vendor.on("GET", models_path(DeepSeek), chat_completions::deepseek_models(ids));
    assert_eq!(client(&vendor, DeepSeek).models().await.unwrap(), ["deepseek-chat", "deepseek-reasoner"]);
    let list =
        chat_completions::deepinfra_models(["Qwen/Qwen3", "zai-org/GLM-5"], ["BAAI/bge-m3", "black-forest/flux"]);
    vendor.on("GET", models_path(DeepInfra), list);
    assert_eq!(client(&vendor, DeepInfra).models().await.unwrap(), ["Qwen/Qwen3", "zai-org/GLM-5"]);
    vendor.on("GET", models_path(DeepInfra), chat_completions::deepseek_models(["a", "b"]));
    assert_eq!(client(&vendor, DeepInfra).models().await.unwrap(), ["a", "b"], "a gateway tells no prices");
}

#[tokio::test]
async fn deepinfra_checks_the_key_at_the_account_and_asks_no_model() {
    let vendor = FakeVendor::start().await;
    vendor.on("GET", models_path(DeepInfra), chat_completions::deepinfra_models(["a"], []));
    for (status, is_good) in [(200, true), (401, false), (403, false), (404, true), (500, true)] {
        vendor.on("GET", "/v1/me", Reply::status(status));
        assert_eq!(client(&vendor, DeepInfra).check().await.is_ok(), is_good, "{status}");
    }
    assert!(vendor.requests().iter().all(|request| request.method == "GET"), "nothing that costs");
}

#[tokio::test]
async fn an_unknown_model_is_not_supported() {
    for (name, status, code, message) in [
        (DeepSeek, 400, "invalid_request_error", "Model Not Exist"),
        (DeepInfra, 404, "model_not_found", "The model `x` does not exist"),
    ] {
        let vendor = FakeVendor::start().await;
        vendor.on("POST", generate_path(name), chat_completions::error(status, code, message));
        let error = ask(&vendor, name).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::ModelNotSupported, "{error}");
    }
}

#[tokio::test]
async fn an_empty_purse_is_permanent() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", generate_path(DeepSeek), chat_completions::error(402, "", "Insufficient Balance"));
    let error = ask(&vendor, DeepSeek).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: DeepSeek answered 402 Payment Required: Insufficient Balance");
    assert_eq!(error.kind(), FailureKind::Quota);
}

//! What our clients make of the answers that the SDKs describe.

use std::collections::BTreeMap;

use serde_json::Value;
use shared_core::{ProviderName, executions::TokenUsage};
use shared_providers::{
    Answer,
    FailureKind::{self, Auth, ContentFilter, Invalid, Other, Quota, Transient, UnknownModel},
    GenerationOptions, GenerationRequest, ProviderError,
};
use shared_testing::vendor::{FakeVendor, Reply};

use crate::{client, generate_path, sdks};

/// What an answer means.
enum Meaning {
    /// This text, which ended for this reason.
    Text(&'static str, &'static str),
    /// This text, cut off for this reason.
    Cut(&'static str, &'static str),
    /// A failure of this kind whose text contains this.
    Failure(FailureKind, &'static str),
}

use Meaning::{Cut, Failure, Text};

fn model(name: ProviderName) -> &'static str {
    match name {
        ProviderName::Ollama => "llama3.2",
        ProviderName::OpenAi => "gpt-5.2",
        ProviderName::Anthropic => "claude-sonnet-4-5",
        ProviderName::Gemini => "gemini-3-flash",
        ProviderName::DeepSeek => "deepseek-chat",
        ProviderName::DeepInfra => "Qwen/Qwen3",
    }
}

/// What each answer of a vendor means.
fn meanings(name: ProviderName) -> Vec<(&'static str, Meaning)> {
    const SUNNY: &str = "It is sunny.";
    const WRONG: &str = "It went wrong.";
    match name {
        ProviderName::OpenAi => vec![
            ("multi_item", Text(SUNNY, "completed")),
            ("refusal", Failure(ContentFilter, "refused to answer: I can't help with that.")),
            ("truncated", Cut("It is s", "max_output_tokens")),
            ("only_reasoning", Failure(Other, "gave an empty answer (it stopped at max_output_tokens)")),
            ("filtered", Failure(ContentFilter, "stopped the answer by its content filter")),
            ("tool_call", Failure(Other, "gave an empty answer")),
            ("empty", Failure(Other, "gave an empty answer")),
            ("failed_server_error", Failure(Transient, WRONG)),
            ("failed_rate_limit_exceeded", Failure(Transient, WRONG)),
            ("failed_invalid_prompt", Failure(ContentFilter, WRONG)),
            ("failed_image_too_large", Failure(Other, WRONG)),
            ("error_400", Failure(Invalid, "400 Bad Request: It went wrong.")),
            ("error_400_context_length_exceeded", Failure(Invalid, WRONG)),
            ("error_400_content_policy_violation", Failure(ContentFilter, WRONG)),
            ("error_401_invalid_api_key", Failure(Auth, "401 Unauthorized")),
            ("error_403_unsupported_country_region_territory", Failure(Auth, "403 Forbidden")),
            ("error_404_model_not_found", Failure(UnknownModel, "ModelNotSupportedError: OpenAI has no model")),
            ("error_429_rate_limit_exceeded", Failure(Transient, "429 Too Many Requests")),
            ("error_429_insufficient_quota", Failure(Quota, "429 Too Many Requests")),
            ("error_500", Failure(Transient, "500 Internal Server Error")),
            ("error_503_slow_down", Failure(Transient, "503 Service Unavailable")),
        ],
        ProviderName::Anthropic => vec![
            ("multi_block", Text(SUNNY, "end_turn")),
            ("failed_search", Text("I do not know.", "end_turn")),
            ("refusal", Failure(ContentFilter, "refused to answer")),
            ("truncated", Cut("It is s", "max_tokens")),
            ("window_exceeded", Cut("It is s", "model_context_window_exceeded")),
            ("paused", Cut("I am", "pause_turn")),
            ("tool_use", Failure(Other, "gave an empty answer (stop reason: tool_use)")),
            ("only_thinking", Failure(Other, "gave an empty answer (stop reason: max_tokens)")),
            ("error_400", Failure(Invalid, WRONG)),
            ("error_401", Failure(Auth, WRONG)),
            ("error_402", Failure(Quota, WRONG)),
            ("error_403", Failure(Auth, WRONG)),
            ("error_404", Failure(Invalid, WRONG)),
            ("error_429", Failure(Transient, WRONG)),
            ("error_500", Failure(Transient, WRONG)),
            ("error_504", Failure(Transient, WRONG)),
            ("error_529", Failure(Transient, "529 Overloaded: It went wrong.")),
        ],
        ProviderName::Gemini => vec![
            ("multi_part", Text(SUNNY, "STOP")),
            ("truncated", Cut("It is s", "MAX_TOKENS")),
            ("only_thoughts", Failure(Other, "gave an empty answer (finish reason: MAX_TOKENS)")),
            ("blocked_prompt", Failure(ContentFilter, "blocked the prompt (PROHIBITED_CONTENT)")),
            ("empty_candidates", Failure(Other, "gave no candidates")),
            ("safety", Failure(ContentFilter, "content filter (finish reason: SAFETY)")),
            ("recitation", Failure(ContentFilter, "content filter (finish reason: RECITATION)")),
            ("function_call", Failure(Other, "gave an empty answer (finish reason: STOP)")),
            ("malformed", Failure(Other, "MALFORMED_RESPONSE; Malformed output.")),
            ("error_400", Failure(Invalid, WRONG)),
            ("error_400_key", Failure(Auth, WRONG)),
            ("error_403", Failure(Auth, WRONG)),
            ("error_404", Failure(UnknownModel, "ModelNotSupportedError: Gemini has no model")),
            ("error_429_minute", Failure(Transient, WRONG)),
            ("error_429_day", Failure(Quota, WRONG)),
            ("error_500", Failure(Transient, WRONG)),
            ("error_503", Failure(Transient, WRONG)),
            ("error_504", Failure(Transient, WRONG)),
        ],
        ProviderName::DeepSeek => {
            let mut meanings = chat_meanings();
            meanings.extend([
                ("gave_out", Failure(Transient, "interrupted the answer for lack of resources")),
                ("error_400_model_not_exist", Failure(UnknownModel, "ModelNotSupportedError: DeepSeek has no model")),
                ("error_400_content_exists_risk", Failure(ContentFilter, "Content Exists Risk")),
                ("error_401_authentication_fails", Failure(Auth, "Authentication Fails")),
                ("error_402_insufficient_balance", Failure(Quota, "Insufficient Balance")),
                ("error_422_invalid_parameters", Failure(Invalid, "Invalid Parameters")),
                ("error_429_rate_limit_reached", Failure(Transient, "Rate Limit Reached")),
                ("error_500_server_error", Failure(Transient, "Server Error")),
                ("error_503_server_overloaded", Failure(Transient, "Server Overloaded")),
            ]);
            meanings
        }
        ProviderName::DeepInfra => {
            let mut meanings = chat_meanings();
            meanings.extend([
                ("error_401", Failure(Auth, "401 Unauthorized: Invalid token")),
                ("error_402", Failure(Quota, "Balance exhausted.")),
                ("error_404", Failure(UnknownModel, "ModelNotSupportedError: DeepInfra has no model")),
                ("error_422", Failure(Invalid, "field required")),
                ("error_429", Failure(Transient, "Model busy, retry later")),
                ("error_500", Failure(Transient, "inference failed")),
            ]);
            meanings
        }
        ProviderName::Ollama => vec![
            ("plain", Text(SUNNY, "stop")),
            ("thinking", Text(SUNNY, "stop")),
            ("truncated", Cut("It is s", "length")),
            ("only_loaded", Failure(Other, "gave an empty answer (done reason: load)")),
            ("prompt_from_cache", Text(SUNNY, "stop")),
            ("error_inside", Failure(Other, "model runner has unexpectedly stopped")),
            ("error_400", Failure(Invalid, "invalid format")),
            ("error_404", Failure(UnknownModel, "ModelNotSupportedError: Ollama has no model")),
            ("error_500", Failure(Transient, "llama runner process has terminated")),
            ("error_503", Failure(Transient, "server busy")),
        ],
    }
}

/// What the answers mean that DeepSeek and DeepInfra share.
fn chat_meanings() -> Vec<(&'static str, Meaning)> {
    vec![
        ("plain", Text("It is sunny.", "stop")),
        ("reasoning", Text("It is sunny.", "stop")),
        ("truncated", Cut("It is s", "length")),
        ("filtered", Failure(ContentFilter, "stopped the answer by its content filter")),
        ("refusal", Failure(ContentFilter, "refused to answer: I can't help with that.")),
        ("tool_call", Failure(Other, "gave an empty answer (finish reason: tool_calls)")),
        ("no_choices", Failure(Other, "gave no choices")),
    ]
}

/// The tokens of every answer of a vendor, and what the contract counts of them.
fn tokens(name: ProviderName) -> (TokenUsage, u64, u64) {
    let usage = |input, output, cached_read, cache_write, reasoning| TokenUsage {
        input,
        output,
        cached_read,
        cache_write,
        reasoning,
    };
    match name {
        ProviderName::OpenAi => (usage(64, 26, 256, 8, 64), 328, 90),
        ProviderName::Anthropic => (usage(30, 40, 2000, 500, 80), 30, 120),
        ProviderName::Gemini => (usage(140, 25, 200, 0, 75), 300, 100),
        ProviderName::DeepSeek => (usage(44, 26, 256, 0, 64), 300, 90),
        ProviderName::DeepInfra => (usage(44, 90, 256, 0, 0), 300, 90),
        ProviderName::Ollama => (usage(26, 290, 0, 0, 0), 26, 290),
    }
}

fn check(case: &str, name: ProviderName, meaning: &Meaning, met: Result<Answer, ProviderError>) {
    match (meaning, met) {
        (Text(text, reason) | Cut(text, reason), Ok(answer)) => {
            assert_eq!((answer.text.as_str(), answer.stop_reason.as_deref()), (*text, Some(*reason)), "{case}");
            assert_eq!(answer.is_truncated, matches!(meaning, Cut(..)), "{case}");
            assert!(answer.usage.is_some(), "{case}");
            let (mut tokens, mut input, output) = tokens(name);
            if case.ends_with("prompt_from_cache") {
                (tokens.input, input) = (0, 0);
            }
            assert_eq!((answer.tokens, answer.input_tokens, answer.output_tokens), (tokens, input, output), "{case}");
        }
        (Failure(kind, text), Err(error)) => {
            assert!(error.to_string().contains(text), "{case}: {error}");
            assert_eq!(error.kind(), *kind, "{case}: {error}");
        }
        (_, met) => panic!("{case}: {met:?}"),
    }
}

#[tokio::test]
async fn every_answer_is_read_as_the_sdk_means_it() {
    let mut answers: BTreeMap<(String, String), Value> = BTreeMap::new();
    for answer in sdks::run("answers", &[]) {
        let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
        assert!(answers.insert((text("vendor"), text("name")), answer.clone()).is_none(), "{answer}");
    }
    for name in ProviderName::ALL {
        let vendor = FakeVendor::start().await;
        let client = client(&vendor.url(), name);
        for (answer_name, meaning) in meanings(name) {
            let case = format!("{name} {answer_name}");
            let answer = answers.remove(&(name.as_str().to_owned(), answer_name.to_owned()));
            let answer = answer.unwrap_or_else(|| panic!("{case}: the SDKs make no such answer"));
            let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
            let mut reply = Reply::json(&answer["body"]).with_status(status);
            for (header, value) in answer["headers"].as_object().expect("headers") {
                reply = reply.with_header(header, value.as_str().expect("a text"));
            }
            vendor.on("POST", &generate_path(name, model(name)), reply);
            let request = GenerationRequest {
                model: model(name).to_owned(),
                prompt: "P".to_owned(),
                user_input: "I".to_owned(),
                options: GenerationOptions::default(),
                schema: None,
                files: Vec::new(),
            };
            check(&case, name, &meaning, client.generate(&request).await);
        }
    }
    assert!(answers.is_empty(), "no meaning is known of {:?}", answers.keys());
}

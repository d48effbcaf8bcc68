//! What the tests share.

use std::time::Duration;

use serde_json::Value;
use shared_core::ProviderName;
use shared_providers::{
    Answer, Attachment, ChatProvider, Endpoints, GenerationOptions, GenerationRequest, ProviderError, Providers,
};
use shared_testing::vendor::{FakeVendor, Reply};

/// The key of every test; no error may contain it.
pub(crate) const KEY: &str = "sk-test-0123456789abcdef";

/// Every vendor, each with a model of its own.
pub(crate) const VENDORS: [(ProviderName, &str); 6] = [
    (ProviderName::Ollama, "llama3.2"),
    (ProviderName::OpenAi, "gpt-4.1"),
    (ProviderName::Anthropic, "claude-sonnet-4-5"),
    (ProviderName::Gemini, "gemini-2.5-flash"),
    (ProviderName::DeepSeek, "deepseek-chat"),
    (ProviderName::DeepInfra, "Qwen/Qwen3-235B"),
];

/// Where a vendor generates with its model of [`VENDORS`].
pub(crate) fn generate_path(name: ProviderName) -> &'static str {
    match name {
        ProviderName::Ollama => "/api/generate",
        ProviderName::OpenAi => "/v1/responses",
        ProviderName::Anthropic => "/v1/messages",
        ProviderName::Gemini => "/v1beta/models/gemini-2.5-flash:generateContent",
        ProviderName::DeepSeek => "/v1/chat/completions",
        ProviderName::DeepInfra => "/v1/openai/chat/completions",
    }
}

/// Where a vendor lists its models.
pub(crate) fn models_path(name: ProviderName) -> &'static str {
    match name {
        ProviderName::Ollama => "/api/tags",
        ProviderName::OpenAi | ProviderName::Anthropic | ProviderName::DeepSeek => "/v1/models",
        ProviderName::Gemini => "/v1beta/models",
        ProviderName::DeepInfra => "/v1/openai/models",
    }
}

/// A file of this name and type.
pub(crate) fn file(name: &str, mime_type: &str, data: &[u8]) -> Attachment {
    Attachment { file_name: name.to_owned(), mime_type: mime_type.to_owned(), data: data.to_vec() }
}

/// What a request sent to its vendor, and what came back.
pub(crate) async fn sent(name: ProviderName, path: &str, good: Reply, request: &GenerationRequest) -> (Value, Answer) {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", path, good);
    let answer = client(&vendor, name).generate(request).await.expect("an answer");
    (vendor.requests_to("POST", path)[0].json(), answer)
}

/// What comes of an answer with this body.
pub(crate) async fn answered(name: ProviderName, body: &Value) -> Result<Answer, ProviderError> {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", generate_path(name), Reply::json(body));
    ask(&vendor, name).await
}

/// What comes of a request with this file, which must fail before anything is sent.
pub(crate) async fn refused(name: ProviderName, file: Attachment) -> ProviderError {
    let vendor = FakeVendor::start().await;
    let model = model_of(name);
    let request = GenerationRequest { files: vec![file], ..question(model, "P", "I") };
    let error = client(&vendor, name).generate(&request).await.expect_err("a refusal");
    assert!(vendor.requests().is_empty());
    error
}

/// A vendor's model of [`VENDORS`].
pub(crate) fn model_of(name: ProviderName) -> &'static str {
    VENDORS.iter().find(|(vendor, _)| *vendor == name).expect("every vendor").1
}

/// Every vendor at this base URL.
pub(crate) fn endpoints(url: &str) -> Endpoints {
    Endpoints::from_lookup(|_| Some(url.to_owned())).expect("a URL")
}

/// A vendor's client that gives up after `timeout`.
pub(crate) fn client_within(url: &str, name: ProviderName, timeout: Duration) -> Box<dyn ChatProvider> {
    Providers::new(endpoints(url), timeout).connect(name, &KEY.into()).expect("a vendor of this build")
}

/// A vendor's client with time enough.
pub(crate) fn client(vendor: &FakeVendor, name: ProviderName) -> Box<dyn ChatProvider> {
    client_within(&vendor.url(), name, Duration::from_secs(30))
}

/// A question without options, schema and files.
pub(crate) fn question(model: &str, prompt: &str, user_input: &str) -> GenerationRequest {
    GenerationRequest {
        model: model.to_owned(),
        prompt: prompt.to_owned(),
        user_input: user_input.to_owned(),
        options: GenerationOptions::default(),
        schema: None,
        files: Vec::new(),
    }
}

/// Options with everything given.
pub(crate) fn all_options() -> GenerationOptions {
    GenerationOptions {
        temperature: Some(0.25),
        max_tokens: Some(321),
        top_p: Some(0.5),
        top_k: Some(7),
        web_search: true,
    }
}

/// Asks a vendor's usual model a usual question.
pub(crate) async fn ask(vendor: &FakeVendor, name: ProviderName) -> Result<Answer, ProviderError> {
    client(vendor, name).generate(&question(model_of(name), "P", "I")).await
}

//! What the tests share.

use std::time::Duration;

use shared_core::ProviderName;
use shared_providers::{
    Answer, ChatProvider, Endpoints, GenerationOptions, GenerationRequest, ProviderError, Providers,
};
use shared_testing::vendor::FakeVendor;

/// The key of every test; no error may contain it.
pub(crate) const KEY: &str = "sk-test-0123456789abcdef";

/// The vendors that this build speaks to, each with a model of its own.
pub(crate) const BUILT: [(ProviderName, &str); 3] = [
    (ProviderName::Ollama, "llama3.2"),
    (ProviderName::OpenAi, "gpt-4.1"),
    (ProviderName::Anthropic, "claude-sonnet-4-5"),
];

/// Where a vendor generates.
pub(crate) fn generate_path(name: ProviderName) -> &'static str {
    match name {
        ProviderName::Ollama => "/api/generate",
        ProviderName::OpenAi => "/v1/responses",
        _ => "/v1/messages",
    }
}

/// Where a vendor lists its models.
pub(crate) fn models_path(name: ProviderName) -> &'static str {
    if name == ProviderName::Ollama { "/api/tags" } else { "/v1/models" }
}

/// Every vendor at this base URL.
pub(crate) fn endpoints(url: &str) -> Endpoints {
    Endpoints::from_lookup(|_| Some(url.to_owned())).expect("a URL")
}

/// A vendor's client that gives up after `timeout`.
pub(crate) fn client_within(url: &str, name: ProviderName, timeout: Duration) -> Box<dyn ChatProvider> {
    Providers::new(endpoints(url), timeout).connect(name, KEY).expect("a vendor of this build")
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
    let model = BUILT.iter().find(|(built, _)| *built == name).expect("a vendor of this build").1;
    client(vendor, name).generate(&question(model, "P", "I")).await
}

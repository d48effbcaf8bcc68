//! The vendors' official SDKs as judges: every request that our clients send must be one that the vendor's own SDK would
//! send, and every answer that the SDK can describe must be read as it is meant.
//!
//! `sdks/` holds the Python program, which `requirements.txt` pins to exact versions. The first run installs them into
//! `.dev/venv-judge`; later ones need no network and take seconds.

mod answers;
mod cases;
mod mistakes;
mod requests;
mod sdks;
mod voyage;

use std::time::Duration;

use shared_core::ProviderName;
use shared_providers::{ChatProvider, Endpoints, Providers};

/// The key of every call; the judge knows it.
const KEY: &str = "sk-test-0123456789abcdef";

/// A vendor's client, at this base URL.
fn client(url: &str, name: ProviderName) -> Box<dyn ChatProvider> {
    let endpoints = Endpoints::from_lookup(|_| Some(url.to_owned())).expect("a URL");
    Providers::new(endpoints, Duration::from_secs(60)).connect(name, &KEY.into()).expect("a key")
}

/// Where a vendor generates with this model.
fn generate_path(name: ProviderName, model: &str) -> String {
    match name {
        ProviderName::Ollama => "/api/generate".to_owned(),
        ProviderName::OpenAi => "/v1/responses".to_owned(),
        ProviderName::Anthropic => "/v1/messages".to_owned(),
        ProviderName::Gemini => format!("/v1beta/models/{model}:generateContent"),
        ProviderName::DeepSeek => "/v1/chat/completions".to_owned(),
        ProviderName::DeepInfra => "/v1/openai/chat/completions".to_owned(),
    }
}

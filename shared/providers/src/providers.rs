//! From a name and a key to a vendor.

use std::{sync::Arc, time::Duration};

use shared_core::{ProviderName, Secret};

use crate::{
    ChatProvider, Endpoints, ProviderError,
    anthropic::Anthropic,
    chat_completions::ChatCompletions,
    deepinfra, deepseek,
    gemini::Gemini,
    http::{Connection, Pool},
    ollama::Ollama,
    openai::OpenAi,
};

/// Every vendor of the process. Clones share their connections, which are made at first use.
#[derive(Clone)]
pub struct Providers {
    endpoints: Arc<Endpoints>,
    timeout: Duration,
    pool: Arc<Pool>,
}

impl Providers {
    /// `timeout` is how long one call may take altogether; the contract says 240 s (section 22).
    pub fn new(endpoints: Endpoints, timeout: Duration) -> Self {
        Self { endpoints: Arc::new(endpoints), timeout, pool: Arc::default() }
    }

    /// A vendor, to be asked with this key. Nothing is sent yet. Ollama has no keys and ignores what is given.
    ///
    /// # Errors
    /// A `ProviderUnavailableError` when the key is blank or cannot be sent.
    pub fn connect(&self, name: ProviderName, api_key: &Secret) -> Result<Box<dyn ChatProvider>, ProviderError> {
        let base_url = self.endpoints.base_url(name).to_owned();
        let connection = Connection { pool: Arc::clone(&self.pool), base_url, timeout: self.timeout };
        Ok(match name {
            ProviderName::Ollama => Box::new(Ollama::new(connection)),
            ProviderName::OpenAi => Box::new(OpenAi::new(connection, api_key)?),
            ProviderName::Anthropic => Box::new(Anthropic::new(connection, api_key)?),
            ProviderName::Gemini => Box::new(Gemini::new(connection, api_key)?),
            ProviderName::DeepSeek => Box::new(ChatCompletions::new(&deepseek::DIALECT, connection, api_key)?),
            ProviderName::DeepInfra => Box::new(ChatCompletions::new(&deepinfra::DIALECT, connection, api_key)?),
        })
    }
}

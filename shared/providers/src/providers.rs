//! From a name and a key to a vendor.

use std::{sync::Arc, time::Duration};

use shared_core::ProviderName;

use crate::{
    ChatProvider, Endpoints, ProviderError, anthropic::Anthropic, error::vendor_name, http::Pool, ollama::Ollama,
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
    /// A `ProviderUnavailableError` when the key is blank or cannot be sent, or the vendor is not built yet.
    pub fn connect(&self, name: ProviderName, api_key: &str) -> Result<Box<dyn ChatProvider>, ProviderError> {
        let base_url = self.endpoints.base_url(name).to_owned();
        let pool = Arc::clone(&self.pool);
        match name {
            ProviderName::Ollama => Ok(Box::new(Ollama::new(pool, base_url, self.timeout))),
            ProviderName::OpenAi => Ok(Box::new(OpenAi::new(pool, base_url, self.timeout, api_key)?)),
            ProviderName::Anthropic => Ok(Box::new(Anthropic::new(pool, base_url, self.timeout, api_key)?)),
            ProviderName::Gemini | ProviderName::DeepSeek | ProviderName::DeepInfra => {
                Err(ProviderError::unavailable(format!("this build does not speak to {} yet", vendor_name(name))))
            }
        }
    }
}

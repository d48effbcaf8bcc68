//! What every vendor can do.

use async_trait::async_trait;
use shared_core::ProviderName;

use crate::{Answer, GenerationRequest, ProviderError};

/// A language-model vendor, reached with one API key.
#[async_trait]
pub trait ChatProvider: Send + Sync {
    /// Which vendor this is.
    fn name(&self) -> ProviderName;

    /// Whether [`GenerationRequest::files`] may hold anything.
    fn supports_files(&self) -> bool;

    /// The availability call of contract section 11.2: is the vendor there, and does it accept the key? It costs
    /// nothing, and gives up after twenty seconds.
    async fn check(&self) -> Result<(), ProviderError>;

    /// The models that can be asked, in the vendor's order, each once. All pages are followed; it gives up after
    /// twenty seconds. What the vendor answers wrongly here is a `ProviderUnavailableError`.
    async fn models(&self) -> Result<Vec<String>, ProviderError>;

    /// Asks a model. It makes one try: trying again is for the caller to decide, with [`ProviderError::is_transient`].
    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError>;
}

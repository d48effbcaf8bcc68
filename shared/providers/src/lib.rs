//! The language-model vendors behind one trait.
//!
//! What lives here: how each vendor is asked (contract section 11.2), how its answers and failures are read (11.3), and
//! where it is reached. Who calls it: `job-execution` to run a prompt, `api-settings` to check a key, `api-executions`
//! for model lists; `job-embedding` asks Voyage AI, which is no language model and has a client of its own
//! ([`VoyageAi`]). What is left to them: deciding when to try again, and checking an answer against a schema.
//! [`Registry`] knows which vendors the settings name and keeps their model lists.
//!
//! ```no_run
//! # async fn example() -> Result<(), shared_providers::ProviderError> {
//! use std::time::Duration;
//! use shared_core::ProviderName;
//! use shared_providers::{Endpoints, GenerationOptions, GenerationRequest, Providers};
//!
//! let providers = Providers::new(Endpoints::default(), Duration::from_secs(240)); // once per process
//! let openai = providers.connect(ProviderName::OpenAi, &"sk-...".into())?;
//! let request = GenerationRequest {
//!     model: "gpt-4.1".to_owned(),
//!     prompt: "Answer in one word.".to_owned(),
//!     user_input: "What colour is the sky?".to_owned(),
//!     options: GenerationOptions::default(),
//!     schema: None,
//!     files: Vec::new(),
//! };
//! let answer = openai.generate(&request).await?;
//! println!("{} ({} tokens)", answer.text, answer.output_tokens);
//! # Ok(())
//! # }
//! ```
//!
//! A new vendor is one more file beside `ollama.rs`, its wire types in a folder of its name, and an arm in
//! [`Providers::connect`]. One that speaks the chat-completions format is a dialect, as `deepseek.rs` is. What each vendor
//! can do stands in `docs/providers.md`.

mod answer;
mod anthropic;
mod attachment;
mod chat_completions;
mod deepinfra;
mod deepseek;
mod endpoints;
mod error;
mod failure;
mod gemini;
mod http;
mod ollama;
mod openai;
mod provider;
mod providers;
mod registry;
mod request;
mod retry_after;
mod schema;
mod secret;
mod vendor;
mod voyageai;
mod wire;

pub use answer::Answer;
pub use attachment::Attachment;
pub use endpoints::Endpoints;
pub use error::{ErrorClass, FailureKind, ProviderError};
pub use provider::ChatProvider;
pub use providers::Providers;
pub use registry::{Health, Registry, RegistryError, read_providers};
pub use request::{GenerationOptions, GenerationRequest};
pub use voyageai::VoyageAi;

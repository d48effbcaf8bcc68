//! The language-model providers by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Language-model provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AiProviderName)]
pub enum ProviderName {
    /// A model server on one's own machine.
    Ollama,
    /// OpenAI, or a gateway that speaks its Responses API.
    OpenAi,
    /// Anthropic, or a gateway that speaks its Messages API.
    Anthropic,
    /// Google Gemini.
    Gemini,
    /// DeepSeek.
    DeepSeek,
    /// DeepInfra.
    DeepInfra,
}

impl ProviderName {
    /// Every provider, in the contract's order.
    pub const ALL: [Self; 6] =
        [Self::Ollama, Self::OpenAi, Self::Anthropic, Self::Gemini, Self::DeepSeek, Self::DeepInfra];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ollama => "ollama",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::DeepSeek => "deepseek",
            Self::DeepInfra => "deepinfra",
        }
    }

    /// How many executions run at once unless an admin says otherwise (decision E-09):
    /// a machine of one's own serves few, a hosted service many.
    pub const fn default_concurrency(self) -> u32 {
        match self {
            Self::Ollama => 2,
            Self::OpenAi | Self::Anthropic | Self::Gemini | Self::DeepSeek | Self::DeepInfra => 10,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no provider that exists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider \"{0}\"")]
pub struct UnknownProvider(pub String);

impl FromStr for ProviderName {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name).ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

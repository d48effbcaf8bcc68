//! What a vendor told about the call that answered an execution.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tokens by what they were spent on. Vendors count them differently; here no token is in two members, so that a price
/// per member gives the cost of the call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenUsage {
    /// Read anew.
    #[schema(minimum = 0)]
    pub input: u64,
    /// Written as answer.
    #[schema(minimum = 0)]
    pub output: u64,
    /// Read from the vendor's cache.
    #[schema(minimum = 0)]
    pub cached_read: u64,
    /// Read and put into the vendor's cache.
    #[schema(minimum = 0)]
    pub cache_write: u64,
    /// Written as reasoning before the answer.
    #[schema(minimum = 0)]
    pub reasoning: u64,
}

/// What a vendor told about the call that answered an execution; part of its document. Each member of `tokens` is a
/// column of its own too (migration 0018).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderCall {
    /// Tokens by what they were spent on.
    pub tokens: TokenUsage,
    /// The vendor's usage block: JSON as text, since merging documents would drop its nulls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The vendor's own name for the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// From the request to the end of the answer.
    pub duration_ms: u64,
    /// The vendor stopped before the model was done (defect E-20).
    pub truncated: bool,
    /// What was sent otherwise than asked for, in sentences: a schema as words, for example.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

//! What a model said.

use std::time::Duration;

use serde_json::Value;
use shared_core::executions::TokenUsage;

/// What a model said, and what the vendor told about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text; never blank, since a blank answer is an error.
    pub text: String,
    /// Tokens read, as contract section 11.2 counts them for this vendor; 0 when the vendor did not say (defect V-16).
    pub input_tokens: u64,
    /// Tokens written, counted likewise.
    pub output_tokens: u64,
    /// The same tokens and those of caches by what they were spent on, counted alike for all vendors.
    pub tokens: TokenUsage,
    /// The vendor's usage block as it came.
    pub usage: Option<Value>,
    /// Why the model stopped, in the vendor's words, for example `end_turn` or `max_output_tokens`.
    pub stop_reason: Option<String>,
    /// The vendor stopped before the model was done, so the text may end in mid-sentence (defect E-20).
    pub is_truncated: bool,
    /// Options that the caller gave and that this vendor or model does not take, by their contract names, for example
    /// `topK` (defect V-14).
    pub ignored_options: Vec<String>,
    /// What was sent otherwise than asked for, in sentences: a schema as words, for example.
    pub notes: Vec<String>,
    /// The vendor's own name for the call, to quote in a support request.
    pub request_id: Option<String>,
    /// From the request to the end of the answer.
    pub duration: Duration,
}

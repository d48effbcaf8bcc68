//! What a model said.

/// What a model said, and what the vendor told about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text; never blank, since a blank answer is an error.
    pub text: String,
    /// Tokens read; 0 when the vendor did not say (defect V-16).
    pub input_tokens: u64,
    /// Tokens written; 0 when the vendor did not say (defect V-16).
    pub output_tokens: u64,
    /// Why the model stopped, in the vendor's words, for example `end_turn` or `max_output_tokens`.
    pub stop_reason: Option<String>,
    /// The vendor stopped before the model was done, so the text may end in mid-sentence (defect E-20).
    pub is_truncated: bool,
    /// Options that the caller gave and that this vendor or model does not take, by their contract names, for example
    /// `topK` (defect V-14).
    pub ignored_options: Vec<String>,
    /// The vendor's own name for the call, to quote in a support request.
    pub request_id: Option<String>,
}

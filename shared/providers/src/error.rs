//! How a provider call fails.

use std::{fmt, time::Duration};

use shared_core::ProviderName;

use crate::vendor::Vendor;

/// What kind of failure, by the class names of contract section 11.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The provider does not have the model.
    ModelNotSupported,
    /// The provider could not be reached at all, or there is no key for it.
    ProviderUnavailable,
    /// The provider took longer than a call may take.
    ProviderTimeout,
    /// The provider answered with an error, or with something that is no answer.
    Provider,
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ModelNotSupported => "ModelNotSupportedError",
            Self::ProviderUnavailable => "ProviderUnavailableError",
            Self::ProviderTimeout => "ProviderTimeoutError",
            Self::Provider => "ProviderError",
        })
    }
}

/// A provider call failed.
///
/// Its text is the `error_message` of a failed execution (contract section 11.3): a class name, a colon and an
/// explanation for people. It never contains the API key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct ProviderError {
    class: ErrorClass,
    message: String,
    status: Option<u16>,
    is_transient: bool,
    retry_after: Option<Duration>,
}

impl ProviderError {
    /// The provider does not have this model.
    pub fn model_not_supported(provider: ProviderName, model: &str) -> Self {
        Self::new(ErrorClass::ModelNotSupported, format!("{} has no model \"{model}\"", vendor_name(provider)))
    }

    /// There is no active key for this provider.
    pub fn not_configured(provider: ProviderName) -> Self {
        Self::new(ErrorClass::ProviderUnavailable, format!("there is no API key for {}", vendor_name(provider)))
    }

    /// The provider takes no files, and the execution has one.
    pub fn files_not_supported(provider: ProviderName) -> Self {
        Self::vendor(format!("{} does not take files", vendor_name(provider)))
    }

    /// What kind of failure this is.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// The explanation without the class name.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The vendor's HTTP status; `None` when it did not answer.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The same call may well succeed later.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// How long the vendor asks to wait before the next try; at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// A permanent failure of this class; the text must not contain the key.
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), status: None, is_transient: false, retry_after: None }
    }

    /// The vendor's answer is an error or no answer at all.
    pub(crate) fn vendor(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Provider, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::ProviderUnavailable, message)
    }

    /// The key holds characters that no header can hold.
    pub(crate) fn unsendable_key(vendor: impl Vendor) -> Self {
        Self::unavailable(format!("the API key for {} contains characters that cannot be sent", vendor.shown_name()))
    }

    /// The same failure, worth another try.
    pub(crate) fn transient(mut self) -> Self {
        self.is_transient = true;
        self
    }

    /// The same failure, worth another try when `is_transient`, with what the answer's head told.
    pub(crate) fn answered(mut self, status: u16, is_transient: bool, retry_after: Option<Duration>) -> Self {
        self.status = Some(status);
        self.is_transient = is_transient;
        self.retry_after = retry_after;
        self
    }

    /// The same failure while reading the model list: what the vendor answered makes the provider unavailable
    /// (contract section 11.3, "model list unreachable").
    pub(crate) fn while_listing_models(mut self) -> Self {
        if self.class == ErrorClass::Provider {
            self.class = ErrorClass::ProviderUnavailable;
            self.message = format!("the model list could not be read: {}", self.message);
        }
        self
    }
}

/// The vendor's name as people write it.
pub(crate) const fn vendor_name(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Ollama => "Ollama",
        ProviderName::OpenAi => "OpenAI",
        ProviderName::Anthropic => "Anthropic",
        ProviderName::Gemini => "Gemini",
        ProviderName::DeepSeek => "DeepSeek",
        ProviderName::DeepInfra => "DeepInfra",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_contracts_error_message() {
        let unknown = ProviderError::model_not_supported(ProviderName::OpenAi, "gpt-0");
        assert_eq!(unknown.to_string(), "ModelNotSupportedError: OpenAI has no model \"gpt-0\"");
        assert_eq!(unknown.message(), "OpenAI has no model \"gpt-0\"");
        assert!(!unknown.is_transient());
        let missing = ProviderError::not_configured(ProviderName::Anthropic);
        assert_eq!(missing.to_string(), "ProviderUnavailableError: there is no API key for Anthropic");
        assert_eq!(ErrorClass::ProviderTimeout.to_string(), "ProviderTimeoutError");
        assert_eq!(ErrorClass::Provider.to_string(), "ProviderError");
    }

    #[test]
    fn an_error_answer_to_the_model_list_makes_the_provider_unavailable() {
        let refused = ProviderError::vendor("OpenAI answered 500").answered(500, true, Some(Duration::from_secs(3)));
        let listing = refused.while_listing_models();
        assert_eq!(listing.class(), ErrorClass::ProviderUnavailable);
        assert!(listing.is_transient());
        assert_eq!(listing.retry_after(), Some(Duration::from_secs(3)));
        let timeout = ProviderError::new(ErrorClass::ProviderTimeout, "slow");
        assert_eq!(timeout.clone().while_listing_models(), timeout);
    }
}

//! Calling a function, whatever runs it.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use axum::body::Bytes;

/// Something that runs functions: `cargo lambda watch` or our own runtime host.
#[async_trait]
pub trait Invoker: Send + Sync {
    /// Calls `function` with a JSON event and waits for its JSON answer.
    ///
    /// `timeout` is what the function has once it starts; waiting for a free instance comes on
    /// top. Dropping the future does not interrupt the function, as in the cloud.
    async fn invoke(&self, function: &str, payload: Bytes, timeout: Duration) -> Result<Bytes, InvokeError>;
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeError {
    /// The function reported an error, or its answer is too large.
    FunctionError(String),
    /// The function did not answer in time.
    Timeout(Duration),
    /// The process ended without an answer.
    Crashed(String),
    /// Nothing could be called: an unknown function, or nobody there to run it.
    Unreachable(String),
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FunctionError(message) => write!(f, "function error: {message}"),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Crashed(message) => write!(f, "crashed: {message}"),
            Self::Unreachable(message) => write!(f, "not reachable: {message}"),
        }
    }
}

impl std::error::Error for InvokeError {}

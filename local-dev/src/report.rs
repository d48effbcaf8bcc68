//! What happens while the stack runs, for whoever wants to show or record it.

use std::{sync::Arc, time::Duration};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The gateway answered a request.
    Request {
        /// HTTP method.
        method: String,
        /// Path as requested, without query.
        path: String,
        /// Status of the answer.
        status: u16,
        /// From the last byte in to the first byte out.
        duration: Duration,
        /// Who answered; nothing when the gateway did so itself.
        function: Option<String>,
    },
    /// A queue mapping called its function.
    Batch {
        /// The function.
        function: String,
        /// How many messages it got.
        messages: usize,
        /// How many of them had been delivered before.
        repeated: usize,
        /// How many stay in the queue.
        failed: usize,
        /// How long the call took.
        duration: Duration,
        /// Why the call as a whole failed, if it did.
        error: Option<String>,
    },
    /// A schedule called its function and that failed.
    ScheduleFailed {
        /// The function.
        function: String,
        /// Why.
        error: String,
    },
    /// A function wrote a line to its log.
    Log {
        /// The function; with `cargo lambda watch`, all functions share one log.
        function: String,
        /// The line.
        line: String,
    },
    /// An instance of a function ended in another way than by request.
    Restart {
        /// The function.
        function: String,
        /// How it ended.
        reason: String,
    },
    /// A step of the start begins or has been done.
    Step(String),
    /// Something about the stack itself, in a sentence.
    Note(String),
}

/// Receives every event.
#[derive(Clone)]
pub struct Reporter(Arc<dyn Fn(&Event) + Send + Sync>);

impl Reporter {
    /// Hands every event to `receive`.
    pub fn new(receive: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    /// Drops every event.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Reports an event.
    pub fn report(&self, event: &Event) {
        (self.0)(event);
    }

    /// Reports a step of the start.
    pub fn step(&self, step: impl Into<String>) {
        self.report(&Event::Step(step.into()));
    }

    /// Reports a sentence.
    pub fn note(&self, sentence: impl Into<String>) {
        self.report(&Event::Note(sentence.into()));
    }
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

//! The whole API in one process, for tests: every router over a real database file, and a worker that runs what waits.
//!
//! The queue is out of reach here, as it may be in real life; what waits is found in the database.

mod app;
mod documented;
mod http;
mod log;
mod queue;
mod redact;

pub use app::{KEY, PASSWORD, SIGNATURE_KEY, TestApp, Vendors, environment, invocation};
pub use http::{Answer, Call};
pub use log::CaughtLog;
pub use queue::TestQueue;
pub use redact::redacted;

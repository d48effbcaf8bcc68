//! What job functions and those who create jobs share: messages, the queue client, dispatch, the batch runner.
//!
//! The rule that loses nothing: facts and intent are written in one transaction, and only then announced. A message is a
//! nudge; it may come twice, late or never.

mod batch;
mod dispatcher;
mod queue;

pub use batch::run_batch;
pub use dispatcher::Dispatcher;
pub use queue::{ExecutionMessage, MAX_DELAY, Queue, QueueError};

//! How work is done in the background: job types, the queue, admission, the runner and what it writes down.
//!
//! The rule that loses nothing: facts and intent are written in one transaction, and only then announced. A message is a
//! nudge; it may come twice, late or never. Whoever works claims the row first, and every later write is fenced.
//!
//! To add a type of job: describe it in [`types`], write its [`Work`] in a function crate whose `main.rs` calls [`serve`],
//! and give it a queue in the template.

mod batch;
mod context;
mod dispatcher;
mod executions;
mod function;
mod invocation;
mod job;
mod jobs;
mod ledger;
mod message;
mod metrics;
mod queue;
mod runner;
mod shutdown;
mod signature;
mod sqs;
pub mod types;
mod work;

pub use batch::run_batch;
pub use context::JobContext;
pub use dispatcher::Dispatcher;
pub use executions::Executions;
pub use function::{Function, JobFunction, serve};
pub use invocation::Invocation;
pub use job::{JobKind, JobType};
pub use jobs::Jobs;
pub use ledger::{Claimed, Ended, Ledger};
pub use message::JobMessage;
pub use metrics::JobEnd;
pub use queue::{MAX_DELAY, QueueError, Queues};
pub use runner::Runner;
pub use shutdown::Shutdown;
pub use work::{Failure, JobDone, Stop, Work};

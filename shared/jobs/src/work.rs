//! What a function does for one type of job, and how that may go.

use std::time::Duration;

use serde_json::Value;
use shared_core::{
    db::{DbError, Statement},
    jobs::pipeline::End,
};

use crate::{context::JobContext, job::JobType};

/// What a function does for one type of job.
#[expect(async_fn_in_trait, reason = "only ever used as a type parameter, and by the task that awaits it")]
pub trait Work {
    /// The type.
    type Job: JobType;

    /// Does the job. It may run twice, after a crash even at the same time; only one of them records its end.
    ///
    /// # Errors
    /// [`Stop`] says how the attempt failed and what follows from it.
    async fn run(&self, job: Self::Job, context: &JobContext) -> Result<JobDone, Stop>;
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words that a reader of the row understands.
    pub reason: String,
    /// What the other side answered: an HTTP status.
    pub status: Option<u16>,
    /// How long the other side asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of which only the reason is known.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), status: None, retry_after: None }
    }
}

/// What follows from a failed attempt.
#[derive(Debug)]
pub enum Stop {
    /// It may pass: tried again while attempts are left.
    Retry(Failure),
    /// It will not pass.
    Fail(Failure),
    /// The work refuses to go on: its input or its surroundings do not allow it.
    Terminate(String),
    /// The store failed, so nothing can be recorded; the lease runs out, and somebody else tries.
    Store(DbError),
}

impl Stop {
    /// The work refuses to go on.
    pub fn terminate(reason: impl Into<String>) -> Self {
        Self::Terminate(reason.into())
    }
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Store(error)
    }
}

/// The end of a job, and what is written along with it.
#[derive(Debug, Clone)]
pub struct JobDone {
    /// How it ended.
    pub end: End,
    /// What the other side answered last: an HTTP status.
    pub last_status: Option<u16>,
    /// Statements of the same transaction.
    pub along: Vec<Statement>,
}

impl JobDone {
    /// Success.
    pub fn completed(result: Option<Value>) -> Self {
        Self { end: End::Completed(result), last_status: None, along: Vec::new() }
    }
}

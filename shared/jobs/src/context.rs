//! What a job may know about its own run.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use shared_core::trace::TraceId;

/// The circumstances of one attempt.
///
/// Work is cancelled by dropping its future: when the claim is lost (the row was cancelled, or taken over by another
/// worker), when the invocation's time is over, or when the process must stop. So whatever must not happen half belongs
/// into the finishing write.
#[derive(Debug)]
pub struct JobContext {
    /// Id of the execution or job.
    pub job_id: String,
    /// Number of this attempt, 1 for the first.
    pub attempt: u32,
    /// How many attempts there are altogether.
    pub max_attempts: u32,
    /// The trace that the work belongs to; [`shared_core::trace::current`] is the same.
    pub trace: TraceId,
    /// By when this attempt must be done; the invocation ends soon after.
    pub deadline: Instant,
    progress: Mutex<Option<String>>,
}

impl JobContext {
    pub(crate) fn new(job_id: &str, attempt: u32, max_attempts: u32, trace: TraceId, deadline: Instant) -> Self {
        Self { job_id: job_id.to_owned(), attempt, max_attempts, trace, deadline, progress: Mutex::default() }
    }

    /// How many attempts are left after this one.
    pub fn attempts_left(&self) -> u32 {
        self.max_attempts.saturating_sub(self.attempt)
    }

    /// How much time is left for this attempt.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Says how far the work has come. Written down with the next sign of life, so it may be called often.
    pub fn report_progress(&self, progress: impl Into<String>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.into());
    }

    /// What was reported since the last call.
    pub(crate) fn take_progress(&self) -> Option<String> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

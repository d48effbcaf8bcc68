//! Jobs: webhook deliveries and embeddings that wait, run and end in the background (contract 18).
//!
//! A job is recorded in the write that makes it necessary, and then announced. `pipeline` moves it along, `store` records
//! and shows. What the types of jobs are and do is not known here: see `shared/jobs`.

mod counters;
pub mod pipeline;
mod retention;
mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use counters::COUNTERS;
pub use retention::delete_ended;
pub use store::{JobFilter, JobOrder, find, insert, list};

use crate::{instant::Timestamp, retries::RetryPolicy};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Nobody has tried it yet.
    Pending,
    /// A worker holds it.
    Running,
    /// It succeeded.
    Completed,
    /// It failed, and no attempts are left.
    Failed,
    /// It failed and is tried again at its `nextRetryAt`.
    Retrying,
    /// The job itself refused to go on.
    Terminated,
}

impl JobStatus {
    const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Retrying, Self::Terminated];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Retrying => "retrying",
            Self::Terminated => "terminated",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// The stored document: what is to be done, how often it is tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The name of its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is to be done.
    pub data: Value,
    /// How often it is tried at most.
    pub max_attempts: u32,
    /// Pause before the first retry.
    pub retry_delay_ms: u64,
    /// How much longer each further pause is.
    pub retry_backoff_multiplier: f64,
    /// The longest pause.
    pub max_retry_delay_ms: u64,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// How far the present attempt has come, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What the other side answered to the last attempt: an HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why the job refused to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_reason: Option<String>,
}

/// How much longer pauses become at random.
const JITTER: f64 = 0.1;

impl Job {
    /// A job that nobody has tried yet.
    pub fn new(kind: &str, data: Value, retries: &RetryPolicy) -> Self {
        let millis = |pause: Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        Self {
            kind: kind.to_owned(),
            data,
            max_attempts: retries.max_attempts,
            retry_delay_ms: millis(retries.base),
            retry_backoff_multiplier: retries.factor,
            max_retry_delay_ms: millis(retries.cap),
            result: None,
            progress: None,
            last_status: None,
            error: None,
            termination_reason: None,
        }
    }

    /// The job's own settings, which it keeps whatever its type says later (defect J-02).
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            max_attempts: self.max_attempts,
            base: Duration::from_millis(self.retry_delay_ms),
            factor: self.retry_backoff_multiplier,
            cap: Duration::from_millis(self.max_retry_delay_ms),
            jitter: JITTER,
        }
    }
}

/// A job as a reader sees it: the document and its progress.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// Primary key.
    pub id: String,
    /// The document.
    pub data: Job,
    /// Where it stands.
    pub status: JobStatus,
    /// Started attempts (defect J-03).
    pub attempts: u32,
    /// When it was due first.
    pub scheduled_at: Timestamp,
    /// When it is tried again.
    pub next_retry_at: Option<Timestamp>,
    /// When the latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests;

//! Jobs: webhook deliveries and embeddings that wait, run and end in the background (contract 18).
//!
//! A job is recorded in the write that makes it necessary. Who runs it claims the row; this module records and shows.

mod retention;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

pub use retention::delete_ended;
pub use store::{JobFilter, JobOrder, find, insert, list};

use crate::{embeddings::EmbeddingWork, instant::Timestamp};

/// The type of jobs that send a webhook.
pub const WEBHOOK_DELIVERY: &str = "webhook-delivery";
/// The type of jobs that compute embeddings.
pub const GENERATE_EMBEDDING: &str = "generate-embedding";

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
    /// [`WEBHOOK_DELIVERY`] or [`GENERATE_EMBEDDING`].
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
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why the job refused to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_reason: Option<String>,
}

impl Job {
    /// A job with the contract's usual retries: three attempts, pauses from 5 s on, half as long again each time.
    fn new(kind: &str, data: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            data,
            max_attempts: 3,
            retry_delay_ms: 5000,
            retry_backoff_multiplier: 1.5,
            max_retry_delay_ms: 300_000,
            result: None,
            error: None,
            termination_reason: None,
        }
    }

    /// A delivery to an address that somebody wants to try, tried once (contract 19).
    pub fn webhook_test(url: &str, now: Timestamp) -> Self {
        let payload = json!({"event": "webhook.test", "time": now});
        let data = json!({"webhookId": "", "url": url, "data": payload});
        Self { max_attempts: 1, ..Self::new(WEBHOOK_DELIVERY, data) }
    }

    /// Embeddings to be computed.
    pub fn embedding(work: &EmbeddingWork) -> Self {
        Self::new(GENERATE_EMBEDDING, json!(work))
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

//! Every type of job, and the executions, which stand in a table of their own and share all else.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared_core::{
    Timestamp,
    embeddings::{EmbeddingWork, JOB_TYPE},
    retries::RetryPolicy,
};

use crate::job::{JobKind, JobType};

/// Every type that stands in the table of jobs.
pub const KINDS: [JobKind; 2] = [WebhookDelivery::KIND, GenerateEmbedding::KIND];

/// Executions: admitted by provider, kept in their own table.
pub const EXECUTION: JobKind = JobKind { name: "execution", queue: "EXECUTIONS_QUEUE_URL" };

const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Sends one webhook to one address (contract 18 and 19). The id of the job is the id of the webhook.
///
/// The trigger `executions_announced` of the database writes deliveries too; a test holds both together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// Setting of type webhook-destination; empty for a test.
    pub webhook_id: String,
    /// Where a test goes; absent for a destination, whose address is read when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is sent.
    pub data: Value,
}

impl WebhookDelivery {
    /// A delivery to an address that somebody wants to try, saved or not.
    pub fn test(url: &str, now: Timestamp) -> Self {
        let data = json!({"event": "webhook.test", "time": now});
        Self { webhook_id: String::new(), url: Some(url.to_owned()), data }
    }

    fn is_test(&self) -> bool {
        self.webhook_id.is_empty()
    }
}

impl JobType for WebhookDelivery {
    const KIND: JobKind = JobKind { name: "webhook-delivery", queue: "WEBHOOKS_QUEUE_URL" };
    const LEASE: Duration = Duration::from_secs(30);

    fn retries(&self) -> RetryPolicy {
        RetryPolicy {
            max_attempts: if self.is_test() { 1 } else { 8 },
            base: Duration::from_secs(5),
            factor: 5.0,
            cap: LONGEST_PAUSE,
            jitter: 0.1,
        }
    }
}

/// Computes embeddings (contract 16).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerateEmbedding(pub EmbeddingWork);

impl JobType for GenerateEmbedding {
    const KIND: JobKind = JobKind { name: JOB_TYPE, queue: "EMBEDDINGS_QUEUE_URL" };
    const LEASE: Duration = Duration::from_secs(60);

    fn retries(&self) -> RetryPolicy {
        let base = Duration::from_secs(5);
        RetryPolicy { max_attempts: 3, base, factor: 1.5, cap: LONGEST_PAUSE, jitter: 0.1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_members_of_the_contract() {
        let now: Timestamp = "2026-01-31T09:15:00.000Z".parse().unwrap();
        let job = WebhookDelivery::test("https://example.com/hook", now).to_job();
        let payload = json!({"event": "webhook.test", "time": "2026-01-31T09:15:00.000Z"});
        let expected = json!({
            "type": "webhook-delivery",
            "data": {"webhookId": "", "url": "https://example.com/hook", "data": payload},
            "maxAttempts": 1, "retryDelayMs": 5000, "retryBackoffMultiplier": 5.0, "maxRetryDelayMs": 300000,
        });
        assert_eq!(serde_json::to_value(job).unwrap(), expected);
        let work = json!({"inputs": ["a"], "model": "voyage-3.5", "webhookDestinationIds": ["x"]});
        let job = serde_json::from_value::<GenerateEmbedding>(work.clone()).unwrap().to_job();
        assert_eq!((job.data, job.max_attempts, job.retry_backoff_multiplier), (work, 3, 1.5));
    }
}

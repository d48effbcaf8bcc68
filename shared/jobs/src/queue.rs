//! The queue that announces executions. A message holds an id and nothing else; the row holds the facts.

use std::{sync::OnceLock, time::Duration};

use aws_sdk_sqs::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    types::SendMessageBatchRequestEntry,
};
use serde::{Deserialize, Serialize};
use shared_core::config::QueueConfig;

/// An announcement: this execution may have something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionMessage {
    /// Id of the execution.
    pub execution_id: String,
}

/// The queue could not be reached, or did not take every message. Nothing is lost: maintenance announces again.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take the announcement: {0}")]
pub struct QueueError(String);

/// How many messages SQS takes at once.
const BATCH: usize = 10;
/// The longest delay that SQS knows.
pub const MAX_DELAY: Duration = Duration::from_secs(900);
/// A caller waits for the announcement, so there is one try, and not a long one; maintenance tries again.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// The executions queue; the client is made when the first message is sent, not at cold start.
#[derive(Debug)]
pub struct Queue {
    config: QueueConfig,
    client: OnceLock<Client>,
}

impl Queue {
    /// The configured queue.
    pub fn new(config: QueueConfig) -> Self {
        Self { config, client: OnceLock::new() }
    }

    /// Announces executions, to be looked at after `delay` (whole seconds, rounded up, at most [`MAX_DELAY`]).
    pub async fn announce(&self, ids: &[String], delay: Duration) -> Result<(), QueueError> {
        for chunk in ids.chunks(BATCH) {
            let answer = self
                .client()
                .send_message_batch()
                .queue_url(&self.config.executions_url)
                .set_entries(Some(chunk.iter().map(|id| entry(id, delay)).collect::<Result<_, _>>()?))
                .send()
                .await
                .map_err(|error| QueueError(aws_sdk_sqs::error::DisplayErrorContext(error).to_string()))?;
            if let Some(refused) = answer.failed().first() {
                return Err(QueueError(format!("{}: {}", refused.code(), refused.message().unwrap_or_default())));
            }
        }
        Ok(())
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let QueueConfig { endpoint, region, access_key_id, secret_access_key, session_token, .. } = &self.config;
            let session = session_token.as_ref().map(|token| token.reveal().to_owned());
            let credentials = Credentials::new(access_key_id, secret_access_key.reveal(), session, None, "environment");
            let mut config = Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(region.clone()))
                .credentials_provider(credentials)
                .retry_config(RetryConfig::disabled())
                .timeout_config(TimeoutConfig::builder().operation_timeout(SEND_TIMEOUT).build());
            config.set_endpoint_url(endpoint.clone());
            Client::from_conf(config.build())
        })
    }
}

fn entry(id: &str, delay: Duration) -> Result<SendMessageBatchRequestEntry, QueueError> {
    let message = ExecutionMessage { execution_id: id.to_owned() };
    let body = serde_json::to_string(&message).map_err(|error| QueueError(error.to_string()))?;
    let seconds = delay.min(MAX_DELAY).as_millis().div_ceil(1000);
    SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body)
        .delay_seconds(i32::try_from(seconds).unwrap_or(900))
        .build()
        .map_err(|error| QueueError(error.to_string()))
}

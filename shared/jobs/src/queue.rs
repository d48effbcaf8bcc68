//! The queues that announce work. A message holds an id and nothing else that matters; the row holds the facts.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_sdk_sqs::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    types::SendMessageBatchRequestEntry,
};
use shared_core::config::{AwsConfig, Env};

use crate::{job::JobKind, message::JobMessage};

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

/// The queues that a function may write to. The client is made when the first message is sent, not at cold start.
#[derive(Debug, Clone)]
pub struct Queues(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    aws: AwsConfig,
    /// Addresses by the variable that holds them.
    urls: BTreeMap<&'static str, String>,
    client: OnceLock<Client>,
}

impl Queues {
    /// Reads the addresses of the queues of these kinds; see [`shared_core::config::load`].
    pub fn read(env: &mut Env, kinds: &[JobKind]) -> Option<Self> {
        let urls: Vec<_> = kinds.iter().map(|kind| (kind.queue, env.queue_url(kind.queue))).collect();
        let aws = env.aws();
        let urls = urls.into_iter().map(|(variable, url)| Some((variable, url?))).collect::<Option<_>>()?;
        Some(Self(Arc::new(Inner { aws: aws?, urls, client: OnceLock::new() })))
    }

    /// Announces rows, to be looked at after `delay` (whole seconds, rounded up, at most [`MAX_DELAY`]).
    pub async fn announce(&self, kind: JobKind, ids: &[String], delay: Duration) -> Result<(), QueueError> {
        let missing = || QueueError(format!("this function does not know {}", kind.queue));
        let url = self.0.urls.get(kind.queue).ok_or_else(missing)?;
        for chunk in ids.chunks(BATCH) {
            let answer = self
                .client()
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(chunk.iter().map(|id| entry(id, delay)).collect::<Result<_, _>>()?))
                .send()
                .await
                .map_err(|error| self.explain(&error))?;
            if let Some(refused) = answer.failed().first() {
                return Err(QueueError(format!("{}: {}", refused.code(), refused.message().unwrap_or_default())));
            }
        }
        Ok(())
    }

    /// The error with its causes. Not with the answer itself, as the SDK would show it: a server that does not accept a
    /// signature repeats the signed request, session token included.
    fn explain(&self, error: &(dyn Error + 'static)) -> QueueError {
        let (mut text, mut cause) = (error.to_string(), error.source());
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        if let Some(token) = &self.0.aws.session_token {
            text = text.replace(token.reveal(), "…");
        }
        QueueError(text)
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| {
            let AwsConfig { sqs_endpoint, region, access_key_id, secret_access_key, session_token } = &self.0.aws;
            let session = session_token.as_ref().map(|token| token.reveal().to_owned());
            let credentials = Credentials::new(access_key_id, secret_access_key.reveal(), session, None, "environment");
            let mut config = Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(region.clone()))
                .credentials_provider(credentials)
                .retry_config(RetryConfig::disabled())
                .timeout_config(TimeoutConfig::builder().operation_timeout(SEND_TIMEOUT).build());
            config.set_endpoint_url(sqs_endpoint.clone());
            Client::from_conf(config.build())
        })
    }
}

fn entry(id: &str, delay: Duration) -> Result<SendMessageBatchRequestEntry, QueueError> {
    let body = serde_json::to_string(&JobMessage::new(id)).map_err(|error| QueueError(error.to_string()))?;
    let seconds = delay.min(MAX_DELAY).as_millis().div_ceil(1000);
    SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body)
        .delay_seconds(i32::try_from(seconds).unwrap_or(900))
        .build()
        .map_err(|error| QueueError(error.to_string()))
}

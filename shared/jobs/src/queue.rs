//! The queues that announce work. A message holds an id and nothing else that matters; the row holds the facts.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared_core::{config::Env, outbound};

use crate::{
    job::JobKind,
    message::JobMessage,
    sqs::{Entry, Sqs},
};

/// The queue could not be reached, or did not take every message. Nothing is lost: maintenance announces again.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take the announcement: {0}")]
pub struct QueueError(String);

/// How many messages SQS takes at once.
const BATCH: usize = 10;
/// The longest delay that SQS knows.
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// The queues that a function may write to.
#[derive(Debug, Clone)]
pub struct Queues(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sqs: Sqs,
    /// Addresses by the variable that holds them.
    urls: BTreeMap<&'static str, String>,
}

impl Queues {
    /// Reads the addresses of the queues of these kinds; see [`shared_core::config::load`].
    pub fn read(env: &mut Env, kinds: &[JobKind]) -> Option<Self> {
        let urls: Vec<_> = kinds.iter().map(|kind| (kind.queue, env.queue_url(kind.queue))).collect();
        let aws = env.aws();
        let urls = urls.into_iter().map(|(variable, url)| Some((variable, url?))).collect::<Option<_>>()?;
        Some(Self(Arc::new(Inner { sqs: Sqs::new(aws?), urls })))
    }

    /// Announces rows, to be looked at after `delay` (whole seconds, rounded up, at most [`MAX_DELAY`]).
    pub async fn announce(&self, kind: JobKind, ids: &[String], delay: Duration) -> Result<(), QueueError> {
        let missing = || QueueError(format!("this function does not know {}", kind.queue));
        let url = self.0.urls.get(kind.queue).ok_or_else(missing)?;
        for chunk in ids.chunks(BATCH) {
            let entries: Vec<Entry> = chunk.iter().map(|id| entry(id, delay)).collect();
            let sent = self.0.sqs.send(url, &entries).await;
            sent.map_err(|error| QueueError(self.0.sqs.redacted(&outbound::root_cause(&error))))?;
        }
        Ok(())
    }
}

fn entry(id: &str, delay: Duration) -> Entry {
    let message_body = serde_json::to_string(&JobMessage::new(id)).expect("a message can be written as JSON");
    Entry { id: id.to_owned(), message_body, delay_seconds: delay.min(MAX_DELAY).as_millis().div_ceil(1000) as u64 }
}

//! Admission and announcement in one step: the database decides what may run, the queue only tells somebody.

use std::{sync::Arc, time::Duration};

use shared_core::{Db, ProviderName, Timestamp, db::DbError, executions::pipeline};

use crate::queue::Queue;

/// Moves waiting executions to the queue as far as their provider has free places.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    db: Db,
    queue: Arc<Queue>,
}

impl Dispatcher {
    /// Dispatches from this store to this queue.
    pub fn new(db: Db, queue: Queue) -> Self {
        Self { db, queue: Arc::new(queue) }
    }

    /// Gives free places to the next in line and announces them; tells how many. A queue that cannot be reached is not
    /// an error of the caller: the executions go back in line, and maintenance announces them later.
    pub async fn dispatch(&self, provider: ProviderName) -> Result<usize, DbError> {
        let ids = pipeline::dispatch(&self.db, provider, Timestamp::now()).await?;
        if !self.announce(&ids).await {
            pipeline::undispatch(&self.db, &ids).await?;
            return Ok(0);
        }
        Ok(ids.len())
    }

    /// Starts what has a free place among executions that are recorded already, so a failure is no failure of who
    /// recorded them: maintenance starts them later.
    pub async fn start(&self, provider: ProviderName) {
        if let Err(error) = self.dispatch(provider).await {
            tracing::warn!(%error, provider = provider.as_str(), "dispatch postponed to maintenance");
        }
    }

    /// Announces executions that have a place already; false, and a line in the log, when the queue did not take it.
    pub async fn announce(&self, ids: &[String]) -> bool {
        self.send(ids, Duration::ZERO).await
    }

    /// Announces a retry for when it is due. One that is due later than the queue can wait is left to maintenance.
    pub async fn announce_retry(&self, id: &str, pause: Duration) {
        if pause <= crate::queue::MAX_DELAY {
            self.send(&[id.to_owned()], pause).await;
        }
    }

    async fn send(&self, ids: &[String], delay: Duration) -> bool {
        match self.queue.announce(ids, delay).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, executions = ids.len(), "announcement postponed to maintenance");
                false
            }
        }
    }
}

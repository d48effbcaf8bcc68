//! What time alone triggers: leases that ran out, announcements that led to nothing, retries that are due.

use serde::Serialize;
use shared_core::{
    Db, Timestamp,
    config::{Env, ExecutionConfig},
    db::DbError,
    executions::pipeline::{self, Recovered},
};
use shared_jobs::{Dispatcher, Queue};

/// How much of each kind one round brings back; the next round goes on.
const ROUND: u32 = 500;

/// What this function holds while it lives.
#[derive(Clone)]
pub struct Maintenance {
    db: Db,
    dispatcher: Dispatcher,
    config: ExecutionConfig,
}

/// What one round did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Executions whose worker went silent and that wait again.
    pub requeued: usize,
    /// Executions whose worker went silent at the last attempt.
    pub interrupted: usize,
    /// Announcements that nobody had answered.
    pub announced_again: usize,
    /// Waiting executions that got a free place.
    pub dispatched: usize,
}

impl Maintenance {
    /// Reads the configuration; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let (database, queue, config) = (env.database(), env.queue(), env.executions());
        let db = Db::new(&database?);
        let dispatcher = Dispatcher::new(db.clone(), Queue::new(queue?));
        Some(Self { db, dispatcher, config: config? })
    }

    /// One round. Safe to repeat and to run twice at once: every step is one conditional update.
    pub async fn run(&self, now: Timestamp) -> Result<Report, DbError> {
        let lease_ms = i64::try_from(self.config.lease.as_millis()).unwrap_or(i64::MAX);
        let patience = now.plus_millis(-lease_ms);
        let Recovered { requeued, interrupted, unanswered } =
            pipeline::recover(&self.db, self.config.max_attempts, patience, ROUND, now).await?;
        self.dispatcher.announce(&unanswered).await;
        let mut dispatched = 0;
        for provider in pipeline::providers_with_waiting(&self.db).await? {
            dispatched += self.dispatcher.dispatch(provider).await?;
        }
        let report = Report {
            requeued: requeued.len(),
            interrupted: interrupted.len(),
            announced_again: unanswered.len(),
            dispatched,
        };
        if report != Report::default() {
            tracing::info!(
                job.name = "maintenance",
                requeued = report.requeued,
                interrupted = report.interrupted,
                announced_again = report.announced_again,
                dispatched = report.dispatched,
                "job ended"
            );
        }
        Ok(report)
    }
}

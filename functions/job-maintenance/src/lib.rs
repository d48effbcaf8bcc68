//! What time alone triggers: leases that ran out, announcements that led to nothing, retries that are due.

use serde::Serialize;
use shared_core::{
    Db, Timestamp,
    config::{Env, ExecutionConfig},
    db::DbError,
    executions::pipeline::{self, Recovered},
    jobs::pipeline as job_pipeline,
};
use shared_jobs::{
    Dispatcher, JobType, Queues,
    types::{EXECUTION, GenerateEmbedding, KINDS, WebhookDelivery},
};

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
    /// Jobs whose worker went silent and that are tried again.
    pub jobs_requeued: usize,
    /// Jobs whose worker went silent at the last attempt.
    pub jobs_interrupted: usize,
    /// Due jobs that were announced: new ones whose announcement was lost, retries, and those that nobody took.
    pub jobs_announced: usize,
}

impl Maintenance {
    /// Reads the configuration; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let (database, queue, config) = (
            env.database(),
            Queues::read(env, &[EXECUTION, WebhookDelivery::KIND, GenerateEmbedding::KIND]),
            env.executions(),
        );
        let db = Db::new(&database?);
        let dispatcher = Dispatcher::new(db.clone(), queue?);
        Some(Self { db, dispatcher, config: config? })
    }

    /// One round. Safe to repeat and to run twice at once: every step is one conditional update.
    pub async fn run(&self, now: Timestamp) -> Result<Report, DbError> {
        let lease_ms = i64::try_from(self.config.lease.as_millis()).unwrap_or(i64::MAX);
        let patience = now.plus_millis(-lease_ms);
        let Recovered { requeued, interrupted, unanswered } =
            pipeline::recover(&self.db, self.config.max_attempts, patience, ROUND, now).await?;
        self.dispatcher.announce(EXECUTION, &unanswered).await;
        let mut dispatched = 0;
        for provider in pipeline::providers_with_waiting(&self.db).await? {
            dispatched += self.dispatcher.dispatch(provider).await?;
        }
        let jobs = job_pipeline::recover(&self.db, patience, ROUND, now).await?;
        let mut jobs_announced = 0;
        for kind in KINDS {
            // Until nothing is due, or the queue does not answer.
            loop {
                let announced = self.dispatcher.dispatch_jobs(kind).await?;
                jobs_announced += announced;
                if announced == 0 || jobs_announced >= ROUND as usize {
                    break;
                }
            }
        }
        let report = Report {
            requeued: requeued.len(),
            interrupted: interrupted.len(),
            announced_again: unanswered.len(),
            dispatched,
            jobs_requeued: jobs.requeued.len(),
            jobs_interrupted: jobs.interrupted.len(),
            jobs_announced,
        };
        if report != Report::default() {
            tracing::info!(
                job.name = "maintenance",
                requeued = report.requeued,
                interrupted = report.interrupted,
                announced_again = report.announced_again,
                dispatched = report.dispatched,
                jobs_requeued = report.jobs_requeued,
                jobs_interrupted = report.jobs_interrupted,
                jobs_announced = report.jobs_announced,
                "job ended"
            );
        }
        Ok(report)
    }
}

//! Admission and announcement in one step: the database decides what may run, the queue only tells somebody.

use std::time::Duration;

use shared_core::{
    Db, ProviderName, Timestamp,
    audit::{self, Action, View},
    db::DbError,
    executions::pipeline,
    ids,
    jobs::{self, pipeline as job_pipeline},
};

use crate::{
    job::{JobKind, JobType},
    queue::{MAX_DELAY, Queues},
    types::EXECUTION,
};

/// How many jobs are announced in one step.
const ROUND: u32 = 100;

/// Tells the queues what the database says may run. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    db: Db,
    queues: Queues,
}

impl Dispatcher {
    /// Dispatches from this store to these queues.
    pub fn new(db: Db, queues: Queues) -> Self {
        Self { db, queues }
    }

    /// The store behind it.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Gives free places of a provider to the next in line and announces them; tells how many. A queue that cannot be
    /// reached is not an error of the caller: the executions go back in line, and maintenance announces them later.
    pub async fn dispatch(&self, provider: ProviderName) -> Result<usize, DbError> {
        let ids = pipeline::dispatch(&self.db, provider, Timestamp::now()).await?;
        if !self.announce(EXECUTION, &ids).await {
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

    /// Announces the due jobs of a kind, the longest due first and at most a hundred; tells how many. A queue that cannot
    /// be reached is not an error of the caller.
    pub async fn dispatch_jobs(&self, kind: JobKind) -> Result<usize, DbError> {
        let ids = job_pipeline::announce(&self.db, kind.name, ROUND, Timestamp::now()).await?;
        if !self.announce(kind, &ids).await {
            job_pipeline::unannounce(&self.db, &ids).await?;
            return Ok(0);
        }
        Ok(ids.len())
    }

    /// Announces jobs that are recorded already, so a failure is no failure of who recorded them.
    pub async fn start_jobs(&self, kind: JobKind) {
        if let Err(error) = self.dispatch_jobs(kind).await {
            tracing::warn!(%error, job.name = kind.name, "announcement postponed to maintenance");
        }
    }

    /// Records a job that somebody asked for and announces it; gives its id.
    pub async fn enqueue<J: JobType>(&self, job: &J, now: Timestamp) -> Result<String, DbError> {
        let id = ids::new_id();
        let entry = audit::entry(Action::JobCreated).on(&id).after(View::new().keep("type", J::KIND.name));
        self.db.write(vec![jobs::insert(&id, &job.to_job(), now), entry.record()]).await?;
        self.start_jobs(J::KIND).await;
        Ok(id)
    }

    /// Announces rows; false, and a line in the log, when the queue did not take them.
    pub async fn announce(&self, kind: JobKind, ids: &[String]) -> bool {
        self.send(kind, ids, Duration::ZERO).await
    }

    /// Announces a retry for when it is due. One that is due later than the queue can wait is left to maintenance.
    pub async fn announce_retry(&self, kind: JobKind, id: &str, pause: Duration) {
        if pause <= MAX_DELAY {
            self.send(kind, &[id.to_owned()], pause).await;
        }
    }

    async fn send(&self, kind: JobKind, ids: &[String], delay: Duration) -> bool {
        match self.queues.announce(kind, ids, delay).await {
            Ok(()) => true,
            Err(error) => {
                let count = ids.len();
                tracing::warn!(%error, job.name = kind.name, count, "announcement postponed to maintenance");
                false
            }
        }
    }
}

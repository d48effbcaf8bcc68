//! The table of jobs as a ledger: the rows of one type.

use std::{marker::PhantomData, time::Duration};

use shared_core::{
    Timestamp,
    config::JobConfig,
    db::DbError,
    jobs::pipeline::{self, Claim, End},
    retries::RetryPolicy,
    trace::TraceId,
};

use crate::{
    dispatcher::Dispatcher,
    job::{JobKind, JobType},
    ledger::{Claimed, Ended, Ledger},
    queue::MAX_DELAY,
    types::WebhookDelivery,
    work::{Failure, JobDone},
};

/// The rows of one type in the table of jobs.
#[derive(Debug, Clone)]
pub struct Jobs<J> {
    dispatcher: Dispatcher,
    config: JobConfig,
    kind: PhantomData<fn() -> J>,
}

impl<J: JobType> Jobs<J> {
    /// The jobs of this type behind this dispatcher.
    pub fn new(dispatcher: Dispatcher, config: JobConfig) -> Self {
        Self { dispatcher, config, kind: PhantomData }
    }
}

impl Claimed for Claim {
    fn id(&self) -> &str {
        &self.id
    }
    fn attempt(&self) -> u32 {
        self.attempt
    }
    fn due_at(&self) -> Timestamp {
        self.due_at
    }
    fn trace(&self) -> Option<&TraceId> {
        self.trace.as_ref()
    }
}

impl Ended for JobDone {
    fn failed(reason: String, last_status: Option<u16>) -> Self {
        Self { end: End::Failed(reason), last_status, along: Vec::new() }
    }
    fn terminated(reason: String) -> Self {
        Self { end: End::Terminated(reason), last_status: None, along: Vec::new() }
    }
    fn label(&self) -> &'static str {
        self.end.status().as_str()
    }
}

impl<J: JobType> Ledger for Jobs<J> {
    type Claim = Claim;
    type End = JobDone;

    fn kind(&self) -> JobKind {
        J::KIND
    }
    fn lease(&self) -> Duration {
        self.config.lease.unwrap_or(J::LEASE)
    }
    fn retries(&self, claim: &Claim) -> RetryPolicy {
        let policy = claim.job.retry_policy();
        RetryPolicy { base: self.config.retry_base.unwrap_or(policy.base), ..policy }
    }

    async fn claim(&self, id: &str) -> Result<Option<Claim>, DbError> {
        pipeline::claim(self.dispatcher.db(), J::KIND.name, id, self.lease(), Timestamp::now()).await
    }

    async fn extend(&self, claim: &Claim, progress: Option<&str>) -> Result<bool, DbError> {
        pipeline::extend(self.dispatcher.db(), claim, self.lease(), progress, Timestamp::now()).await
    }

    async fn finish(&self, claim: &Claim, done: &JobDone) -> Result<bool, DbError> {
        let JobDone { end, last_status, along } = done;
        let (db, now) = (self.dispatcher.db(), Timestamp::now());
        let is_recorded = pipeline::finish(db, claim, end, *last_status, along.clone(), now).await?;
        // Jobs that name destinations tell them about their end; the database has written the deliveries.
        if is_recorded && claim.job.data.get("webhookDestinationIds").is_some() {
            self.dispatcher.start_jobs(WebhookDelivery::KIND).await;
        }
        Ok(is_recorded)
    }

    async fn retry(&self, claim: &Claim, failure: &Failure, pause: Duration) -> Result<bool, DbError> {
        let (db, now) = (self.dispatcher.db(), Timestamp::now());
        let due = now.plus(pause);
        let announced_at = (pause <= MAX_DELAY).then_some(due);
        let recorded = pipeline::retry(db, claim, &failure.reason, failure.status, due, announced_at, now).await?;
        if recorded {
            self.dispatcher.announce_retry(J::KIND, &claim.id, pause).await;
        }
        Ok(recorded)
    }

    async fn hand_back(&self, claim: &Claim) -> Result<bool, DbError> {
        let is_recorded = pipeline::hand_back(self.dispatcher.db(), claim, Timestamp::now()).await?;
        self.dispatcher.start_jobs(J::KIND).await;
        Ok(is_recorded)
    }
}

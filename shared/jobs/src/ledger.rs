//! Where work is written down: the table of executions, and the table of jobs. The runner treats both alike.

use std::{marker::PhantomData, time::Duration};

use serde_json::Value;
use shared_core::{
    Timestamp,
    config::{ExecutionConfig, JobConfig},
    db::{DbError, Statement},
    executions::{
        Outcome,
        pipeline::{self, Claim},
    },
    jobs::pipeline::{self as job_pipeline, Claim as JobClaim, End},
    retries::RetryPolicy,
    trace::TraceId,
};

use crate::{
    dispatcher::Dispatcher,
    job::{JobKind, JobType},
    queue::MAX_DELAY,
    runner::Failure,
    types::{EXECUTION, WebhookDelivery},
};

/// A claimed row.
pub trait Claimed {
    /// Its id.
    fn id(&self) -> &str;
    /// Number of this attempt, 1 for the first.
    fn attempt(&self) -> u32;
    /// Since when it could have run.
    fn due_at(&self) -> Timestamp;
    /// The trace that it belongs to.
    fn trace(&self) -> Option<&TraceId>;
    /// Which model provider it is for, if any.
    fn provider(&self) -> Option<&'static str> {
        None
    }
}

/// How an attempt ended for good.
pub trait Ended: Sized {
    /// It failed, and no attempts are left or none would help.
    fn failed(reason: String, last_status: Option<u16>) -> Self;
    /// The work refused to go on.
    fn terminated(reason: String) -> Self;
    /// The status that it leaves.
    fn label(&self) -> &'static str;
    /// Tokens that went in and came out of a model.
    fn tokens(&self) -> Option<(u64, u64)> {
        None
    }
}

/// A table of work. Every write is fenced: it answers false, and changes nothing, when the claim does not hold any more.
#[expect(async_fn_in_trait, reason = "only ever used as a type parameter, and by the task that awaits it")]
pub trait Ledger {
    /// A row that this worker holds.
    type Claim: Claimed;
    /// What is recorded in the end.
    type End: Ended;

    /// Name and queue of what stands here.
    fn kind(&self) -> JobKind;
    /// How long a claim holds without a sign of life.
    fn lease(&self) -> Duration;
    /// How often this row is tried.
    fn retries(&self, claim: &Self::Claim) -> RetryPolicy;

    /// Takes the row that a message names; `None` when there is nothing to do.
    async fn claim(&self, id: &str) -> Result<Option<Self::Claim>, DbError>;
    /// Extends the lease and says how far the work has come.
    async fn extend(&self, claim: &Self::Claim, progress: Option<&str>) -> Result<bool, DbError>;
    /// Records the end, and announces what follows from it.
    async fn finish(&self, claim: &Self::Claim, end: &Self::End) -> Result<bool, DbError>;
    /// Puts the row back for another attempt after a pause, and announces that.
    async fn retry(&self, claim: &Self::Claim, failure: &Failure, pause: Duration) -> Result<bool, DbError>;
    /// Gives the row back untried, for somebody else.
    async fn hand_back(&self, claim: &Self::Claim) -> Result<bool, DbError>;
    /// Says that the work on a claim that was lost has stopped.
    async fn release(&self, _: &Self::Claim) -> Result<(), DbError> {
        Ok(())
    }
}

/// The table of executions.
#[derive(Debug, Clone)]
pub struct Executions {
    dispatcher: Dispatcher,
    config: ExecutionConfig,
}

impl Executions {
    /// The executions behind this dispatcher.
    pub fn new(dispatcher: Dispatcher, config: ExecutionConfig) -> Self {
        Self { dispatcher, config }
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
        self.created_at
    }
    fn trace(&self) -> Option<&TraceId> {
        self.trace.as_ref()
    }
    fn provider(&self) -> Option<&'static str> {
        Some(self.execution.provider.as_str())
    }
}

impl Ended for Outcome {
    fn failed(reason: String, _: Option<u16>) -> Self {
        Self::Failed(reason)
    }
    fn terminated(reason: String) -> Self {
        Self::Failed(reason)
    }
    fn label(&self) -> &'static str {
        self.status().as_str()
    }
    fn tokens(&self) -> Option<(u64, u64)> {
        Self::tokens(self)
    }
}

impl Ledger for Executions {
    type Claim = Claim;
    type End = Outcome;

    fn kind(&self) -> JobKind {
        EXECUTION
    }
    fn lease(&self) -> Duration {
        self.config.lease
    }
    fn retries(&self, _: &Claim) -> RetryPolicy {
        self.config.retry_policy()
    }

    async fn claim(&self, id: &str) -> Result<Option<Claim>, DbError> {
        let ExecutionConfig { lease, max_attempts, .. } = self.config;
        pipeline::claim(self.dispatcher.db(), id, lease, max_attempts, Timestamp::now()).await
    }

    async fn extend(&self, claim: &Claim, _: Option<&str>) -> Result<bool, DbError> {
        pipeline::extend(self.dispatcher.db(), claim, self.config.lease, Timestamp::now()).await
    }

    async fn finish(&self, claim: &Claim, end: &Outcome) -> Result<bool, DbError> {
        let is_recorded = pipeline::finish(self.dispatcher.db(), claim, end, Timestamp::now()).await?;
        if is_recorded && claim.execution.webhook_destination_ids.is_some() {
            self.dispatcher.start_jobs(WebhookDelivery::KIND).await;
        }
        Ok(is_recorded)
    }

    async fn retry(&self, claim: &Claim, failure: &Failure, pause: Duration) -> Result<bool, DbError> {
        let now = Timestamp::now();
        let due = now.plus(pause);
        let is_recorded = pipeline::retry_at(self.dispatcher.db(), claim, &failure.reason, due, now).await?;
        if is_recorded {
            self.dispatcher.announce_retry(EXECUTION, &claim.id, pause).await;
        }
        Ok(is_recorded)
    }

    async fn hand_back(&self, claim: &Claim) -> Result<bool, DbError> {
        let is_recorded = pipeline::hand_back(self.dispatcher.db(), claim, Timestamp::now()).await?;
        self.dispatcher.start(claim.execution.provider).await;
        Ok(is_recorded)
    }

    async fn release(&self, claim: &Claim) -> Result<(), DbError> {
        pipeline::release(self.dispatcher.db(), claim).await
    }
}

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

impl Claimed for JobClaim {
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

/// The end of a job, and what is written along with it.
#[derive(Debug, Clone)]
pub struct JobDone {
    /// How it ended.
    pub end: End,
    /// What the other side answered last: an HTTP status.
    pub last_status: Option<u16>,
    /// Statements of the same transaction.
    pub along: Vec<Statement>,
}

impl JobDone {
    /// Success.
    pub fn completed(result: Option<Value>) -> Self {
        Self { end: End::Completed(result), last_status: None, along: Vec::new() }
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
    type Claim = JobClaim;
    type End = JobDone;

    fn kind(&self) -> JobKind {
        J::KIND
    }
    fn lease(&self) -> Duration {
        self.config.lease.unwrap_or(J::LEASE)
    }
    fn retries(&self, claim: &JobClaim) -> RetryPolicy {
        let policy = claim.job.retry_policy();
        RetryPolicy { base: self.config.retry_base.unwrap_or(policy.base), ..policy }
    }

    async fn claim(&self, id: &str) -> Result<Option<JobClaim>, DbError> {
        job_pipeline::claim(self.dispatcher.db(), J::KIND.name, id, self.lease(), Timestamp::now()).await
    }

    async fn extend(&self, claim: &JobClaim, progress: Option<&str>) -> Result<bool, DbError> {
        job_pipeline::extend(self.dispatcher.db(), claim, self.lease(), progress, Timestamp::now()).await
    }

    async fn finish(&self, claim: &JobClaim, done: &JobDone) -> Result<bool, DbError> {
        let JobDone { end, last_status, along } = done;
        let (db, now) = (self.dispatcher.db(), Timestamp::now());
        let is_recorded = job_pipeline::finish(db, claim, end, *last_status, along.clone(), now).await?;
        // Jobs that name destinations tell them about their end; the database has written the deliveries.
        if is_recorded && claim.job.data.get("webhookDestinationIds").is_some() {
            self.dispatcher.start_jobs(WebhookDelivery::KIND).await;
        }
        Ok(is_recorded)
    }

    async fn retry(&self, claim: &JobClaim, failure: &Failure, pause: Duration) -> Result<bool, DbError> {
        let (db, now) = (self.dispatcher.db(), Timestamp::now());
        let due = now.plus(pause);
        let announced_at = (pause <= MAX_DELAY).then_some(due);
        let recorded = job_pipeline::retry(db, claim, &failure.reason, failure.status, due, announced_at, now).await?;
        if recorded {
            self.dispatcher.announce_retry(J::KIND, &claim.id, pause).await;
        }
        Ok(recorded)
    }

    async fn hand_back(&self, claim: &JobClaim) -> Result<bool, DbError> {
        let is_recorded = job_pipeline::hand_back(self.dispatcher.db(), claim, Timestamp::now()).await?;
        self.dispatcher.start_jobs(J::KIND).await;
        Ok(is_recorded)
    }
}

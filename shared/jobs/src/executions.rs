//! The table of executions as a ledger.

use std::time::Duration;

use shared_core::{
    Timestamp,
    config::ExecutionConfig,
    db::DbError,
    executions::{
        Outcome,
        pipeline::{self, Claim},
    },
    retries::RetryPolicy,
    trace::TraceId,
};

use crate::{
    dispatcher::Dispatcher,
    job::{JobKind, JobType},
    ledger::{Claimed, Ended, Ledger},
    types::{EXECUTION, WebhookDelivery},
    work::Failure,
};

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

//! One attempt at a claimed row: lease, time, cancellation, shutdown, panics, and the record of how it went.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use shared_core::{Timestamp, db::DbError, logging::panic_text, secrets::random_bytes, trace, trace::TraceId};
use tracing::Instrument;

use crate::{
    context::JobContext,
    invocation::Invocation,
    ledger::{Claimed, Ended, Ledger},
    metrics::JobEnd,
    work::{Failure, Stop},
};

/// How an attempt went.
enum Verdict<E> {
    Done(E),
    Stopped(Stop),
    /// Cancelled, or taken over by another worker: nothing to record.
    Lost,
    /// The process must stop.
    HandBack,
}

/// The outcome of an attempt whose claim did not hold until its end.
const LOST: &str = "lost";
/// Pauses between the tries of a write that the store refuses for the moment.
const STORE_PAUSES_MS: [u64; 6] = [50, 100, 200, 400, 800, 1600];

/// Runs attempts at the rows of one ledger.
#[derive(Debug, Clone)]
pub struct Runner<L> {
    ledger: L,
}

impl<L: Ledger> Runner<L> {
    /// Runs what stands in this ledger.
    pub fn new(ledger: L) -> Self {
        Self { ledger }
    }

    /// Takes the row that a message names, unless the process is to stop: maintenance then announces the row again.
    pub async fn claim(&self, id: &str, invocation: &Invocation) -> Result<Option<L::Claim>, DbError> {
        if invocation.shutdown().is_requested() { Ok(None) } else { self.ledger.claim(id).await }
    }

    /// Works on a claimed row and records how that went. `Err` means that not even that could be recorded.
    pub async fn attempt(
        &self,
        claim: &L::Claim,
        invocation: &Invocation,
        work: impl AsyncFnOnce(&JobContext) -> Result<L::End, Stop>,
    ) -> Result<(), DbError> {
        let trace = claim.trace().cloned().unwrap_or_else(TraceId::random);
        let span = tracing::info_span!(
            "job",
            job.name = self.ledger.kind().name,
            job.id = claim.id(),
            attempt = claim.attempt(),
            trace.id = %trace
        );
        // Boxed here and below: the compiler gives up on futures that are nested too deeply.
        let attempt = Box::pin(self.attempt_traced(claim, invocation, work, trace.clone()));
        trace::scope(trace, attempt).instrument(span).await
    }

    async fn attempt_traced(
        &self,
        claim: &L::Claim,
        invocation: &Invocation,
        work: impl AsyncFnOnce(&JobContext) -> Result<L::End, Stop>,
        trace: TraceId,
    ) -> Result<(), DbError> {
        let started = Instant::now();
        let wait_ms = Timestamp::now().millis_since(claim.due_at());
        let policy = self.ledger.retries(claim);
        let deadline = invocation.work_deadline();
        let context = JobContext::new(claim.id(), claim.attempt(), policy.max_attempts, trace.clone(), deadline);
        let work = Box::pin(work(&context));
        let verdict = tokio::select! {
            // What has been done counts, whatever else happens at the same moment.
            biased;
            outcome = AssertUnwindSafe(work).catch_unwind() => match outcome {
                Ok(Ok(end)) => Verdict::Done(end),
                Ok(Err(stop)) => Verdict::Stopped(stop),
                Err(panic) => Verdict::Stopped(Stop::Retry(Failure::new(panicked(&*panic)))),
            },
            () = self.until_claim_is_lost(claim, &context) => Verdict::Lost,
            () = tokio::time::sleep_until(deadline.into()) => {
                Verdict::Stopped(Stop::Retry(Failure::new("the time of the function ran out")))
            }
            () = invocation.shutdown().grace_is_over() => Verdict::HandBack,
        };
        let mut tokens = None;
        let outcome = match verdict {
            Verdict::Done(end) => {
                tokens = end.tokens();
                self.finish(claim, end).await
            }
            Verdict::Stopped(Stop::Retry(failure)) => self.retry(claim, failure).await,
            Verdict::Stopped(Stop::Fail(failure)) => {
                self.finish(claim, L::End::failed(failure.reason, failure.status)).await
            }
            Verdict::Stopped(Stop::Terminate(reason)) => self.finish(claim, L::End::terminated(reason)).await,
            Verdict::Stopped(Stop::Store(error)) => Err(error),
            Verdict::HandBack => {
                persistently(async || self.ledger.hand_back(claim).await).await.map(|held| label(held, "handed-back"))
            }
            Verdict::Lost => Ok(LOST),
        };
        if let Ok(LOST) = outcome
            && let Err(error) = self.ledger.release(claim).await
        {
            // The lease runs out, and maintenance does it.
            tracing::warn!(%error, "not released");
        }
        JobEnd {
            name: self.ledger.kind().name,
            id: claim.id(),
            attempt: claim.attempt(),
            outcome: outcome.as_ref().copied().unwrap_or("error"),
            provider: claim.provider(),
            wait_ms,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            tokens,
            trace: &trace,
        }
        .write();
        outcome.map(|_| ())
    }

    async fn finish(&self, claim: &L::Claim, end: L::End) -> Result<&'static str, DbError> {
        let is_recorded = persistently(async || self.ledger.finish(claim, &end).await).await?;
        Ok(label(is_recorded, end.label()))
    }

    /// Puts the row back, or ends it when no attempts are left.
    async fn retry(&self, claim: &L::Claim, failure: Failure) -> Result<&'static str, DbError> {
        let policy = self.ledger.retries(claim);
        let Some(pause) = policy.pause(claim.attempt(), failure.retry_after, random()) else {
            return self.finish(claim, L::End::failed(failure.reason, failure.status)).await;
        };
        let is_recorded = persistently(async || self.ledger.retry(claim, &failure, pause).await).await?;
        Ok(label(is_recorded, "retry"))
    }

    /// Gives a sign of life now and then; returns when the claim does not hold any more.
    async fn until_claim_is_lost(&self, claim: &L::Claim, context: &JobContext) {
        loop {
            tokio::time::sleep(self.ledger.lease() / 6).await;
            match self.ledger.extend(claim, context.take_progress().as_deref()).await {
                Ok(true) => {}
                Ok(false) => return,
                // The lease still holds for a while; the next try may succeed.
                Err(error) => tracing::warn!(%error, "lease not extended"),
            }
        }
    }
}

/// Repeats a fenced write that the store could not take for the moment: the work is done, and must not be lost to a
/// locked database.
async fn persistently<T>(write: impl AsyncFn() -> Result<T, DbError>) -> Result<T, DbError> {
    for pause in STORE_PAUSES_MS {
        match write().await {
            Err(DbError::Unavailable(reason)) => {
                tracing::warn!(reason, "the store does not take the record; trying again");
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            other => return other,
        }
    }
    write().await
}

fn label(is_recorded: bool, label: &'static str) -> &'static str {
    if is_recorded { label } else { LOST }
}

/// A number in `0..1`.
fn random() -> f64 {
    f64::from(u16::from_be_bytes(random_bytes())) / 65536.0
}

/// A panic becomes a failed attempt with its line in the log, never a dead process.
fn panicked(panic: &(dyn Any + Send)) -> String {
    tracing::error!(panic = panic_text(panic), "a job panicked");
    "the job broke off because of a fault of ours; its id leads to the log".to_owned()
}

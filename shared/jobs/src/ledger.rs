//! Where work is written down: what the runner needs of a table, whichever it is.

use std::time::Duration;

use shared_core::{Timestamp, db::DbError, retries::RetryPolicy, trace::TraceId};

use crate::{job::JobKind, work::Failure};

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

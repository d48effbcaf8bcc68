//! Limits on what costs something or could be guessed, kept in the database, so they hold across all processes.
//!
//! A limit is a token bucket: so much at once, and full again after a period. All that is stored of a bucket is the
//! moment when it will be full (the generic cell rate algorithm). Taking moves that moment on, in one conditional upsert,
//! so those who take at the same time cannot take more than there is. The moment does not depend on the limit, so a
//! changed limit holds at once; and a bucket that is full needs no row, so there are never more rows than buckets that
//! were used within their period.
//!
//! A [`Take`] is a guarded statement: it travels in the very write that it limits, costs no round trip, and is taken back
//! with that write when another part of it fails.

mod network;
mod store;

use std::time::Duration;

pub use network::network_of;
pub use store::forget_full;

use crate::{
    db::{Db, DbError, Rows, Statement},
    instant::Timestamp,
};

/// So much at once, and again after a period, evenly refilled in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    most: u64,
    period: Duration,
}

impl Limit {
    /// At most `most` (at least 1) in `period`.
    pub const fn new(most: u64, period: Duration) -> Self {
        Self { most: if most == 0 { 1 } else { most }, period }
    }

    /// At most `most` in a minute.
    pub const fn per_minute(most: u64) -> Self {
        Self::new(most, Duration::from_secs(60))
    }

    /// At most `most` in an hour.
    pub const fn per_hour(most: u64) -> Self {
        Self::new(most, Duration::from_secs(3600))
    }

    /// How much a full bucket holds.
    pub const fn most(self) -> u64 {
        self.most
    }

    /// By how many nanoseconds taking `amount` moves the moment when the bucket is full.
    pub(crate) fn cost_of(self, amount: u64) -> i64 {
        let nanos = u128::from(amount) * self.period.as_nanos() / u128::from(self.most);
        i64::try_from(nanos).unwrap_or(i64::MAX / 4)
    }

    /// Up to when that moment may lie in the future: then the bucket is empty.
    pub(crate) fn horizon(self, now: Timestamp) -> i64 {
        nanos(now).saturating_add(self.cost_of(self.most))
    }

    /// How much is left of a bucket that will be full at this moment.
    pub(crate) fn left(self, full_at: i64, now: Timestamp) -> u64 {
        let room = self.horizon(now).saturating_sub(full_at.max(nanos(now))).max(0);
        u64::try_from(room / self.cost_of(1).max(1)).unwrap_or(0).min(self.most)
    }

    /// Why `amount` cannot be had of a bucket that will be full at this moment; `None` when it can.
    pub(crate) fn refusal(self, amount: u64, full_at: i64, now: Timestamp) -> Option<TooMany> {
        let missing = full_at.max(nanos(now)).saturating_add(self.cost_of(amount)).saturating_sub(self.horizon(now));
        (missing > 0).then(|| TooMany { retry_after_seconds: whole_seconds(missing) })
    }
}

/// Nanoseconds since 1970.
pub(crate) fn nanos(instant: Timestamp) -> i64 {
    instant.unix_millis().saturating_mul(1_000_000)
}

/// Nanoseconds as seconds, rounded up.
pub(crate) fn whole_seconds(nanos: i64) -> u64 {
    u64::try_from(nanos).unwrap_or(0).div_ceil(1_000_000_000)
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests of this kind; try again in {retry_after_seconds} s")]
pub struct TooMany {
    /// When the same request may succeed; at least 1.
    pub retry_after_seconds: u64,
}

/// Why a limited write did not take place.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// A limit is reached; nothing was written.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Something taken out of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    bucket: String,
    amount: u64,
    limit: Limit,
}

impl Take {
    /// Takes `amount` out of the bucket of `whom`; `what` tells apart what is limited.
    pub fn new(what: &str, whom: &str, amount: u64, limit: Limit) -> Self {
        Self { bucket: format!("{what} {whom}"), amount, limit }
    }

    /// An attempt to guess a password or a token from this address. It is counted before anybody knows whether it was one,
    /// and [given back](Self::give_back) when it was none.
    pub fn guess(address: &str, limit: Limit) -> Self {
        Self::new("guess", &network_of(address), 1, limit)
    }

    /// Fails the whole write with [`DbError::Guard`] when there is not enough left. When the answer of a remote write is
    /// lost, it may be counted twice.
    pub fn statement(&self, now: Timestamp) -> Statement {
        store::take(&self.bucket, self.limit.cost_of(self.amount), self.limit.horizon(now), now)
    }

    /// Puts back what was taken.
    pub fn give_back(&self) -> Statement {
        store::give_back(&self.bucket, self.limit.cost_of(self.amount))
    }
}

/// Writes under limits: everything, or nothing when one of them is reached. Gives the answers to `statements`, none of
/// which has a guard of its own.
pub async fn write(
    db: &Db,
    takes: &[Take],
    statements: Vec<Statement>,
    now: Timestamp,
) -> Result<Vec<Rows>, LimitError> {
    let batch = takes.iter().map(|take| take.statement(now)).chain(statements).collect();
    match db.write(batch).await {
        Ok(mut answers) => Ok(answers.split_off(takes.len())),
        // Somebody may have given back meanwhile what was missing.
        Err(DbError::Guard) => Err(refusal(db, takes, now).await?.unwrap_or(TooMany { retry_after_seconds: 1 }).into()),
        Err(error) => Err(error.into()),
    }
}

/// Takes something by itself, in front of work that has writes of its own.
pub async fn take(db: &Db, take: &Take, now: Timestamp) -> Result<(), LimitError> {
    write(db, std::slice::from_ref(take), Vec::new(), now).await.map(|_| ())
}

/// Which of these takes is refused at present; of several the one that has to wait longest.
async fn refusal(db: &Db, takes: &[Take], now: Timestamp) -> Result<Option<TooMany>, DbError> {
    let moments = store::full_at(db, takes.iter().map(|take| take.bucket.as_str())).await?;
    let refusals =
        takes.iter().zip(moments).filter_map(|(take, full_at)| take.limit.refusal(take.amount, full_at, now));
    Ok(refusals.max_by_key(|reason| reason.retry_after_seconds))
}

#[cfg(test)]
mod tests;

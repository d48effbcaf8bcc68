//! What is older than it is kept. Each round deletes a few batches, so that no write holds up others for long.

use shared_core::{Timestamp, audit, db::DbError, embeddings, executions, jobs};

use crate::Maintenance;

/// How many rows one write deletes.
const BATCH: u32 = 500;
/// How many batches one round deletes of each kind.
const BATCHES: usize = 10;

impl Maintenance {
    pub(crate) async fn delete_old_executions(&self, now: Timestamp) -> Result<u64, DbError> {
        match self.retention.executions.ends(now) {
            Some(before) => in_batches(async || executions::delete_ended(&self.db, before, BATCH).await).await,
            None => Ok(0),
        }
    }

    pub(crate) async fn delete_old_jobs(&self, now: Timestamp) -> Result<u64, DbError> {
        match self.retention.jobs.ends(now) {
            Some(before) => in_batches(async || jobs::delete_ended(&self.db, before, BATCH).await).await,
            None => Ok(0),
        }
    }

    pub(crate) async fn delete_old_audit_entries(&self, now: Timestamp) -> Result<u64, DbError> {
        match self.retention.audit.ends(now) {
            Some(before) => in_batches(async || audit::delete_before(&self.db, before, BATCH).await).await,
            None => Ok(0),
        }
    }

    pub(crate) async fn delete_old_embeddings(&self, now: Timestamp) -> Result<u64, DbError> {
        in_batches(async || embeddings::delete_expired_results(&self.db, BATCH, now).await).await
    }
}

/// Deletes batch by batch until one is not full; tells how many rows there were.
async fn in_batches(delete: impl AsyncFn() -> Result<u64, DbError>) -> Result<u64, DbError> {
    let mut deleted = 0;
    for _ in 0..BATCHES {
        let batch = delete().await?;
        deleted += batch;
        if batch < u64::from(BATCH) {
            break;
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Deletes from so many rows; gives what was deleted and in how many batches.
    async fn delete_from(rows: u64) -> (u64, u32) {
        let (left, batches) = (Cell::new(rows), Cell::new(0));
        let deleted = in_batches(async || {
            let batch = left.get().min(u64::from(BATCH));
            left.set(left.get() - batch);
            batches.set(batches.get() + 1);
            Ok(batch)
        });
        (deleted.await.unwrap(), batches.get())
    }

    #[tokio::test]
    async fn a_round_ends_with_the_rows_or_after_ten_batches() {
        assert_eq!(delete_from(0).await, (0, 1));
        assert_eq!(delete_from(499).await, (499, 1));
        assert_eq!(delete_from(1200).await, (1200, 3));
        assert_eq!(delete_from(1_000_000).await, (5000, 10));
    }
}

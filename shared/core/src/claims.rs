//! What the pipelines of executions and jobs share: leases, fences and the columns of a claimed row.

use std::time::Duration;

use crate::{
    db::{DbError, Row, Rows},
    instant::Timestamp,
    trace::TraceId,
};

/// When a lease ends that begins now.
pub(crate) fn end_of(lease: Duration, now: Timestamp) -> Timestamp {
    now.plus_millis(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// Whether a fenced write took effect.
pub(crate) fn changed_one(outcome: Result<Vec<Rows>, DbError>) -> Result<bool, DbError> {
    match outcome {
        Ok(_) => Ok(true),
        Err(DbError::Guard) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The trace in the column `trace_id`; rows of an imported installation have none.
pub(crate) fn trace_of(row: &Row) -> Result<Option<TraceId>, DbError> {
    Ok(row.get::<Option<String>>("trace_id")?.as_deref().and_then(TraceId::parse))
}

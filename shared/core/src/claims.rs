//! What the pipelines of executions and jobs share: fences and the columns of a claimed row.

use crate::{
    db::{DbError, Row, Rows},
    trace::TraceId,
};

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

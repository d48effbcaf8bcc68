//! What the pipelines of executions and jobs share: fences, recovery and the columns of a claimed row.

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

/// What one round of recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows whose worker went silent and that wait again.
    pub requeued: Vec<String>,
    /// Rows whose worker went silent at the last attempt.
    pub interrupted: Vec<String>,
    /// Rows that were announced a while ago and that nobody took; they are announced again.
    pub unanswered: Vec<String>,
}

impl Recovered {
    /// From the answers of the three updates, in the order of the members.
    pub(crate) fn from_answers(answers: &[Rows]) -> Result<Self, DbError> {
        let of = |index: usize| ids(&answers[index].rows);
        Ok(Self { requeued: of(0)?, interrupted: of(1)?, unanswered: of(2)? })
    }
}

/// The ids that an update returns.
pub(crate) fn ids(rows: &[Row]) -> Result<Vec<String>, DbError> {
    rows.iter().map(|row| row.get("id")).collect()
}

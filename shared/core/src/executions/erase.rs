//! Erasing an execution for good (`docs/deletion.md`).

use super::{find, store};
use crate::{
    audit::{self, Action},
    comments,
    db::{Db, DbError},
};

/// Why an execution was not erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// No execution with this id.
    #[error("there is no such execution")]
    NotFound,
    /// It waits or runs.
    #[error("only an execution that has ended can be erased; this one is {0}, so cancel it first")]
    NotEnded(&'static str),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Deletes an execution that has ended, and the comments on it, which quote it. Counters follow by trigger, sums of usage
/// stay.
pub async fn erase(db: &Db, id: &str) -> Result<(), EraseError> {
    let entry = audit::entry(Action::ExecutionErased).on(id);
    match db.write(vec![store::delete_if_ended(id), comments::delete_on_execution(id), entry.record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => {
            let found = find(db, id).await?.ok_or(EraseError::NotFound)?;
            Err(EraseError::NotEnded(found.status.as_str()))
        }
        Err(error) => Err(error.into()),
    }
}

//! Invitations that nobody accepted in time: the account goes, its address is free again.

use shared_core::{
    Timestamp,
    db::DbError,
    users::{self, UserError},
};

use crate::Maintenance;

impl Maintenance {
    pub(crate) async fn delete_expired_invitations(&self, now: Timestamp) -> Result<u64, DbError> {
        users::delete_expired_invitations(&self.db, now).await.map_err(|error| match error {
            UserError::Db(error) => error,
            other => DbError::Other(other.to_string()),
        })
    }
}

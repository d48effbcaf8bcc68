//! A new secret for a key that stays what it is, without a moment in which programs fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ApiKeyError, OwnedKey, PREFIX_LENGTH, new_key, store};
use crate::{
    audit::{self, Action, View},
    db::{Db, DbError},
    instant::Timestamp,
    secret::Secret,
    secrets::digest,
};

/// The key before the latest rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousKey {
    /// SHA-256 of it.
    pub digest: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl PreviousKey {
    pub(super) fn opens_with(&self, digest: &str, now: Timestamp) -> bool {
        self.digest == digest && self.expires_at > now
    }
}

/// Gives a key a new secret. The one in force works beside it for `grace`; what worked before that ends at once, so that
/// two secrets work at most. A key of another installation that was never used here ends at once, too: only its slow hash
/// is known, and there is room for that of one key.
pub async fn rotate(
    db: &Db,
    user_id: &str,
    id: &str,
    grace: Duration,
    now: Timestamp,
) -> Result<(OwnedKey, Secret), ApiKeyError> {
    let mut found = store::find_owned(db, user_id, id).await?.ok_or(ApiKeyError::NotFound)?;
    if !found.key.data.works_at(now) {
        return Err(ApiKeyError::Ended);
    }
    let plain = new_key();
    let key = &mut found.key;
    let replaced = key.data.key_digest.replace(digest(plain.reveal()));
    key.data.key_hash = None;
    key.data.key_prefix = plain.reveal()[..PREFIX_LENGTH].to_owned();
    key.data.previous_key =
        replaced.filter(|_| !grace.is_zero()).map(|digest| PreviousKey { digest, expires_at: now.plus(grace) });
    key.updated_at = now;
    let grace_ends = key.data.previous_key.as_ref().map(|previous| previous.expires_at);
    let entry = audit::entry(Action::ApiKeyRotated).on(id).after(View::new().keep("previousKeyExpiresAt", grace_ends));
    match db.write(vec![store::replace(key), entry.record()]).await {
        Ok(_) => key.revision += 1,
        Err(DbError::Guard) => return Err(ApiKeyError::Stale),
        Err(error) => return Err(error.into()),
    }
    Ok((found, plain))
}

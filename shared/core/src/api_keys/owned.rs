//! What owners do with their keys (contract 5).

use super::{ApiKey, ApiKeyStatus, PREFIX_LENGTH, Scope, new_key, store};
use crate::{
    audit::{self, Action, View},
    db::{Db, DbError, Statement},
    documents::Document,
    ids,
    instant::Timestamp,
    secret::Secret,
    secrets::digest,
};

/// A key as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedKey {
    /// The key.
    pub key: Document<ApiKey>,
    /// Authorised calls so far.
    pub total_requests: u64,
    /// When the latest of them came.
    pub last_used_at: Option<Timestamp>,
    /// The network address that it came from, where known.
    pub last_ip: Option<String>,
}

/// Why an operation on keys was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// The caller owns no key with this id.
    #[error("you have no such API key")]
    NotFound,
    /// The key was revoked or has expired, so it gets no new secret.
    #[error("the API key was revoked or has expired, so it cannot be rotated")]
    Ended,
    /// Somebody else changed the key at the same time.
    #[error("the API key was changed at the same time; try again")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Name to show; need not be unique.
    pub name: String,
    /// What it may be used for, as sent.
    pub scopes: Vec<Scope>,
    /// When it stops working, if ever.
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute, if not as many as others.
    pub requests_per_minute: Option<u32>,
}

/// What an owner changes about a key.
#[derive(Debug, Clone)]
pub struct ApiKeyEdit {
    /// New name.
    pub name: String,
    /// New end; stays as it is, when absent.
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute from now on; as many as before, when absent.
    pub requests_per_minute: Option<u32>,
}

/// Makes a key; gives the key itself too, which cannot be had again.
pub async fn create(db: &Db, user_id: &str, new: NewApiKey, now: Timestamp) -> Result<(OwnedKey, Secret), ApiKeyError> {
    let plain = new_key();
    let data = ApiKey {
        user_id: user_id.to_owned(),
        name: new.name,
        key_prefix: plain.reveal()[..PREFIX_LENGTH].to_owned(),
        key_digest: Some(digest(plain.reveal())),
        key_hash: None,
        scopes: new.scopes,
        status: ApiKeyStatus::Active,
        expires_at: new.expires_at,
        requests_per_minute: new.requests_per_minute,
        previous_key: None,
    };
    let id = ids::new_id();
    let view = View::new()
        .withhold("name", &data.name)
        .keep("scopes", data.scopes.iter().map(|scope| scope.as_str()).collect::<audit::Plain>())
        .keep("expiresAt", data.expires_at)
        .keep("requestsPerMinute", data.requests_per_minute);
    let entry = audit::entry(Action::ApiKeyCreated).on(&id).after(view);
    db.write(vec![store::insert(&id, &data, now), entry.record()]).await?;
    let key = Document { id, data, revision: 0, created_at: now, updated_at: now };
    Ok((OwnedKey { key, total_requests: 0, last_used_at: None, last_ip: None }, plain))
}

/// Changes a key; its scopes stay as they are.
pub async fn update(
    db: &Db,
    user_id: &str,
    id: &str,
    edit: &ApiKeyEdit,
    now: Timestamp,
) -> Result<OwnedKey, ApiKeyError> {
    let view = View::new()
        .withhold("name", &edit.name)
        .keep("expiresAt", edit.expires_at)
        .keep("requestsPerMinute", edit.requests_per_minute);
    let entry = audit::entry(Action::ApiKeyUpdated).on(id).after(view);
    changed(db, vec![store::update(user_id, id, edit, now), entry.record()]).await
}

/// Takes a key back for good; it stays listed. Doing so again changes nothing.
pub async fn revoke(db: &Db, user_id: &str, id: &str, now: Timestamp) -> Result<OwnedKey, ApiKeyError> {
    changed(db, vec![store::revoke(user_id, id, now), audit::entry(Action::ApiKeyRevoked).on(id).record()]).await
}

/// The key that the first statement returns; without one nothing is written.
async fn changed(db: &Db, writes: Vec<Statement>) -> Result<OwnedKey, ApiKeyError> {
    match db.write(writes).await {
        Ok(answers) => store::first_owned(&answers)?.ok_or(ApiKeyError::NotFound),
        Err(DbError::Guard) => Err(ApiKeyError::NotFound),
        Err(error) => Err(error.into()),
    }
}

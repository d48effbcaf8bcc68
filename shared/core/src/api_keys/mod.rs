//! API keys: how a call with `X-API-Key` is recognised, and what owners do with their keys (contract 2.4 and 5,
//! decision A-16).

mod owned;
mod rotation;
mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use owned::{ApiKeyEdit, ApiKeyError, NewApiKey, OwnedKey, create, revoke, update};
pub use rotation::{PreviousKey, rotate};
pub use store::{KeyStats, delete_of_user, find_owned, insert, list_owned, stats};

use crate::{
    db::{Db, DbError},
    documents::Document,
    instant::Timestamp,
    limits::{self, Limit, LimitError, TooMany},
    secret::Secret,
    secrets::{digest, random_bytes},
    users::{User, UserStatus},
};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKeyScope)]
pub enum Scope {
    /// Create executions.
    #[serde(rename = "executions:run")]
    ExecutionsRun,
    /// Read an execution.
    #[serde(rename = "executions:read")]
    ExecutionsRead,
    /// Preview a prompt.
    #[serde(rename = "prompts:preview")]
    PromptsPreview,
    /// Read a prompt.
    #[serde(rename = "prompts:read")]
    PromptsRead,
    /// Upload a file.
    #[serde(rename = "files:upload")]
    FilesUpload,
    /// Run a deployment.
    #[serde(rename = "deployments:run")]
    DeploymentsRun,
    /// Run an embedding deployment.
    #[serde(rename = "deployment-embeddings:run")]
    DeploymentEmbeddingsRun,
}

impl Scope {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExecutionsRun => "executions:run",
            Self::ExecutionsRead => "executions:read",
            Self::PromptsPreview => "prompts:preview",
            Self::PromptsRead => "prompts:read",
            Self::FilesUpload => "files:upload",
            Self::DeploymentsRun => "deployments:run",
            Self::DeploymentEmbeddingsRun => "deployment-embeddings:run",
        }
    }
}

/// Whether a key still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiKeyStatus {
    /// It works.
    Active,
    /// Its owner took it back.
    Revoked,
}

/// A stored key. The key itself is shown once, at creation, and never kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The owner.
    pub user_id: String,
    /// Name to show.
    pub name: String,
    /// First 16 characters of the key.
    pub key_prefix: String,
    /// SHA-256 of the key. Absent in imported rows until their first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_digest: Option<String>,
    /// bcrypt hash of an imported key; dropped at its first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_hash: Option<String>,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Whether it still works.
    pub status: ApiKeyStatus,
    /// When it stops working; never, unless its owner said so (defect A-19).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute, instead of what the installation says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// What worked before the latest rotation, and until when it still does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_key: Option<PreviousKey>,
}

impl ApiKey {
    fn works_at(&self, now: Timestamp) -> bool {
        self.status == ApiKeyStatus::Active && self.expires_at.is_none_or(|end| end > now)
    }

    /// Whether the key with this digest opens what this row stands for.
    fn opens_with(&self, digest: &str, now: Timestamp) -> bool {
        let is_current = self.key_digest.as_deref() == Some(digest);
        self.works_at(now) && (is_current || self.previous_key.as_ref().is_some_and(|key| key.opens_with(digest, now)))
    }
}

/// Length of [`ApiKey::key_prefix`].
pub const PREFIX_LENGTH: usize = 16;

/// A fresh key: `api_` and 64 hex digits, 256 random bits.
pub fn new_key() -> Secret {
    Secret::new(format!("api_{}", hex::encode(random_bytes::<32>())))
}

/// A key that a call brought, with its owner.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundKey {
    /// The key.
    pub key: Document<ApiKey>,
    /// Whose it is.
    pub owner: Document<User>,
    /// When its allowance of requests is whole again.
    full_at: i64,
}

/// What a key has left after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many requests a minute has.
    pub most: u64,
    /// How many more can be made at once.
    pub left: u64,
    /// After how many seconds without requests all of them can.
    pub full_in_seconds: u64,
}

/// The key and its owner, or `None` when the key is unknown, revoked, expired or malformed, or its owner is not active.
pub async fn authenticate(db: &Db, key: &str) -> Result<Option<FoundKey>, DbError> {
    if !is_well_formed(key) {
        return Ok(None);
    }
    let key_digest = digest(key);
    let found = match store::find_by_digest(db, &key_digest).await? {
        Some(found) => Some(found),
        None => find_imported(db, key, &key_digest).await?,
    };
    let now = Timestamp::now();
    Ok(found.filter(|FoundKey { key, owner, .. }| {
        key.data.opens_with(&key_digest, now) && owner.data.status == UserStatus::Active
    }))
}

/// Counts one authorised call from this address, unless the key has made as many as it may: the limit of its own or else
/// `standard`, if there is one. Gives what is left.
pub async fn record_use(
    db: &Db,
    found: &FoundKey,
    standard: Option<Limit>,
    address: &str,
    now: Timestamp,
) -> Result<Option<Allowance>, LimitError> {
    let own = found.key.data.requests_per_minute.map(|most| Limit::per_minute(most.into()));
    let limit = own.or(standard);
    // What was read when the key was recognised can only have become less.
    if let Some(reason) = limit.and_then(|limit| limit.refusal(1, found.full_at, now)) {
        return Err(reason.into());
    }
    let answers = db.write(vec![store::record_use(&found.key.id, address, limit, now)]).await?;
    let Some(row) = answers.first().and_then(|answer| answer.first()) else {
        // Others took the rest meanwhile. (A key without a limit was deleted meanwhile.)
        let Some(limit) = limit else { return Ok(None) };
        return Err(TooMany { retry_after_seconds: limits::whole_seconds(limit.cost_of(1)).max(1) }.into());
    };
    let full_at: i64 = row.get("full_at")?;
    Ok(limit.map(|limit| Allowance {
        most: limit.most(),
        left: limit.left(full_at, now),
        full_in_seconds: limits::whole_seconds(full_at.saturating_sub(limits::nanos(now))),
    }))
}

/// `api_` and 64 lower-case hex digits; anything else cannot be a key and costs no query.
fn is_well_formed(key: &str) -> bool {
    key.strip_prefix("api_").is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Looks among imported rows, which hold a slow hash, by prefix; gives the row that fits its digest.
async fn find_imported(db: &Db, key: &str, key_digest: &str) -> Result<Option<FoundKey>, DbError> {
    for mut found in store::find_imported_by_prefix(db, &key[..PREFIX_LENGTH]).await? {
        let Some(hash) = found.key.data.key_hash.take() else { continue };
        let candidate = Secret::new(key);
        let check = tokio::task::spawn_blocking(move || bcrypt::verify(candidate.reveal(), &hash).unwrap_or(false));
        if check.await.unwrap_or(false) {
            found.key.data.key_digest = Some(key_digest.to_owned());
            match db.write(vec![store::replace(&found.key)]).await {
                Ok(_) | Err(DbError::Guard) => return Ok(Some(found)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;

//! All SQL of API keys.

use super::{ApiKey, OwnedKey};
use crate::{
    db::{Db, DbError, Row, Rows, Statement},
    documents::{COLUMNS, Collection, Document},
    instant::Timestamp,
    params,
    users::User,
};

const API_KEYS: Collection = Collection::new("api_keys");

/// A key and its owner in one row, the owner's columns prefixed.
const WITH_OWNER: &str = "SELECT k.id, k.data, k.revision, k.created_at, k.updated_at,
        u.id AS owner_id, u.data AS owner_data, u.revision AS owner_revision,
        u.created_at AS owner_created_at, u.updated_at AS owner_updated_at
    FROM api_keys k JOIN users u ON u.id = k.user_id";

pub(super) async fn find_by_digest(
    db: &Db,
    digest: &str,
) -> Result<Option<(Document<ApiKey>, Document<User>)>, DbError> {
    let rows = db.read(format!("{WITH_OWNER} WHERE k.key_digest = ?1"), params![digest]).await?;
    rows.first().map(with_owner).transpose()
}

pub(super) async fn find_imported_by_prefix(
    db: &Db,
    prefix: &str,
) -> Result<Vec<(Document<ApiKey>, Document<User>)>, DbError> {
    let sql = format!("{WITH_OWNER} WHERE k.key_prefix = ?1 AND k.key_digest IS NULL");
    db.read(sql, params![prefix]).await?.rows.iter().map(with_owner).collect()
}

fn with_owner(row: &Row) -> Result<(Document<ApiKey>, Document<User>), DbError> {
    let owner = Document {
        id: row.get("owner_id")?,
        data: row.json("owner_data")?,
        revision: row.get("owner_revision")?,
        created_at: row.get("owner_created_at")?,
        updated_at: row.get("owner_updated_at")?,
    };
    Ok((Document::from_row(row)?, owner))
}

/// Inserts a key.
pub fn insert(id: &str, key: &ApiKey, now: Timestamp) -> Statement {
    API_KEYS.insert(id, key, now)
}

pub(super) fn replace(key: &Document<ApiKey>) -> Statement {
    API_KEYS.replace(&key.id, &key.data, key.revision, key.updated_at)
}

/// Counts one authorised call.
pub fn record_use(id: &str, address: &str, now: Timestamp) -> Statement {
    let sql = "UPDATE api_keys SET total_requests = total_requests + 1, last_used_at = ?3, last_ip = ?2 WHERE id = ?1";
    Statement::new(sql, params![id, address, now])
}

/// The columns of an [`OwnedKey`].
fn owned_columns() -> String {
    format!("{COLUMNS}, total_requests, last_used_at, last_ip")
}

fn owned(row: &Row) -> Result<OwnedKey, DbError> {
    let address: Option<String> = row.get("last_ip")?;
    Ok(OwnedKey {
        key: Document::from_row(row)?,
        total_requests: row.get("total_requests")?,
        last_used_at: row.get("last_used_at")?,
        last_ip: address.filter(|text| !text.is_empty()),
    })
}

/// The key that a statement returned, if it met one.
pub(super) fn first_owned(answers: &[Rows]) -> Result<Option<OwnedKey>, DbError> {
    answers.first().and_then(Rows::first).map(owned).transpose()
}

/// All keys of a user, newest first, revoked ones included.
pub async fn list_owned(db: &Db, user_id: &str) -> Result<Vec<OwnedKey>, DbError> {
    let columns = owned_columns();
    let sql = format!("SELECT {columns} FROM api_keys WHERE user_id = ?1 ORDER BY created_at DESC, id DESC");
    db.read(sql, params![user_id]).await?.rows.iter().map(owned).collect()
}

/// A user's key with this id.
pub async fn find_owned(db: &Db, user_id: &str, id: &str) -> Result<Option<OwnedKey>, DbError> {
    let sql = format!("SELECT {} FROM api_keys WHERE id = ?2 AND user_id = ?1", owned_columns());
    first_owned(&[db.read(sql, params![user_id, id]).await?])
}

pub(super) fn rename(user_id: &str, id: &str, name: &str, now: Timestamp) -> Statement {
    let sql = format!(
        "UPDATE api_keys SET data = json_set(data, '$.name', ?3), revision = revision + 1, updated_at = ?4
        WHERE id = ?2 AND user_id = ?1 RETURNING {}",
        owned_columns()
    );
    Statement::new(sql, params![user_id, id, name, now]).expecting_one()
}

/// A key that is revoked already keeps the time of its last change.
pub(super) fn revoke(user_id: &str, id: &str, now: Timestamp) -> Statement {
    let sql = format!(
        "UPDATE api_keys SET data = json_set(data, '$.status', 'revoked'), revision = revision + 1,
            updated_at = CASE status WHEN 'revoked' THEN updated_at ELSE ?3 END
        WHERE id = ?2 AND user_id = ?1 RETURNING {}",
        owned_columns()
    );
    Statement::new(sql, params![user_id, id, now]).expecting_one()
}

/// Deletes all keys of a user who is deleted.
pub fn delete_of_user(user_id: &str) -> Statement {
    Statement::new("DELETE FROM api_keys WHERE user_id = ?1", params![user_id])
}

/// Totals over the keys of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyStats {
    /// All keys.
    pub total_keys: u64,
    /// Those that were not revoked.
    pub active_keys: u64,
    /// Those that were.
    pub revoked_keys: u64,
    /// Authorised calls with any of them.
    pub total_requests: u64,
}

/// Totals over the keys of a user.
pub async fn stats(db: &Db, user_id: &str) -> Result<KeyStats, DbError> {
    let sql = "SELECT count(*) AS total_keys,
            COALESCE(sum(status = 'active'), 0) AS active_keys,
            COALESCE(sum(status = 'revoked'), 0) AS revoked_keys,
            COALESCE(sum(total_requests), 0) AS total_requests
        FROM api_keys WHERE user_id = ?1";
    let rows = db.read(sql, params![user_id]).await?;
    let row = rows.first().ok_or(DbError::Column("total_keys"))?;
    Ok(KeyStats {
        total_keys: row.get("total_keys")?,
        active_keys: row.get("active_keys")?,
        revoked_keys: row.get("revoked_keys")?,
        total_requests: row.get("total_requests")?,
    })
}

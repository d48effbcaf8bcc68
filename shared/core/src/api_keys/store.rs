//! All SQL of API keys.

use super::ApiKey;
use crate::{
    db::{Db, DbError, Row, Statement},
    documents::{Collection, Document},
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

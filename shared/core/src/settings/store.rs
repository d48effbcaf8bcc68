//! All SQL of settings.

use super::{ServiceName, Setting, SettingType};
use crate::{
    db::{Db, DbError, Rows, Statement},
    documents::{Collection, Document, Filter, to_json},
    instant::Timestamp,
    params,
    provider_name::ProviderName,
};

const SETTINGS: Collection = Collection::new("settings");
const NEWEST_FIRST: &str = "created_at DESC, id DESC";

/// The setting with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Document<Setting>>, DbError> {
    SETTINGS.find(db, id).await
}

/// The setting of a type with this identifier.
pub async fn find_by_identifier(
    db: &Db,
    kind: SettingType,
    identifier: &str,
) -> Result<Option<Document<Setting>>, DbError> {
    let filter = Filter { condition: "type = ?1 AND identifier = ?2", params: params![kind.as_str(), identifier] };
    SETTINGS.find_where(db, filter).await
}

/// All settings, or those of one type, newest first.
pub async fn list(db: &Db, kind: Option<SettingType>) -> Result<Vec<Document<Setting>>, DbError> {
    let filter = match kind {
        Some(kind) => Filter { condition: "type = ?1", params: params![kind.as_str()] },
        None => Filter { condition: "true", params: params![] },
    };
    SETTINGS.list(db, filter, NEWEST_FIRST).await
}

/// Ciphertext of the key that executions of this provider use, if an active one is stored.
pub async fn find_active_llm_key(db: &Db, provider: ProviderName) -> Result<Option<String>, DbError> {
    let sql = "SELECT json_extract(data, '$.api_key') AS api_key FROM settings
        WHERE type = 'llm-api-key' AND identifier = ?1 AND active = 1";
    let rows = db.read(sql, params![provider.as_str()]).await?;
    rows.first().map(|row| row.get("api_key")).transpose()
}

/// Ciphertext of the key that jobs use for this service, if an active one is stored.
pub async fn find_active_service_key(db: &Db, service: ServiceName) -> Result<Option<String>, DbError> {
    let sql = "SELECT json_extract(data, '$.api_key') AS api_key FROM settings
        WHERE type = 'service-api-key' AND identifier = ?1 AND active = 1";
    let rows = db.read(sql, params![service.as_str()]).await?;
    rows.first().map(|row| row.get("api_key")).transpose()
}

/// The newest active webhook destination with exactly this address.
pub async fn find_active_destination(db: &Db, url: &str) -> Result<Option<Document<Setting>>, DbError> {
    let condition = "type = 'webhook-destination' AND active = 1 AND json_extract(data, '$.url') = ?1";
    let filter = Filter { condition, params: params![url] };
    let found = SETTINGS.list(db, filter, NEWEST_FIRST).await?;
    Ok(found.into_iter().next())
}

/// The providers with an active key and its ciphertext, newest setting first.
pub async fn active_providers(db: &Db) -> Result<Vec<(ProviderName, String)>, DbError> {
    active_providers_of(&db.read_many(vec![active_providers_query()]).await?.remove(0))
}

/// Asks for the providers with an active key, together with other questions.
pub(crate) fn active_providers_query() -> Statement {
    let sql = "SELECT identifier, json_extract(data, '$.api_key') AS api_key FROM settings
        WHERE type = 'llm-api-key' AND active = 1 ORDER BY created_at DESC, id DESC";
    Statement::new(sql, params![])
}

/// Reads the answer to that.
pub(crate) fn active_providers_of(answer: &Rows) -> Result<Vec<(ProviderName, String)>, DbError> {
    let pairs = answer.rows.iter().map(|row| {
        let identifier: String = row.get("identifier")?;
        Ok((identifier.parse().map_err(|_| DbError::Column("identifier"))?, row.get("api_key")?))
    });
    pairs.collect()
}

/// Whether any provider can be used (defect S-07: inactive keys do not count).
pub async fn any_active_llm_key(db: &Db) -> Result<bool, DbError> {
    let sql = "SELECT 1 AS one FROM settings WHERE type = 'llm-api-key' AND active = 1 LIMIT 1";
    Ok(db.read(sql, params![]).await?.first().is_some())
}

/// Those of the ids that are no webhook destination.
pub(super) async fn unknown_destinations(db: &Db, ids: &[String]) -> Result<Vec<String>, DbError> {
    let sql = "SELECT DISTINCT value FROM json_each(?1) WHERE NOT EXISTS
        (SELECT 1 FROM settings WHERE settings.id = value AND settings.type = 'webhook-destination')";
    let rows = db.read(sql, params![to_json(&ids)]).await?.rows;
    rows.iter().map(|row| row.get("value")).collect()
}

pub(super) fn insert(id: &str, setting: &Setting, now: Timestamp) -> Statement {
    SETTINGS.insert(id, setting, now)
}

pub(super) fn replace(id: &str, setting: &Setting, revision: i64, now: Timestamp) -> Statement {
    SETTINGS.replace(id, setting, revision, now)
}

pub(super) fn delete(id: &str) -> Statement {
    SETTINGS.delete(id).expecting_one()
}

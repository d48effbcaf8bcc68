//! All SQL of accounts.

use super::User;
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter, to_json},
    instant::Timestamp,
    params,
};

const USERS: Collection = Collection::new("users");

/// Whether any account of any status exists.
pub async fn any_exists(db: &Db) -> Result<bool, DbError> {
    Ok(db.read("SELECT 1 AS one FROM users LIMIT 1", params![]).await?.first().is_some())
}

/// The account with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Document<User>>, DbError> {
    USERS.find(db, id).await
}

/// The account with this normalised address.
pub(super) async fn find_by_email(db: &Db, email: &str) -> Result<Option<Document<User>>, DbError> {
    USERS.find_where(db, Filter { condition: "email = ?1", params: params![email] }).await
}

pub(super) async fn find_by_invitation(db: &Db, token_digest: &str) -> Result<Option<Document<User>>, DbError> {
    USERS.find_where(db, Filter { condition: "invitation_digest = ?1", params: params![token_digest] }).await
}

/// Inserts an account.
pub fn insert(id: &str, user: &User, now: Timestamp) -> Statement {
    USERS.insert(id, user, now)
}

/// Inserts the account only while there is none at all.
pub(super) fn insert_first(id: &str, user: &User, now: Timestamp) -> Statement {
    let sql = "INSERT INTO users (id, data, created_at, updated_at)
        SELECT ?1, ?2, ?3, ?3 WHERE NOT EXISTS (SELECT 1 FROM users)";
    Statement::new(sql, params![id, to_json(user), now]).expecting_one()
}

/// Replaces an account that is still at `revision`.
pub fn replace(id: &str, user: &User, revision: i64, now: Timestamp) -> Statement {
    USERS.replace(id, user, revision, now)
}

pub(super) fn bump_session_version(id: &str, now: Timestamp) -> Statement {
    let sql = "UPDATE users SET revision = revision + 1, updated_at = ?2, data = json_set(
        data, '$.session_version', COALESCE(json_extract(data, '$.session_version'), 0) + 1) WHERE id = ?1";
    Statement::new(sql, params![id, now])
}

/// Counts an attempt as failed in advance and locks at the limit; changes nothing while the account is locked.
/// An expired lock starts a new count (defect A-08).
pub(super) fn reserve_sign_in(id: &str, limit: u32, locked_until: Timestamp, now: Timestamp) -> Statement {
    let sql = "UPDATE users SET
            failed_sign_ins = CASE WHEN locked_until IS NULL THEN failed_sign_ins ELSE 0 END + 1,
            locked_until = CASE
                WHEN CASE WHEN locked_until IS NULL THEN failed_sign_ins ELSE 0 END + 1 >= ?2 THEN ?3 END
        WHERE id = ?1 AND (locked_until IS NULL OR locked_until <= ?4)
        RETURNING id";
    Statement::new(sql, params![id, limit, locked_until, now])
}

/// Records a successful sign-in and clears what the attempts left behind.
pub(super) fn record_sign_in(id: &str, now: Timestamp) -> Statement {
    let sql = "UPDATE users SET failed_sign_ins = 0, locked_until = NULL, last_login = ?2 WHERE id = ?1";
    Statement::new(sql, params![id, now])
}

pub(super) async fn failures_of_address(db: &Db, address: &str, since: Timestamp) -> Result<i64, DbError> {
    let sql = "SELECT COALESCE(sum(failures), 0) AS n FROM sign_in_failures WHERE address = ?1 AND window_start >= ?2";
    db.read(sql, params![address, since]).await?.first().map_or(Ok(0), |row| row.get("n"))
}

/// Counts a failure of a network address and forgets windows that have passed.
pub(super) fn record_failure(address: &str, window_start: Timestamp, forget_before: Timestamp) -> Vec<Statement> {
    let count = "INSERT INTO sign_in_failures (address, window_start, failures) VALUES (?1, ?2, 1)
        ON CONFLICT (address, window_start) DO UPDATE SET failures = failures + 1";
    let forget = "DELETE FROM sign_in_failures WHERE window_start < ?1";
    vec![Statement::new(count, params![address, window_start]), Statement::new(forget, params![forget_before])]
}

//! All SQL of accounts.

use super::{Role, User, UserStatus};
use crate::{
    audit::Entry,
    db::{Db, DbError, Row, Statement, Value},
    documents::{COLUMNS, Collection, Document, Filter, to_json},
    instant::Timestamp,
    pagination::{Page, PageRequest},
    params,
};

const USERS: Collection = Collection::new("users");

/// Which accounts a list shows; members combine with AND.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only this role.
    pub role: Option<Role>,
    /// Only this status.
    pub status: Option<UserStatus>,
    /// Only those whose name or address contains this text; empty means all.
    pub search: String,
}

/// An account as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserListed {
    /// The account.
    pub user: Document<User>,
    /// When the person signed in last, if ever.
    pub last_login: Option<Timestamp>,
}

/// Whether any account of any status exists.
pub async fn any_exists(db: &Db) -> Result<bool, DbError> {
    Ok(db.read("SELECT 1 AS one FROM users LIMIT 1", params![]).await?.first().is_some())
}

/// The account with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Document<User>>, DbError> {
    USERS.find(db, id).await
}

/// Asks for the account whose invitation has this digest; [`Document::first`] reads the answer.
pub(super) fn by_invitation(token_digest: &str) -> Statement {
    USERS.query(Filter { condition: "invitation_digest = ?1", params: params![token_digest] })
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

/// An account that can sign in and manage users and settings; the same as `User::can_manage`.
const CAN_MANAGE: &str = "role = 'admin' AND status = 'active' AND json_extract(data, '$.password_hash') IS NOT NULL";

/// Whether another account than this one can manage the system.
pub(super) async fn another_admin_exists(db: &Db, id: &str) -> Result<bool, DbError> {
    let sql = format!("SELECT 1 AS one FROM users WHERE id <> ?1 AND {CAN_MANAGE} LIMIT 1");
    Ok(db.read(sql, params![id]).await?.first().is_some())
}

/// Changes nothing, but fails the write when no other account can manage the system.
pub(super) fn expect_another_admin(id: &str) -> Statement {
    let sql = format!(
        "UPDATE users SET revision = revision
        WHERE id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id <> ?1 AND {CAN_MANAGE})"
    );
    Statement::new(sql, params![id]).expecting_one()
}

/// Deletes an account, unless it is the last one that can manage the system.
pub(super) fn delete_unless_last_admin(id: &str) -> Statement {
    let sql = format!(
        "DELETE FROM users
        WHERE id = ?1 AND (NOT ({CAN_MANAGE}) OR EXISTS (SELECT 1 FROM users WHERE id <> ?1 AND {CAN_MANAGE}))"
    );
    Statement::new(sql, params![id]).expecting_one()
}

/// Deletes pending accounts whose invitation has expired, after an entry about them.
pub(super) fn delete_expired(entry: Entry, now: Timestamp) -> Vec<Statement> {
    let expired = "status = 'pending' AND json_extract(data, '$.invitation.expires_at')";
    let details = format!(
        "SELECT json_object('count', count(*), 'ids', json((
                SELECT json_group_array(id) FROM (SELECT id FROM users WHERE {expired} <= ?14 LIMIT 100)
            ))) AS details
        FROM users WHERE {expired} <= ?14 HAVING count(*) > 0"
    );
    let delete = format!("DELETE FROM users WHERE {expired} <= ?1");
    vec![entry.record_from(&details, params![now]), Statement::new(delete, params![now])]
}

/// One page of the matching accounts, newest first; of a search, matches of the name come before those of the address.
pub async fn list(db: &Db, filter: &UserFilter, page: PageRequest) -> Result<Page<UserListed>, DbError> {
    let (condition, params) = condition_of(filter);
    let count = Statement::new(format!("SELECT count(*) AS n FROM users WHERE {condition}"), params.clone());
    let answers = db.read_many(vec![count, page_of(filter, &condition, params, page)]).await?;
    let total = answers[0].first().map_or(Ok(0), |row| row.get("n"))?;
    let data = answers[1].rows.iter().map(listed).collect::<Result<_, _>>()?;
    Ok(Page::new(data, total, page))
}

fn listed(row: &Row) -> Result<UserListed, DbError> {
    Ok(UserListed { user: Document::from_row(row)?, last_login: row.get("last_login")? })
}

const NAME: &str = "json_extract(data, '$.name')";

/// Only the parts that are asked for, so that the planner sees which index serves them. `?1` is the text of a search.
fn condition_of(filter: &UserFilter) -> (String, Vec<Value>) {
    let (mut sql, mut params) = ("true".to_owned(), Vec::new());
    if !filter.search.is_empty() {
        params.push(Value::from(&filter.search));
        sql = format!("(instr(lower({NAME}), lower(?1)) > 0 OR instr(lower(email), lower(?1)) > 0)");
    }
    let filters = [("role", filter.role.map(Role::as_str)), ("status", filter.status.map(UserStatus::as_str))];
    for (column, value) in filters {
        if let Some(value) = value {
            params.push(value.into());
            sql.push_str(&format!(" AND {column} = ?{}", params.len()));
        }
    }
    (sql, params)
}

fn page_of(filter: &UserFilter, condition: &str, mut params: Vec<Value>, page: PageRequest) -> Statement {
    let names_first = match filter.search.is_empty() {
        true => String::new(),
        false => format!("instr(lower({NAME}), lower(?1)) > 0 DESC, "),
    };
    let (limit, offset) = (params.len() + 1, params.len() + 2);
    params.extend(params![page.limit, page.offset()]);
    let sql = format!(
        "SELECT {COLUMNS}, last_login FROM users WHERE {condition}
        ORDER BY {names_first}created_at DESC, id DESC LIMIT +?{limit} OFFSET ?{offset}"
    );
    Statement::new(sql, params)
}

pub(super) fn bump_session_version(id: &str, now: Timestamp) -> Statement {
    let sql = "UPDATE users SET revision = revision + 1, updated_at = ?2, data = json_set(
        data, '$.session_version', COALESCE(json_extract(data, '$.session_version'), 0) + 1) WHERE id = ?1";
    Statement::new(sql, params![id, now]).expecting_one()
}

/// Asks for the id of the account with this normalised address.
pub(super) fn id_of(email: &str) -> Statement {
    Statement::new("SELECT id FROM users WHERE email = ?1", params![email])
}

/// Counts an attempt as failed in advance and locks at the limit; gives the account, or nothing when there is no
/// unlocked account with this normalised address that can sign in. An expired lock starts a new count (defect A-08).
pub(super) fn reserve_sign_in(email: &str, limit: u32, locked_until: Timestamp, now: Timestamp) -> Statement {
    let sql = format!(
        "UPDATE users SET
            failed_sign_ins = CASE WHEN locked_until IS NULL THEN failed_sign_ins ELSE 0 END + 1,
            locked_until = CASE
                WHEN CASE WHEN locked_until IS NULL THEN failed_sign_ins ELSE 0 END + 1 >= ?2 THEN ?3 END
        WHERE email = ?1 AND status = 'active' AND json_extract(data, '$.password_hash') IS NOT NULL
            AND (locked_until IS NULL OR locked_until <= ?4)
        RETURNING {COLUMNS}"
    );
    Statement::new(sql, params![email, limit, locked_until, now])
}

/// Records a successful sign-in and clears what the attempts left behind.
pub(super) fn record_sign_in(id: &str, now: Timestamp) -> Statement {
    let sql = "UPDATE users SET failed_sign_ins = 0, locked_until = NULL, last_login = ?2 WHERE id = ?1";
    Statement::new(sql, params![id, now])
}

/// Opens sign-in again for an account that was locked.
pub(super) fn unlock(id: &str) -> Statement {
    Statement::new("UPDATE users SET failed_sign_ins = 0, locked_until = NULL WHERE id = ?1", params![id])
}

/// The session version in the document, for statements.
const SESSION_VERSION: &str = "COALESCE(json_extract(data, '$.session_version'), 0)";

/// Makes the digest of a reset token the only one of an active account.
pub(super) fn open_reset(id: &str, token_digest: &str, expires_at: Timestamp) -> Statement {
    let sql = format!(
        "UPDATE users SET reset_digest = ?2, reset_expires_at = ?3, reset_session_version = {SESSION_VERSION}
        WHERE id = ?1 AND status = 'active'"
    );
    Statement::new(sql, params![id, token_digest, expires_at]).expecting_one()
}

/// Asks for the active account that a reset token opens; [`Document::first`] reads the answer. Whatever ends sessions ends the
/// token too, setting a password with it included.
pub(super) fn by_reset(token_digest: &str, now: Timestamp) -> Statement {
    let sql = format!(
        "SELECT {COLUMNS} FROM users WHERE reset_digest = ?1 AND reset_expires_at > ?2 AND status = 'active'
            AND reset_session_version = {SESSION_VERSION}"
    );
    Statement::new(sql, params![token_digest, now])
}

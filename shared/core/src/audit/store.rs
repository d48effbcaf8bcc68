//! All SQL that reads the audit log and ends it.

use serde_json::Value as Json;

use super::Action;
use crate::{
    db::{Db, DbError, Row, Statement, Value},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest, Stretch},
    params,
};

pub(super) const COLUMNS: &str = "id, at, action, actor, user_id, role, api_key_id, resource_type, resource_id, before,
    after, address, request_id";

/// A recorded entry. Name and address of the person are read from the account, and absent when it is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Primary key.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened; a later version may know more actions than this one.
    pub action: String,
    /// system, anonymous, user or api-key.
    pub actor: String,
    /// The person, or the owner of the key.
    pub user_id: Option<String>,
    /// The person's name now.
    pub user_name: Option<String>,
    /// The person's e-mail address now.
    pub user_email: Option<String>,
    /// The person's role at that time.
    pub role: Option<String>,
    /// The key, when one was used.
    pub api_key_id: Option<String>,
    /// What kind of thing it happened to.
    pub resource_type: String,
    /// Which one; absent when there were several.
    pub resource_id: Option<String>,
    /// Members that changed, as they were.
    pub before: Option<Json>,
    /// Members that changed, as they are, and what else is to be known.
    pub after: Option<Json>,
    /// Network address, where known.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
}

/// Which entries are wanted; members combine with AND.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what this person or one of their keys did.
    pub user_id: Option<String>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only things of this kind.
    pub resource_type: Option<String>,
    /// Only this thing.
    pub resource_id: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Not after this moment.
    pub to: Option<Timestamp>,
}

/// Where an entry stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// When it happened.
    pub at: Timestamp,
    /// Its id, which breaks ties.
    pub id: String,
}

impl AuditFilter {
    /// Only the parts that are asked for, so that the planner sees which index serves them.
    fn condition(&self) -> (String, Vec<Value>) {
        let (mut sql, mut params) = ("true".to_owned(), Vec::new());
        let parts: [(&str, Option<Value>); 6] = [
            ("user_id =", self.user_id.as_deref().map(Value::from)),
            ("action =", self.action.map(|action| action.as_str().into())),
            ("resource_type =", self.resource_type.as_deref().map(Value::from)),
            ("resource_id =", self.resource_id.as_deref().map(Value::from)),
            ("at >=", self.from.map(Value::from)),
            ("at <=", self.to.map(Value::from)),
        ];
        for (comparison, value) in parts {
            if let Some(value) = value {
                params.push(value);
                sql.push_str(&format!(" AND {comparison} ?{}", params.len()));
            }
        }
        (sql, params)
    }
}

/// One page of the matching entries.
pub async fn list(
    db: &Db,
    filter: &AuditFilter,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<AuditEntry>, DbError> {
    let (condition, params) = filter.condition();
    let count = Statement::new(format!("SELECT count(*) AS n FROM audit_log WHERE {condition}"), params.clone());
    let rows = |stretch: Stretch| {
        let (limit, offset) = (params.len() + 1, params.len() + 2);
        let inner = stretch.direction(direction).sql();
        let chosen = format!("{condition} ORDER BY at {inner}, id {inner} LIMIT +?{limit} OFFSET ?{offset}");
        let mut params = params.clone();
        params.extend(params![stretch.limit, stretch.offset]);
        select(&chosen, direction, params)
    };
    let (total, rows) = page.read(db, count, rows).await?;
    Ok(Page::new(rows.iter().map(entry_of).collect::<Result<_, _>>()?, total, page))
}

/// Up to `limit` matching entries behind a position, for exports.
pub async fn list_from(
    db: &Db,
    filter: &AuditFilter,
    direction: Direction,
    after: Option<&Position>,
    limit: u32,
) -> Result<Vec<AuditEntry>, DbError> {
    let (mut chosen, mut params) = filter.condition();
    if let Some(Position { at, id }) = after {
        let comparison = match direction {
            Direction::Ascending => ">",
            Direction::Descending => "<",
        };
        params.extend(params![*at, id]);
        chosen.push_str(&format!(" AND (at, id) {comparison} (?{}, ?{})", params.len() - 1, params.len()));
    }
    params.push(limit.into());
    let inner = direction.sql();
    chosen.push_str(&format!(" ORDER BY at {inner}, id {inner} LIMIT +?{}", params.len()));
    db.read_many(vec![select(&chosen, direction, params)]).await?[0].rows.iter().map(entry_of).collect()
}

/// The chosen entries with the accounts of who acted. They are chosen first, so that an index serves filter and order.
fn select(chosen: &str, direction: Direction, params: Vec<Value>) -> Statement {
    let direction = direction.sql();
    let sql = format!(
        "SELECT entry.*, json_extract(u.data, '$.name') AS user_name, u.email AS user_email
        FROM (SELECT {COLUMNS} FROM audit_log WHERE {chosen}) AS entry LEFT JOIN users u ON u.id = entry.user_id
        ORDER BY entry.at {direction}, entry.id {direction}"
    );
    Statement::new(sql, params)
}

fn entry_of(row: &Row) -> Result<AuditEntry, DbError> {
    let json = |column: &'static str| -> Result<Option<Json>, DbError> {
        row.get::<Option<String>>(column)?.map(|_| row.json(column)).transpose()
    };
    Ok(AuditEntry {
        id: row.get("id")?,
        at: row.get("at")?,
        action: row.get("action")?,
        actor: row.get("actor")?,
        user_id: row.get("user_id")?,
        user_name: row.get("user_name")?,
        user_email: row.get("user_email")?,
        role: row.get("role")?,
        api_key_id: row.get("api_key_id")?,
        resource_type: row.get("resource_type")?,
        resource_id: row.get("resource_id")?,
        before: json("before")?,
        after: json("after")?,
        address: row.get("address")?,
        request_id: row.get("request_id")?,
    })
}

/// Deletes up to `limit` entries from before this moment, the oldest first; tells how many.
pub async fn delete_before(db: &Db, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let allow = "INSERT INTO audit_log_end (id, kept_from) VALUES (1, ?1)
        ON CONFLICT (id) DO UPDATE SET kept_from = max(kept_from, excluded.kept_from)";
    let delete = "DELETE FROM audit_log
        WHERE id IN (SELECT id FROM audit_log WHERE at < ?1 ORDER BY at, id LIMIT +?2)";
    let writes = vec![Statement::new(allow, params![before]), Statement::new(delete, params![before, limit])];
    Ok(db.write(writes).await?.last().map_or(0, |answer| answer.affected))
}

/// How the database finds a page, for the test that it does not sort or walk through.
#[cfg(test)]
pub(super) async fn plan(db: &Db, filter: &AuditFilter) -> Result<Vec<String>, DbError> {
    let (condition, params) = filter.condition();
    let sql =
        format!("EXPLAIN QUERY PLAN SELECT id FROM audit_log WHERE {condition} ORDER BY at DESC, id DESC LIMIT 10");
    db.read(sql, params).await?.rows.iter().map(|row| row.get("detail")).collect()
}

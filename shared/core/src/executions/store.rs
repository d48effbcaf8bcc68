//! All SQL that reads executions for screens and exports, and that records them.

use std::collections::BTreeMap;

use super::{ExecutedPrompt, Execution, ExecutionStatus, ExecutionView};
use crate::{
    audit::{self, Action},
    claims::changed_one,
    db::{Db, DbError, Row, Statement, Value},
    documents::to_json,
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
    provider_name::ProviderName,
    trace,
};

/// Which executions a list shows; members combine with AND.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Only this status.
    pub status: Option<ExecutionStatus>,
    /// Only this provider.
    pub provider: Option<ProviderName>,
    /// Only runs of this prompt.
    pub prompt_id: Option<String>,
    /// Only starred ones, or only others; unset counts as not starred (defect E-13).
    pub starred: Option<bool>,
    /// Only these; an empty list shows nothing.
    pub ids: Option<Vec<String>>,
}

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExecutionOrder {
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
    /// By start of the latest attempt.
    Started,
    /// By end.
    Completed,
}

impl ExecutionOrder {
    const fn column(self) -> &'static str {
        match self {
            Self::Created => "created_at",
            Self::Updated => "updated_at",
            Self::Started => "started_at",
            Self::Completed => "completed_at",
        }
    }
}

/// The condition of a filter, with only the parts that are asked for, so that the planner sees which index serves it.
/// Column names are fixed text; values are parameters.
struct Condition {
    sql: String,
    params: Vec<Value>,
}

impl Condition {
    fn everything() -> Self {
        Self { sql: "true".to_owned(), params: Vec::new() }
    }

    fn and_equal(&mut self, column: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.params.push(value.into());
            self.sql.push_str(&format!(" AND {column} = ?{}", self.params.len()));
        }
    }
}

impl ExecutionFilter {
    /// The part that `executions` and `execution_counts` both can answer.
    fn counted_part(&self) -> Condition {
        let mut condition = Condition::everything();
        condition.and_equal("status", self.status.map(ExecutionStatus::as_str));
        condition.and_equal("provider", self.provider.map(ProviderName::as_str));
        condition.and_equal("prompt_id", self.prompt_id.as_deref());
        condition.and_equal("starred", self.starred);
        condition
    }

    /// The whole condition, on `executions`.
    fn condition(&self) -> Condition {
        let mut condition = self.counted_part();
        if let Some(ids) = &self.ids {
            condition.params.push(to_json(ids).into());
            condition.sql.push_str(&format!(" AND id IN (SELECT value FROM json_each(?{}))", condition.params.len()));
        }
        condition
    }
}

/// The columns of a view. Name and text of the executed version are looked up by position: versions are stored oldest
/// first and never removed one by one.
const VIEW: &str = "e.id, e.data, e.status, e.attempt, e.started_at, e.completed_at, e.created_at, e.updated_at,
    json_extract(p.data, '$.versions[' || (json_extract(e.data, '$.prompt_version') - 1) || '].name') AS prompt_name
    FROM executions e LEFT JOIN prompts p ON p.id = e.prompt_id";

/// The execution with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<ExecutionView>, DbError> {
    let rows = db.read(format!("SELECT {VIEW} WHERE e.id = ?1"), params![id]).await?;
    rows.first().map(view_of).transpose()
}

/// One page of the matching executions.
pub async fn list(
    db: &Db,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<ExecutionView>, DbError> {
    let Condition { sql, params } = page_of(filter, order, direction, page);
    let select = Statement::new(format!("SELECT {VIEW} {sql}"), params);
    let answers = db.read_many(vec![count(filter), select]).await?;
    let total = answers[0].first().map_or(Ok(0), |row| row.get("n"))?;
    let data = answers[1].rows.iter().map(view_of).collect::<Result<_, _>>()?;
    Ok(Page::new(data, total, page))
}

/// The number of matching executions: a sum of few kept counters unless ids are listed.
fn count(filter: &ExecutionFilter) -> Statement {
    let (what, condition) = match filter.ids {
        Some(_) => ("count(*) AS n FROM executions", filter.condition()),
        None => ("COALESCE(sum(n), 0) AS n FROM execution_counts", filter.counted_part()),
    };
    Statement::new(format!("SELECT {what} WHERE {}", condition.sql), condition.params)
}

/// What follows [`VIEW`] for one page. The page is chosen over narrow columns first; documents are read for
/// its rows only.
fn page_of(filter: &ExecutionFilter, order: ExecutionOrder, direction: Direction, page: PageRequest) -> Condition {
    let Condition { sql, mut params } = filter.condition();
    let (limit, offset) = (params.len() + 1, params.len() + 2);
    params.extend(params![page.limit, page.offset()]);
    let (inner, outer) = (ordering(order, direction, ""), ordering(order, direction, "e."));
    let sql = format!(
        "WHERE e.id IN (SELECT id FROM executions WHERE {sql} ORDER BY {inner} LIMIT ?{limit} OFFSET ?{offset})
        ORDER BY {outer}"
    );
    Condition { sql, params }
}

fn ordering(order: ExecutionOrder, direction: Direction, prefix: &str) -> String {
    let (column, direction) = (order.column(), direction.sql());
    format!("{prefix}{column} {direction}, {prefix}id {direction}")
}

fn view_of(row: &Row) -> Result<ExecutionView, DbError> {
    let data: Execution = row.json("data")?;
    let name: Option<String> = row.get("prompt_name")?;
    let prompt = name.zip(data.prompt_version).map(|(name, version)| ExecutedPrompt { name, version });
    Ok(ExecutionView {
        id: row.get("id")?,
        prompt,
        data,
        status: status_of(row)?,
        attempts: row.get("attempt")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn status_of(row: &Row) -> Result<ExecutionStatus, DbError> {
    ExecutionStatus::parse(&row.get::<String>("status")?).ok_or(DbError::Column("status"))
}

/// An execution with name and text of the executed version, for exports.
#[derive(Debug, Clone, PartialEq)]
pub struct CsvRow {
    /// The execution.
    pub view: ExecutionView,
    /// Text of the executed version.
    pub prompt_value: Option<String>,
}

/// Up to `limit` matching executions from `offset` on, for exports.
pub async fn csv_rows(
    db: &Db,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Vec<CsvRow>, DbError> {
    let Condition { sql, params } = page_of(filter, order, direction, page);
    let sql = format!(
        "SELECT json_extract(p.data, '$.versions[' || (json_extract(e.data, '$.prompt_version') - 1) || '].prompt')
            AS prompt_value, {VIEW} {sql}"
    );
    let rows = db.read(sql, params).await?.rows;
    rows.iter().map(|row| Ok(CsvRow { view: view_of(row)?, prompt_value: row.get("prompt_value")? })).collect()
}

/// Counts by status and provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// By status; absent ones are zero.
    pub by_status: BTreeMap<&'static str, u64>,
    /// Of any status, by provider; only providers that occur.
    pub by_provider: BTreeMap<String, u64>,
}

/// Counts over all executions, from the kept counters.
pub async fn stats(db: &Db) -> Result<Stats, DbError> {
    let sql = "SELECT status, provider, sum(n) AS n FROM execution_counts GROUP BY status, provider HAVING sum(n) > 0";
    let mut stats = Stats::default();
    for row in &db.read(sql, params![]).await?.rows {
        let n: u64 = row.get("n")?;
        *stats.by_status.entry(status_of(row)?.as_str()).or_default() += n;
        *stats.by_provider.entry(row.get("provider")?).or_default() += n;
    }
    Ok(stats)
}

/// Sets what readers may set, whatever the status; false when there is no such execution.
pub async fn update_fields(
    db: &Db,
    id: &str,
    starred: Option<bool>,
    user_status: Option<&str>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let mut members = serde_json::Map::new();
    members.extend(starred.map(|value| ("starred".to_owned(), value.into())));
    members.extend(user_status.map(|value| ("userStatus".to_owned(), value.into())));
    if members.is_empty() {
        return Ok(!db.read("SELECT 1 AS one FROM executions WHERE id = ?1", params![id]).await?.rows.is_empty());
    }
    let sql = "UPDATE executions SET data = json_patch(data, ?2), updated_at = ?3 WHERE id = ?1";
    let update = Statement::new(sql, params![id, to_json(&members), now]).expecting_one();
    let view = audit::View::new().keep("starred", starred).withhold("userStatus", &user_status);
    changed_one(db.write(vec![update, audit::entry(Action::ExecutionUpdated).on(id).after(view).record()]).await)
}

/// Deletes up to `limit` executions that ended before this moment, the oldest first; tells how many. Counters follow by
/// trigger, sums of usage stay. Bundles keep the ids and comments stay, as they do for prompts.
pub async fn delete_ended(db: &Db, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let sql = "DELETE FROM executions WHERE id IN (SELECT id FROM executions
        WHERE completed_at < ?1 AND +status IN ('completed', 'failed')
        ORDER BY completed_at, id LIMIT ?2)";
    let answers = db.write(vec![Statement::new(sql, params![before, limit])]).await?;
    Ok(answers.first().map_or(0, |answer| answer.affected))
}

/// Deletes an execution, if it has ended.
pub(super) fn delete_if_ended(id: &str) -> Statement {
    let sql = "DELETE FROM executions WHERE id = ?1 AND status IN ('completed', 'failed')";
    Statement::new(sql, params![id]).expecting_one()
}

pub(super) fn insert(id: &str, execution: &Execution, now: Timestamp) -> Statement {
    let sql = "INSERT INTO executions (id, data, created_at, updated_at, trace_id) VALUES (?1, ?2, ?3, ?3, ?4)";
    Statement::new(sql, params![id, to_json(execution), now, trace::current().map(|id| id.to_string())])
}

/// The turn at which a run of prompt `?6` joins the waiting line of provider `?5` with priority `?3` (start-time fair
/// queueing): where the line is being served, and behind what the prompt itself has waiting there. A turn that runs
/// counts as well, so that an execution that comes back for another attempt does not pull newcomers to the front.
const FIRST_TURN: &str = "max(0,
    COALESCE((SELECT min(turn) FROM executions
        WHERE provider = ?5 AND priority = ?3 AND status = 'pending' AND dispatched_at IS NULL), 0),
    COALESCE((SELECT max(turn) FROM executions
        WHERE provider = ?5 AND priority = ?3 AND dispatched_at IS NOT NULL), 0),
    COALESCE((SELECT max(turn) FROM executions WHERE provider = ?5 AND priority = ?3 AND prompt_id = ?6
        AND status = 'pending' AND dispatched_at IS NULL), -1) + 1)";

/// Records one execution for each pair of an execution's id and an item's id: the template with the item as input, each
/// a turn behind the one before it. The contents never leave the database.
pub(super) fn insert_for_items(
    pairs: &[(&str, &str)],
    template: &Execution,
    priority: i64,
    now: Timestamp,
) -> Statement {
    let sql = format!(
        "INSERT INTO executions (id, data, created_at, updated_at, priority, turn, trace_id)
        SELECT json_extract(value, '$[0]'),
            json_set(?2, '$.user_input', i.content, '$.test_data_item_id', i.id), ?4, ?4, ?3, ({FIRST_TURN}) + key, ?7
        FROM json_each(?1) JOIN test_data_items i ON i.id = json_extract(value, '$[1]')"
    );
    let (provider, prompt_id) = (template.provider.as_str(), template.prompt_id.as_deref());
    let trace = trace::current().map(|id| id.to_string());
    Statement::new(sql, params![to_json(&pairs), to_json(template), priority, now, provider, prompt_id, trace])
}

/// How the database finds the turn of a new run, for the test that it does not walk through.
#[cfg(test)]
pub(super) async fn first_turn_plan(db: &Db) -> Result<Vec<String>, DbError> {
    let params = params![Value::Null, Value::Null, 10_u32, Value::Null, "ollama", "prompt"];
    // The numbers of the parameters in between must be taken.
    let sql = format!("EXPLAIN QUERY PLAN SELECT {FIRST_TURN} WHERE ?1 IS NULL AND ?2 IS NULL AND ?4 IS NULL");
    db.read(sql, params).await?.rows.iter().map(|row| row.get("detail")).collect()
}

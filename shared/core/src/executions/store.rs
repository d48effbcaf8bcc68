//! All SQL that reads single executions and totals, and that records executions.

use std::collections::BTreeMap;

use super::{ExecutedPrompt, Execution, ExecutionStatus, ExecutionView};
use crate::{
    audit::{self, Action},
    claims::changed_one,
    db::{Db, DbError, Row, Statement},
    documents::to_json,
    instant::Timestamp,
    params, trace,
};

/// The columns of a view. Name and text of the executed version are looked up by position: versions are stored oldest
/// first and never removed one by one.
pub(super) const VIEW: &str =
    "e.id, e.data, e.status, e.attempt, e.started_at, e.completed_at, e.created_at, e.updated_at,
    json_extract(p.data, '$.versions[' || (json_extract(e.data, '$.prompt_version') - 1) || '].name') AS prompt_name
    FROM executions e LEFT JOIN prompts p ON p.id = e.prompt_id";

/// The execution with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<ExecutionView>, DbError> {
    let rows = db.read(format!("SELECT {VIEW} WHERE e.id = ?1"), params![id]).await?;
    rows.first().map(view_of).transpose()
}

pub(super) fn view_of(row: &Row) -> Result<ExecutionView, DbError> {
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
    let sql = "SELECT status, provider, n FROM execution_totals WHERE n > 0";
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
    let sql = "UPDATE executions SET data = json_patch(data, ?2), starred = COALESCE(?3, starred), updated_at = ?4
        WHERE id = ?1";
    let update = Statement::new(sql, params![id, to_json(&members), starred, now]).expecting_one();
    let view = audit::View::new().keep("starred", starred).withhold("userStatus", &user_status);
    changed_one(db.write(vec![update, audit::entry(Action::ExecutionUpdated).on(id).after(view).record()]).await)
}

/// Deletes up to `limit` executions that ended before this moment, the oldest first; tells how many. Counters follow by
/// trigger, sums of usage stay. Bundles keep the ids and comments stay, as they do for prompts.
pub async fn delete_ended(db: &Db, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let sql = "DELETE FROM executions WHERE id IN (SELECT id FROM executions
        WHERE completed_at < ?1 AND +status IN ('completed', 'failed')
        ORDER BY completed_at, seq LIMIT +?2)";
    let answers = db.write(vec![Statement::new(sql, params![before, limit])]).await?;
    Ok(answers.first().map_or(0, |answer| answer.affected))
}

/// Deletes an execution, if it has ended.
pub(super) fn delete_if_ended(id: &str) -> Statement {
    let sql = "DELETE FROM executions WHERE id = ?1 AND status IN ('completed', 'failed')";
    Statement::new(sql, params![id]).expecting_one()
}

pub(super) fn insert(id: &str, execution: &Execution, now: Timestamp) -> Statement {
    let sql = "INSERT INTO executions (id, data, prompt_id, provider, model, created_at, updated_at, trace_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)";
    let Execution { prompt_id, provider, model, .. } = execution;
    let trace = trace::current().map(|id| id.to_string());
    Statement::new(sql, params![id, to_json(execution), prompt_id.as_deref(), provider.as_str(), model, now, trace])
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
        "INSERT INTO executions (id, data, prompt_id, provider, model, created_at, updated_at, priority, turn, trace_id)
        SELECT json_extract(value, '$[0]'), json_set(?2, '$.user_input', i.content, '$.test_data_item_id', i.id),
            ?6, ?5, ?8, ?4, ?4, ?3, ({FIRST_TURN}) + key, ?7
        FROM json_each(?1) JOIN test_data_items i ON i.id = json_extract(value, '$[1]')"
    );
    let (provider, prompt_id) = (template.provider.as_str(), template.prompt_id.as_deref());
    let trace = trace::current().map(|id| id.to_string());
    let model = template.model.as_str();
    Statement::new(sql, params![to_json(&pairs), to_json(template), priority, now, provider, prompt_id, trace, model])
}

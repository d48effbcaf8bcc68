//! All SQL of jobs. Deliveries of a deployment's executions are written by the trigger `executions_announced`.

use super::{Job, JobStatus, JobView};
use crate::{
    db::{Db, DbError, Row, Statement, Value},
    documents::to_json,
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest, Stretch},
    params, trace,
};

const VIEW: &str = "id, data, status, attempts, scheduled_at, next_retry_at, started_at, completed_at, created_at,
    updated_at";

/// Which jobs a list shows; members combine with AND.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only this status.
    pub status: Option<JobStatus>,
    /// Only this type.
    pub kind: Option<String>,
    /// Only jobs whose id contains this (defect J-07).
    pub search: String,
}

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobOrder {
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
    /// By first due time.
    Scheduled,
    /// By start of the latest attempt.
    Started,
    /// By end.
    Completed,
}

impl JobOrder {
    const fn column(self) -> &'static str {
        match self {
            Self::Created => "created_at",
            Self::Updated => "updated_at",
            Self::Scheduled => "scheduled_at",
            Self::Started => "started_at",
            Self::Completed => "completed_at",
        }
    }
}

/// The job with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<JobView>, DbError> {
    let rows = db.read(format!("SELECT {VIEW} FROM jobs WHERE id = ?1"), params![id]).await?;
    rows.first().map(view_of).transpose()
}

/// One page of the matching jobs. A search is always newest first (contract 3).
pub async fn list(
    db: &Db,
    filter: &JobFilter,
    order: JobOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<JobView>, DbError> {
    let (order, direction) =
        if filter.search.is_empty() { (order, direction) } else { (JobOrder::Created, Direction::Descending) };
    let (total, rows) = page.read(db, count(filter), |stretch| select(filter, order, direction, stretch)).await?;
    Ok(Page::new(rows.iter().map(view_of).collect::<Result<_, _>>()?, total, page))
}

/// A stretch of the list. It is chosen over narrow columns first: a job may hold megabytes, and only those of the page
/// are read.
fn select(filter: &JobFilter, order: JobOrder, direction: Direction, stretch: Stretch) -> Statement {
    // Nearly everything is completed sooner or later, so any other status says more than a type does.
    let status_leads = filter.kind.is_none() || filter.status.is_some_and(|status| status != JobStatus::Completed);
    let columns = if status_leads { ("status", "+type") } else { ("+status", "type") };
    let (condition, mut params) = condition(filter, columns);
    let (limit, offset) = (params.len() + 1, params.len() + 2);
    params.extend(params![stretch.limit, stretch.offset]);
    let (column, outer, inner) = (order.column(), direction.sql(), stretch.direction(direction).sql());
    let sql = format!(
        "SELECT {VIEW} FROM jobs WHERE id IN (
            SELECT id FROM jobs WHERE {condition} ORDER BY {column} {inner}, id {inner} LIMIT +?{limit} OFFSET ?{offset})
        ORDER BY {column} {outer}, id {outer}"
    );
    Statement::new(sql, params)
}

/// The number of matching jobs: a sum of few kept counters unless ids are searched.
fn count(filter: &JobFilter) -> Statement {
    let (condition, params) = condition(filter, ("status", "type"));
    let what =
        if filter.search.is_empty() { "COALESCE(sum(n), 0) AS n FROM job_counts" } else { "count(*) AS n FROM jobs" };
    Statement::new(format!("SELECT {what} WHERE {condition}"), params)
}

/// Only the parts that are asked for, so that the planner sees which index serves them. Columns are for status and type; a
/// plus keeps the planner from looking for an index on one.
fn condition(filter: &JobFilter, columns: (&'static str, &'static str)) -> (String, Vec<Value>) {
    let (mut sql, mut params) = ("true".to_owned(), params![]);
    for (column, value) in [(columns.0, filter.status.map(JobStatus::as_str)), (columns.1, filter.kind.as_deref())] {
        if let Some(value) = value {
            params.push(value.into());
            sql.push_str(&format!(" AND {column} = ?{}", params.len()));
        }
    }
    if !filter.search.is_empty() {
        params.push((&filter.search).into());
        sql.push_str(&format!(" AND instr(lower(id), lower(?{})) > 0", params.len()));
    }
    (sql, params)
}

/// Records a job that waits to be run.
pub fn insert(id: &str, job: &Job, now: Timestamp) -> Statement {
    let sql = "INSERT INTO jobs (id, type, data, created_at, updated_at, scheduled_at, trace_id)
        VALUES (?1, ?2, ?3, ?4, ?4, ?4, ?5)";
    Statement::new(sql, params![id, &job.kind, to_json(job), now, trace::current().map(|id| id.to_string())])
}

fn view_of(row: &Row) -> Result<JobView, DbError> {
    Ok(JobView {
        id: row.get("id")?,
        data: row.json("data")?,
        status: JobStatus::parse(&row.get::<String>("status")?).ok_or(DbError::Column("status"))?,
        attempts: row.get("attempts")?,
        scheduled_at: row.get("scheduled_at")?,
        next_retry_at: row.get("next_retry_at")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

//! All SQL of jobs. Deliveries of a deployment's executions are written by the trigger `executions_announced`.

use super::{Job, JobStatus, JobView};
use crate::{
    db::{Db, DbError, Row, Statement},
    documents::to_json,
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
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
    let (column, direction) = (order.column(), direction.sql());
    let (condition, mut params) = condition(filter);
    let counting = Statement::new(format!("SELECT count(*) AS n FROM jobs WHERE {condition}"), params.clone());
    let (limit, offset) = (params.len() + 1, params.len() + 2);
    params.extend(params![page.limit, page.offset()]);
    // The page is chosen over narrow columns first: a job may hold megabytes, and only those of the page are read.
    let select = format!(
        "SELECT {VIEW} FROM jobs WHERE id IN (
            SELECT id FROM jobs WHERE {condition} ORDER BY {column} {direction}, id {direction}
            LIMIT ?{limit} OFFSET ?{offset})
        ORDER BY {column} {direction}, id {direction}"
    );
    let answers = db.read_many(vec![counting, Statement::new(select, params)]).await?;
    let total = answers[0].first().map_or(Ok(0), |row| row.get("n"))?;
    let data = answers[1].rows.iter().map(view_of).collect::<Result<_, _>>()?;
    Ok(Page::new(data, total, page))
}

/// Only the parts that are asked for, so that the planner sees which index serves them.
fn condition(filter: &JobFilter) -> (String, Vec<crate::db::Value>) {
    let (mut sql, mut params) = ("true".to_owned(), params![]);
    if let Some(status) = filter.status {
        params.extend(params![status.as_str()]);
        sql.push_str(&format!(" AND status = ?{}", params.len()));
    }
    if let Some(kind) = &filter.kind {
        params.extend(params![kind]);
        sql.push_str(&format!(" AND type = ?{}", params.len()));
    }
    if !filter.search.is_empty() {
        params.extend(params![&filter.search]);
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

//! How jobs move: announce, claim, finish, retry, recover.
//!
//! The database decides everything; a queue message is only a nudge. Each step is one conditional update, fenced by the
//! row's revision, which every claim moves on: so a step may be repeated, come late or never, and a process may die
//! anywhere.
//!
//! ```text
//! pending ─► running ─► completed | failed | terminated
//!               ▲ └─ failure, attempts left ─► retrying ─┐
//!               └──────────── when it is due ────────────┘
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use super::{Job, JobStatus, store};
use crate::{
    audit::{self, Action},
    claims::{Recovered, changed_one, ids, trace_of},
    db::{self, Db, DbError, Row, Statement},
    documents::to_json,
    instant::Timestamp,
    params,
    trace::TraceId,
};

/// Who is due, `?1` being the type and `?2` now.
const DUE: &str = "type = ?1 AND status IN ('pending', 'retrying') AND announced_at IS NULL
    AND COALESCE(next_retry_at, scheduled_at) <= ?2";

/// Marks the next due jobs of a type as announced and returns their ids, which are then sent to the queue.
pub async fn announce(db: &Db, kind: &str, limit: u32, now: Timestamp) -> Result<Vec<String>, DbError> {
    let sql = format!(
        "UPDATE jobs SET announced_at = ?2 WHERE id IN
            (SELECT id FROM jobs WHERE {DUE} ORDER BY COALESCE(next_retry_at, scheduled_at), id LIMIT +?3)
        RETURNING id"
    );
    ids(&db.write(vec![Statement::new(sql, params![kind, now, limit])]).await?.remove(0).rows)
}

/// Takes announcements back that could not be sent, so that the next round sends them.
pub async fn unannounce(db: &Db, ids: &[String]) -> Result<(), DbError> {
    let sql = "UPDATE jobs SET announced_at = NULL WHERE id IN (SELECT value FROM json_each(?1))
        AND status IN ('pending', 'retrying')";
    db.write(vec![Statement::new(sql, params![to_json(&ids)])]).await?;
    Ok(())
}

/// A job that this worker holds until the lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Id of the job.
    pub id: String,
    /// Number of this attempt, 1 for the first.
    pub attempt: u32,
    /// Fences every later write.
    revision: i64,
    /// The document.
    pub job: Job,
    /// Since when it could have run.
    pub due_at: Timestamp,
    /// The trace that it belongs to.
    pub trace: Option<TraceId>,
}

/// Takes the job that a message names: one that is due, or one whose worker has gone silent. `None` when there is nothing
/// to do: it has ended, is not due yet, or another worker holds it.
pub async fn claim(db: &Db, kind: &str, id: &str, lease: Duration, now: Timestamp) -> Result<Option<Claim>, DbError> {
    let sql = "UPDATE jobs SET status = 'running', attempts = attempts + 1, revision = revision + 1, started_at = ?3,
            lease_until = ?4, announced_at = NULL, updated_at = ?3
        WHERE id = ?1 AND type = ?2 AND attempts < json_extract(data, '$.maxAttempts')
            AND ((status IN ('pending', 'retrying') AND COALESCE(next_retry_at, scheduled_at) <= ?3)
                OR (status = 'running' AND lease_until < ?3))
        RETURNING id, attempts, revision, data, COALESCE(next_retry_at, scheduled_at) AS due_at, trace_id";
    let statement = Statement::new(sql, params![id, kind, now, now.plus(lease)]);
    db.write(vec![statement]).await?.remove(0).first().map(claim_of).transpose()
}

/// Extends the lease and says how far the work has come. False when the claim does not hold any more.
pub async fn extend(
    db: &Db,
    claim: &Claim,
    lease: Duration,
    progress: Option<&str>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let sql = "UPDATE jobs SET lease_until = ?3,
            data = CASE WHEN ?4 IS NULL THEN data ELSE json_set(data, '$.progress', ?4) END
        WHERE id = ?1 AND revision = ?2 AND status = 'running'";
    let statement = Statement::new(sql, params![&claim.id, claim.revision, now.plus(lease), progress]);
    changed_one(db.write(vec![statement.expecting_one()]).await)
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It succeeded, and what came of it.
    Completed(Option<Value>),
    /// It failed for good, and why.
    Failed(String),
    /// It refused to go on, and why.
    Terminated(String),
}

impl End {
    /// The status that it leaves.
    pub const fn status(&self) -> JobStatus {
        match self {
            Self::Completed(_) => JobStatus::Completed,
            Self::Failed(_) => JobStatus::Failed,
            Self::Terminated(_) => JobStatus::Terminated,
        }
    }

    fn member(&self) -> Option<(&'static str, Value)> {
        match self {
            Self::Completed(result) => result.clone().map(|result| ("result", result)),
            Self::Failed(reason) => Some(("error", json!(reason))),
            Self::Terminated(reason) => Some(("terminationReason", json!(reason))),
        }
    }
}

/// Records how the job ended, and in the same transaction what belongs to its end. False when the claim does not hold any
/// more; nothing is recorded then.
pub async fn finish(
    db: &Db,
    claim: &Claim,
    end: &End,
    last_status: Option<u16>,
    along: Vec<Statement>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let mut params = params![&claim.id, claim.revision, end.status().as_str(), now];
    let data = renewed(end.member().into_iter().chain(status_member(last_status)), &mut params);
    let sql = format!(
        "UPDATE jobs SET status = ?3, data = {data}, completed_at = ?4, updated_at = ?4, lease_until = NULL,
            next_retry_at = NULL
        WHERE id = ?1 AND revision = ?2 AND status = 'running'"
    );
    let mut writes = vec![Statement::new(sql, params).expecting_one()];
    writes.extend(along);
    changed_one(db.write(writes).await)
}

/// Puts the job back until `when` after a failure that may pass. `announced_at` is when the queue will speak of it; without
/// one, maintenance does. False when the claim does not hold any more.
pub async fn retry(
    db: &Db,
    claim: &Claim,
    reason: &str,
    last_status: Option<u16>,
    when: Timestamp,
    announced_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let mut params = params![&claim.id, claim.revision, when, announced_at, now];
    let error = ("error", json!(reason));
    let data = renewed([error].into_iter().chain(status_member(last_status)), &mut params);
    let sql = format!(
        "UPDATE jobs SET status = 'retrying', data = {data}, next_retry_at = ?3, announced_at = ?4, lease_until = NULL,
            updated_at = ?5
        WHERE id = ?1 AND revision = ?2 AND status = 'running'"
    );
    changed_one(db.write(vec![Statement::new(sql, params).expecting_one()]).await)
}

fn status_member(last_status: Option<u16>) -> Option<(&'static str, Value)> {
    last_status.map(|status| ("lastStatus", status.into()))
}

/// SQL for the document without what the last attempt left (defect J-08) and with these members; their values join the
/// parameters.
fn renewed(members: impl Iterator<Item = (&'static str, Value)>, params: &mut Vec<db::Value>) -> String {
    let mut sql = "json_remove(data, '$.error', '$.progress', '$.lastStatus')".to_owned();
    for (name, value) in members {
        params.push(to_json(&value).into());
        sql = format!("json_set({sql}, '$.{name}', json(?{}))", params.len());
    }
    sql
}

/// Gives a job back untried, when the process must stop: the attempt does not count. False when the claim does not hold
/// any more.
pub async fn hand_back(db: &Db, claim: &Claim, now: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE jobs SET status = CASE WHEN attempts > 1 THEN 'retrying' ELSE 'pending' END,
            next_retry_at = CASE WHEN attempts > 1 THEN ?3 END, attempts = attempts - 1, lease_until = NULL,
            updated_at = ?3
        WHERE id = ?1 AND revision = ?2 AND status = 'running'";
    changed_one(db.write(vec![Statement::new(sql, params![&claim.id, claim.revision, now]).expecting_one()]).await)
}

/// Why a job is not sent again.
#[derive(Debug, thiserror::Error)]
pub enum RedeliverError {
    /// No job with this id.
    #[error("there is no such job")]
    NotFound,
    /// Only deliveries can be repeated.
    #[error("only jobs of type {0} can be sent again")]
    OtherType(String),
    /// It waits or runs.
    #[error("only a job that has ended can be sent again; this one is {0}")]
    NotEnded(&'static str),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Starts an ended job of this type over, under the same id: all its attempts are before it again.
pub async fn redeliver(db: &Db, kind: &str, id: &str, now: Timestamp) -> Result<(), RedeliverError> {
    let sql = "UPDATE jobs SET status = 'pending', attempts = 0, revision = revision + 1, scheduled_at = ?3,
            next_retry_at = NULL, started_at = NULL, completed_at = NULL, announced_at = NULL, updated_at = ?3,
            data = json_remove(data, '$.result', '$.error', '$.progress', '$.lastStatus', '$.terminationReason')
        WHERE id = ?1 AND type = ?2 AND status IN ('completed', 'failed', 'terminated')";
    let restart = Statement::new(sql, params![id, kind, now]).expecting_one();
    let entry = audit::entry(Action::JobRedelivered).on(id);
    if changed_one(db.write(vec![restart, entry.record()]).await)? {
        return Ok(());
    }
    let found = store::find(db, id).await?.ok_or(RedeliverError::NotFound)?;
    if found.data.kind != kind {
        return Err(RedeliverError::OtherType(kind.to_owned()));
    }
    Err(RedeliverError::NotEnded(found.status.as_str()))
}

/// Finds what got stuck, of whatever type: leases that ran out and announcements that led to nothing. At most `limit` of
/// each kind.
pub async fn recover(db: &Db, announced_before: Timestamp, limit: u32, now: Timestamp) -> Result<Recovered, DbError> {
    let requeue = "UPDATE jobs SET status = 'retrying', next_retry_at = ?1, announced_at = NULL, lease_until = NULL,
            revision = revision + 1, updated_at = ?1, data = json_set(data, '$.error', 'The worker went silent')
        WHERE id IN (SELECT id FROM jobs WHERE status = 'running' AND lease_until < ?1
            AND attempts < json_extract(data, '$.maxAttempts') LIMIT +?2)
        RETURNING id";
    let give_up = "UPDATE jobs SET status = 'failed', completed_at = ?1, next_retry_at = NULL, lease_until = NULL,
            revision = revision + 1, updated_at = ?1,
            data = json_set(data, '$.error', 'Interrupted: the worker stopped, and no attempts are left')
        WHERE id IN (SELECT id FROM jobs WHERE status = 'running' AND lease_until < ?1
            AND attempts >= json_extract(data, '$.maxAttempts') LIMIT +?2)
        RETURNING id";
    // A claim takes the announcement away, so only waiting jobs have one.
    let renew = "UPDATE jobs SET announced_at = NULL
        WHERE id IN (SELECT id FROM jobs WHERE announced_at < ?1 LIMIT +?2)
        RETURNING id";
    let answers = db
        .write(vec![
            Statement::new(requeue, params![now, limit]),
            Statement::new(give_up, params![now, limit]),
            Statement::new(renew, params![announced_before, limit]),
        ])
        .await?;
    Recovered::from_answers(&answers)
}

fn claim_of(row: &Row) -> Result<Claim, DbError> {
    Ok(Claim {
        id: row.get("id")?,
        attempt: row.get("attempts")?,
        revision: row.get("revision")?,
        job: row.json("data")?,
        due_at: row.get("due_at")?,
        trace: trace_of(row)?,
    })
}

//! How executions move: dispatch, claim, finish, retry, recover.
//!
//! The database decides everything; a queue message is only a nudge. An execution *occupies* one of its provider's
//! places while `dispatched_at` is set: from dispatch until it ends or goes back to waiting. Each step is one conditional
//! update, so a step may be repeated, come late or never, and a process may die anywhere. One that was cancelled while it
//! ran keeps its place until its worker has let go of the provider, or the lease is over.
//!
//! ```text
//! pending ─► (dispatched) ─► running ─► completed | failed
//! ```

use std::time::Duration;

use super::{Execution, ExecutionStatus, Outcome, find};
use crate::{
    audit::{self, Action},
    claims::{self, Recovered, changed_one, ids},
    db::{Db, DbError, Row, Rows, Statement},
    documents::to_json,
    instant::Timestamp,
    params,
    provider_name::ProviderName,
    trace::TraceId,
};

/// Ids of the next waiting executions of provider `?1` in the order in which they are served, as many as it has free
/// places: people before group runs, and these turn by turn. `?2` is now, `?3` the provider's default limit; the setting
/// of type `provider-limits` wins over it.
const NEXT_IN_LINE: &str = "SELECT id FROM executions
    WHERE provider = ?1 AND status = 'pending' AND dispatched_at IS NULL
        AND (next_attempt_at IS NULL OR next_attempt_at <= ?2)
    ORDER BY priority, turn, created_at, id
    LIMIT max(0, COALESCE((SELECT json_extract(data, '$.max_running') FROM settings
            WHERE type = 'provider-limits' AND identifier = ?1), ?3)
        - (SELECT count(*) FROM executions WHERE provider = ?1 AND dispatched_at IS NOT NULL))";

/// Gives the provider's free places to the next waiting executions and returns their ids, which are then announced.
pub async fn dispatch(db: &Db, provider: ProviderName, now: Timestamp) -> Result<Vec<String>, DbError> {
    let sql = format!("UPDATE executions SET dispatched_at = ?2 WHERE id IN ({NEXT_IN_LINE}) RETURNING id");
    let statement = Statement::new(sql, params![provider.as_str(), now, provider.default_concurrency()]);
    ids(&db.write(vec![statement]).await?.remove(0).rows)
}

/// Takes back places whose announcement could not be sent, so that the next dispatch announces them again.
pub async fn undispatch(db: &Db, ids: &[String]) -> Result<(), DbError> {
    let sql = "UPDATE executions SET dispatched_at = NULL WHERE id = ?1 AND status = 'pending'";
    db.write(ids.iter().map(|id| Statement::new(sql, params![id])).collect()).await?;
    Ok(())
}

/// An execution that this worker holds until the lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Id of the execution.
    pub id: String,
    /// Number of this attempt, 1 for the first; fences every later write.
    pub attempt: u32,
    /// When it was claimed. An attempt that is handed back gives its number to the next one, and this tells them apart.
    pub claimed_at: Timestamp,
    /// The document.
    pub execution: Execution,
    /// When the execution was created.
    pub created_at: Timestamp,
    /// The trace that it belongs to.
    pub trace: Option<TraceId>,
}

/// The answer of a claiming update.
const CLAIMED: &str = "RETURNING id, attempt, started_at, data, created_at, trace_id";

/// Takes the execution that a message names: a dispatched one, or one whose worker has gone silent and that has attempts
/// left. `None` when there is nothing to do: it has ended, waits for its turn, or another worker holds it. What waits is
/// always worth a try, also when `max_attempts` has been lowered since: it would keep its place for ever.
pub async fn claim(
    db: &Db,
    id: &str,
    lease: Duration,
    max_attempts: u32,
    now: Timestamp,
) -> Result<Option<Claim>, DbError> {
    let sql = format!(
        "UPDATE executions SET status = 'running', attempt = attempt + 1, lease_until = ?3, started_at = ?2,
            updated_at = ?2, next_attempt_at = NULL
        WHERE id = ?1 AND dispatched_at IS NOT NULL
            AND (status = 'pending' OR (status = 'running' AND lease_until < ?2 AND attempt < ?4))
        {CLAIMED}"
    );
    let statement = Statement::new(sql, params![id, now, now.plus(lease), max_attempts]);
    db.write(vec![statement]).await?.remove(0).first().map(claim_of).transpose()
}

/// Takes the next waiting execution of a provider that has a free place, without a message.
pub async fn claim_next(
    db: &Db,
    provider: ProviderName,
    lease: Duration,
    now: Timestamp,
) -> Result<Option<Claim>, DbError> {
    let sql = format!(
        "UPDATE executions SET status = 'running', attempt = attempt + 1, lease_until = ?4, started_at = ?2,
            updated_at = ?2, next_attempt_at = NULL, dispatched_at = ?2
        WHERE id = (SELECT id FROM ({NEXT_IN_LINE}) LIMIT 1)
        {CLAIMED}"
    );
    let params = params![provider.as_str(), now, provider.default_concurrency(), now.plus(lease)];
    db.write(vec![Statement::new(sql, params)]).await?.remove(0).first().map(claim_of).transpose()
}

/// Extends the lease. False when the claim does not hold any more: the execution was cancelled or taken over, and its
/// answer is of no use.
pub async fn extend(db: &Db, claim: &Claim, lease: Duration, now: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE executions SET lease_until = ?3 WHERE id = ?1 AND attempt = ?2 AND status = 'running'";
    let statement = Statement::new(sql, params![&claim.id, claim.attempt, now.plus(lease)]);
    changed_one(db.write(vec![statement.expecting_one()]).await)
}

/// Records how the execution ended. False when the claim does not hold any more; nothing is recorded then.
pub async fn finish(db: &Db, claim: &Claim, outcome: &Outcome, now: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE executions SET status = ?3, data = json_patch(data, ?4), completed_at = ?5, updated_at = ?5,
            dispatched_at = NULL, lease_until = NULL
        WHERE id = ?1 AND attempt = ?2 AND status = 'running'";
    let members = to_json(&outcome.members());
    let statement = Statement::new(sql, params![&claim.id, claim.attempt, outcome.status().as_str(), members, now]);
    changed_one(db.write(vec![statement.expecting_one()]).await)
}

/// Puts the execution back in line after a failure that may pass. False when the claim does not hold any more.
pub async fn retry_at(db: &Db, claim: &Claim, reason: &str, when: Timestamp, now: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE executions SET status = 'pending', dispatched_at = NULL, lease_until = NULL, started_at = NULL,
            last_error = ?3, next_attempt_at = ?4, updated_at = ?5
        WHERE id = ?1 AND attempt = ?2 AND status = 'running'";
    let statement = Statement::new(sql, params![&claim.id, claim.attempt, reason, when, now]);
    changed_one(db.write(vec![statement.expecting_one()]).await)
}

/// Gives an execution back untried, for instance when the process must stop: the attempt does not count. Sent again after
/// a lost answer, it leaves the next attempt alone, which has the same number.
pub async fn hand_back(db: &Db, claim: &Claim, now: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE executions SET status = 'pending', attempt = attempt - 1, dispatched_at = NULL,
            lease_until = NULL, started_at = NULL, updated_at = ?3
        WHERE id = ?1 AND attempt = ?2 AND status = 'running' AND started_at = ?4";
    let statement = Statement::new(sql, params![&claim.id, claim.attempt, now, claim.claimed_at]);
    changed_one(db.write(vec![statement.expecting_one()]).await)
}

/// Why an execution was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// No execution with this id.
    #[error("there is no such execution")]
    NotFound,
    /// It has ended.
    #[error("only a pending or running execution can be cancelled; this one is {0}")]
    AlreadyFinished(&'static str),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Cancels a pending or running execution (decision E-08) and tells its provider, which may have a free place now. The
/// worker of a running one notices at its next sign of life, and only then gives the place back ([`release`]): until then
/// the provider works on the call. Its late answer is discarded.
pub async fn cancel(db: &Db, id: &str, now: Timestamp) -> Result<ProviderName, CancelError> {
    let sql = "UPDATE executions SET status = 'failed', completed_at = ?2, updated_at = ?2,
            dispatched_at = CASE status WHEN 'running' THEN dispatched_at END,
            lease_until = CASE status WHEN 'running' THEN lease_until END, next_attempt_at = NULL,
            data = json_set(data, '$.error_message', 'Execution cancelled by user')
        WHERE id = ?1 AND status IN ('pending', 'running') RETURNING provider";
    let cancel = Statement::new(sql, params![id, now]).expecting_one();
    match db.write(vec![cancel, audit::entry(Action::ExecutionCancelled).on(id).record()]).await {
        Ok(answers) => {
            let row = answers.first().and_then(Rows::first).ok_or(DbError::Column("provider"))?;
            Ok(provider_of(row)?)
        }
        Err(DbError::Guard) => {
            let found = find(db, id).await?.ok_or(CancelError::NotFound)?;
            Err(CancelError::AlreadyFinished(found.status.as_str()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives the place of a cancelled execution back, once its worker has let go of the provider.
pub async fn release(db: &Db, claim: &Claim) -> Result<(), DbError> {
    let sql = "UPDATE executions SET dispatched_at = NULL, lease_until = NULL
        WHERE id = ?1 AND attempt = ?2 AND status IN ('completed', 'failed') AND dispatched_at IS NOT NULL";
    db.write(vec![Statement::new(sql, params![&claim.id, claim.attempt])]).await?;
    Ok(())
}

/// The provider of a pending execution whose waiting time is over, for a message that found nothing to claim.
pub async fn find_waiting_provider(db: &Db, id: &str) -> Result<Option<ProviderName>, DbError> {
    let sql = "SELECT provider FROM executions WHERE id = ?1 AND status = 'pending' AND dispatched_at IS NULL";
    db.read(sql, params![id]).await?.first().map(provider_of).transpose()
}

/// The providers that have executions in line.
pub async fn providers_with_waiting(db: &Db) -> Result<Vec<ProviderName>, DbError> {
    let sql = "SELECT value AS provider FROM json_each(?1) WHERE EXISTS (
        SELECT 1 FROM executions INDEXED BY executions_waiting
        WHERE provider = value AND status = 'pending' AND dispatched_at IS NULL)";
    let providers = to_json(&ProviderName::ALL.map(ProviderName::as_str));
    db.read(sql, params![providers]).await?.rows.iter().map(provider_of).collect()
}

/// Cancelled executions whose worker died before it noticed.
const ABANDONED: &str = "SELECT id FROM executions INDEXED BY executions_occupying
    WHERE dispatched_at IS NOT NULL AND lease_until < ?1 AND status IN ('completed', 'failed')";

/// Finds what got stuck: leases that ran out and announcements that led to nothing. At most `limit` of each kind.
pub async fn recover(
    db: &Db,
    max_attempts: u32,
    announced_before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<Recovered, DbError> {
    let requeue =
        "UPDATE executions SET status = 'pending', dispatched_at = NULL, lease_until = NULL, started_at = NULL,
            last_error = 'the worker went silent', next_attempt_at = NULL, updated_at = ?1
        WHERE id IN (SELECT id FROM executions INDEXED BY executions_leases
            WHERE status = 'running' AND lease_until < ?1 AND attempt < ?2 LIMIT +?3)
        RETURNING id";
    let give_up = "UPDATE executions SET status = 'failed', dispatched_at = NULL, lease_until = NULL,
            completed_at = ?1, updated_at = ?1, data = json_set(data, '$.error_message',
                'Execution interrupted: its worker stopped, and no attempts are left')
        WHERE id IN (SELECT id FROM executions INDEXED BY executions_leases
            WHERE status = 'running' AND lease_until < ?1 AND attempt >= ?2 LIMIT +?3)
        RETURNING id";
    let release =
        format!("UPDATE executions SET dispatched_at = NULL, lease_until = NULL WHERE id IN ({ABANDONED} LIMIT +?2)");
    let renew = "UPDATE executions SET dispatched_at = ?1
        WHERE id IN (SELECT id FROM executions INDEXED BY executions_occupying
            WHERE dispatched_at < ?2 AND status = 'pending' LIMIT +?3)
        RETURNING id";
    let answers = db
        .write(vec![
            Statement::new(requeue, params![now, max_attempts, limit]),
            Statement::new(give_up, params![now, max_attempts, limit]),
            Statement::new(renew, params![now, announced_before, limit]),
            Statement::new(release, params![now, limit]),
        ])
        .await?;
    Recovered::from_answers(&answers)
}

fn claim_of(row: &Row) -> Result<Claim, DbError> {
    Ok(Claim {
        id: row.get("id")?,
        attempt: row.get("attempt")?,
        claimed_at: row.get("started_at")?,
        execution: row.json("data")?,
        created_at: row.get("created_at")?,
        trace: claims::trace_of(row)?,
    })
}

fn provider_of(row: &Row) -> Result<ProviderName, DbError> {
    row.get::<String>("provider")?.parse().map_err(|_| DbError::Column("provider"))
}

/// Status and attempt of an execution, for tests and logs.
pub async fn progress(db: &Db, id: &str) -> Result<Option<(ExecutionStatus, u32)>, DbError> {
    let rows = db.read("SELECT status, attempt FROM executions WHERE id = ?1", params![id]).await?;
    rows.first()
        .map(|row| {
            let status: String = row.get("status")?;
            Ok((ExecutionStatus::parse(&status).ok_or(DbError::Column("status"))?, row.get("attempt")?))
        })
        .transpose()
}

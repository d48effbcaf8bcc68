//! A libSQL server (Turso, sqld) reached by SQL over HTTP, without a persistent connection.
//!
//! The driver repeats nothing, waits for ever, makes an HTTP client with a TLS session of its own for each connection,
//! and reports every failed request as one line of text. Hence what this file adds: time-outs, connections that are kept
//! for the next piece of work, and a decision what a failed try has done and whether there is another one.
//!
//! A lost answer leaves it open whether a write took effect. Such a write is repeated only when it cannot take effect
//! twice; see [`Statement::fails_when_repeated`]. When the repeat finds a row with an id that this write alone knows, the
//! first try did take effect, and the caller never hears of the trouble.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};
use turso_serverless::{BatchResult, BatchStatement, Builder, Connection, Error, TransactionBehavior};

use super::{DbError, Row, Rows, Statement, Value};
use crate::config::Secret;

/// How long a connection is kept. A server forgets its stream sooner, which costs one request in vain, yet a new
/// connection costs a TLS handshake and an HTTP client. Gateways close idle connections, but not as soon as this.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Requests of one process at a time, hence also its connections: a server has 128 streams for all processes, keeps each for
/// ten seconds after its last use, and one function works on up to ten messages. The rest waits here for some milliseconds.
const MAX_REQUESTS: usize = 4;
/// How often a unit of work is tried.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a unit of work may take with all its tries. A writer may wait five seconds for another one.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct RemoteDb {
    url: String,
    token: Option<Secret>,
    pub(super) patience: Duration,
    idle: Mutex<Vec<(Connection, Instant)>>,
    requests: Semaphore,
}

/// Reads need no transaction; writes take the write lock at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
    /// A write that may be sent any number of times.
    RepeatableWrite,
}

/// What a failed try has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing, and the next try would end alike.
    Refused,
    /// Nothing, and the next try may succeed.
    Postponed,
    /// Perhaps everything: the answer is missing or not whole.
    Unknown,
}

impl RemoteDb {
    pub(super) fn new(url: String, token: Option<Secret>) -> Self {
        Self { url, token, patience: PATIENCE, idle: Mutex::new(Vec::new()), requests: Semaphore::new(MAX_REQUESTS) }
    }

    pub(super) async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let outcome = self.run(&statements, Mode::Read, Instant::now() + self.patience).await;
        outcome
            .map(|answers| answers.iter().map(out_of_driver).collect())
            .map_err(|error| self.explain(error, Mode::Read))
    }

    pub(super) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let deadline = Instant::now() + self.patience;
        match self.run(&statements, Mode::Write, deadline).await {
            Ok(answers) => Ok(answers.iter().map(out_of_driver).collect()),
            Err(error) if effect_of(&error) != Effect::Unknown => Err(self.explain(error, Mode::Write)),
            Err(_) if statements.iter().any(Statement::fails_when_repeated) => {
                self.write_again(statements, deadline).await
            }
            Err(error) => Err(self.explain(error, Mode::Write)),
        }
    }

    /// Repeats a write whose answer was lost, after a statement that looks for the proof that the first try took effect.
    async fn write_again(&self, mut statements: Vec<Statement>, deadline: Instant) -> Result<Vec<Rows>, DbError> {
        // Rows that the first try returned cannot be had again, so nothing is proven then.
        let returns_rows = statements.iter().any(|statement| statement.sql.contains("RETURNING"));
        let proof = if returns_rows { None } else { statements.iter().find_map(Statement::proof) };
        let (count, skipped) = (statements.len(), usize::from(proof.is_some()));
        statements.splice(..0, proof);
        match self.run(&statements, Mode::RepeatableWrite, deadline).await {
            Ok(answers) => Ok(answers.iter().skip(skipped).map(out_of_driver).collect()),
            // The answers of the first try are lost. Those of inserts were one changed row each, and nobody counts what
            // else changed along with an insert.
            Err(error) if skipped == 1 && is_proven(&error) => {
                Ok(std::iter::repeat_n(Rows { rows: Vec::new(), affected: 1 }, count).collect())
            }
            Err(error) => Err(self.explain(error, Mode::RepeatableWrite)),
        }
    }

    /// Tries the whole unit again as long as that is harmless and there is hope and time.
    async fn run(&self, statements: &[Statement], mode: Mode, deadline: Instant) -> Result<Vec<BatchResult>, Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let error = match self.run_once(statements, mode, deadline).await {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            let is_worth_a_try = match effect_of(&error) {
                Effect::Refused => false,
                Effect::Postponed => true,
                Effect::Unknown => mode != Mode::Write,
            };
            if !is_worth_a_try || attempt == TRIES || Instant::now() + pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
        unreachable!("the loop returns at the last try")
    }

    async fn run_once(
        &self,
        statements: &[Statement],
        mode: Mode,
        deadline: Instant,
    ) -> Result<Vec<BatchResult>, Error> {
        let turn = tokio::time::timeout_at(deadline, self.requests.acquire()).await.ok().and_then(Result::ok);
        // Nothing was sent: the caller hears that the database is not available.
        let _turn = turn.ok_or_else(|| Error::Busy("other requests of this process took too long".to_owned()))?;
        let (connection, is_reused) = self.connection().await?;
        let mut outcome = send(&connection, statements, mode, deadline).await;
        if is_reused && outcome.as_ref().is_err_and(is_about_the_stream) {
            // The driver has dropped the stream that the server forgot; the HTTP connection is as good as before.
            outcome = send(&connection, statements, mode, deadline).await;
        }
        // A statement that was refused, by a guard for instance, leaves the connection in order; a failed request may not.
        let is_in_order = !matches!(outcome, Err(Error::Http(_))) && connection.is_autocommit().unwrap_or(false);
        if is_in_order {
            self.keep(connection);
        }
        outcome
    }

    /// An idle connection or a new one; true if it may remember a stream.
    async fn connection(&self) -> Result<(Connection, bool), Error> {
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(_, used)| used.elapsed() < MAX_IDLE);
            if let Some((connection, _)) = idle.pop() {
                return Ok((connection, true));
            }
        }
        let mut builder = Builder::new_remote(&self.url);
        if let Some(token) = &self.token {
            builder = builder.with_auth_token(token.reveal());
        }
        Ok((builder.build().await?.connect()?, false))
    }

    fn keep(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }

    /// The error for the caller; a server that repeats the token does not make us repeat it.
    fn explain(&self, error: Error, mode: Mode) -> DbError {
        let effect = effect_of(&error);
        let mut message = cause_of(error).to_string();
        if let Some(token) = self.token.as_ref().map(Secret::reveal).filter(|token| !token.is_empty()) {
            message = message.replace(token, "…");
        }
        // After a repeatable write an earlier try may have taken effect, whatever became of the last one.
        let is_open = mode == Mode::RepeatableWrite || (mode == Mode::Write && effect == Effect::Unknown);
        match effect {
            Effect::Refused if matches!(status_of(&message), Some(401 | 403)) => {
                DbError::Other(format!("the database server refuses the access token: {message}"))
            }
            Effect::Refused => DbError::from_message(message),
            _ if is_open => DbError::Unavailable(format!("the write may have taken effect or not: {message}")),
            Effect::Postponed | Effect::Unknown => DbError::Unavailable(message),
        }
    }
}

async fn send(
    connection: &Connection,
    statements: &[Statement],
    mode: Mode,
    deadline: Instant,
) -> Result<Vec<BatchResult>, Error> {
    let batch = statements.iter().map(into_driver).collect::<Result<Vec<_>, _>>()?;
    let answer = async {
        match mode {
            Mode::Read => connection.batch(batch).await,
            Mode::Write | Mode::RepeatableWrite => {
                connection.transactional_batch(batch, TransactionBehavior::Immediate).await
            }
        }
    };
    let in_time = tokio::time::timeout_at(deadline, answer).await;
    in_time.unwrap_or_else(|_| Err(Error::Http("the server did not answer in time".to_owned())))
}

/// The failure of the statement, without what the driver packed around it.
fn cause_of(error: Error) -> Error {
    match error {
        Error::BatchStatementFailed { error, .. } | Error::BatchRollbackFailed { error, .. } => cause_of(*error),
        other => other,
    }
}

/// What a failed try has done. The driver gives failed requests as text only, with the status in front when there is one.
pub(super) fn effect_of(error: &Error) -> Effect {
    match error {
        Error::BatchStatementFailed { error, .. } | Error::BatchRollbackFailed { error, .. } => effect_of(error),
        Error::Busy(_) | Error::BusySnapshot(_) => Effect::Postponed,
        Error::Http(message) => match status_of(message) {
            Some(429 | 503) => Effect::Postponed,
            Some(408 | 500..) => Effect::Unknown,
            Some(_) => Effect::Refused,
            // The request could not even be made: a malformed URL or token.
            None if message.contains("builder error") => Effect::Refused,
            None => Effect::Unknown,
        },
        other => match DbError::from_message(other.to_string()) {
            DbError::Unavailable(_) => Effect::Postponed,
            _ => Effect::Refused,
        },
    }
}

fn status_of(message: &str) -> Option<u16> {
    message.strip_prefix("HTTP status ")?.get(..3)?.parse().ok()
}

/// Whether the request may have failed only because of the stream it named. Servers answer an expired, lost or unknown
/// stream with 400, 404 or 410, some without a word more; nothing was executed then.
pub(super) fn is_about_the_stream(error: &Error) -> bool {
    matches!(error, Error::Http(message) if matches!(status_of(message), Some(400 | 404 | 410)))
}

/// Whether the statement in front of a failed batch found what it looked for.
fn is_proven(error: &Error) -> bool {
    match error {
        Error::BatchRollbackFailed { error, .. } => is_proven(error),
        Error::BatchStatementFailed { results, .. } => {
            matches!(results.first(), Some(Some(proof)) if !proof.rows().is_empty())
        }
        _ => false,
    }
}

fn into_driver(statement: &Statement) -> turso_serverless::Result<BatchStatement> {
    let params: Vec<turso_serverless::Value> = statement.params.iter().map(value_into_driver).collect();
    BatchStatement::new(statement.sql.as_ref(), params)
}

fn value_into_driver(value: &Value) -> turso_serverless::Value {
    match value.clone() {
        Value::Null => turso_serverless::Value::Null,
        Value::Integer(number) => turso_serverless::Value::Integer(number),
        Value::Real(number) => turso_serverless::Value::Real(number),
        Value::Text(text) => turso_serverless::Value::Text(text),
        Value::Blob(bytes) => turso_serverless::Value::Blob(bytes),
    }
}

fn value_out_of_driver(value: turso_serverless::Value) -> Value {
    match value {
        turso_serverless::Value::Null => Value::Null,
        turso_serverless::Value::Integer(number) => Value::Integer(number),
        turso_serverless::Value::Real(number) => Value::Real(number),
        turso_serverless::Value::Text(text) => Value::Text(text),
        turso_serverless::Value::Blob(bytes) => Value::Blob(bytes),
    }
}

fn out_of_driver(answer: &BatchResult) -> Rows {
    let columns: Arc<[String]> = answer.columns().iter().map(|column| column.name().to_owned()).collect();
    let rows = answer.rows().iter().map(|row| {
        let values = (0..row.column_count()).filter_map(|index| row.get_value(index).ok());
        Row::new(Arc::clone(&columns), values.map(value_out_of_driver).collect())
    });
    Rows { rows: rows.collect(), affected: answer.rows_affected() }
}

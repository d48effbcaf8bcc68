//! A libSQL server (Turso, sqld) reached by SQL over HTTP, without a persistent connection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use turso_serverless::{BatchResult, BatchStatement, Builder, Connection, Error, TransactionBehavior};

use super::{DbError, Row, Rows, Statement, Value};
use crate::config::Secret;

/// A server forgets a stream after ten idle seconds; older connections are dropped before that.
const MAX_IDLE: Duration = Duration::from_secs(7);
/// How often a unit of work is tried when the server is busy or has forgotten the stream.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct RemoteDb {
    url: String,
    token: Option<Secret>,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// Reads need no transaction; writes take the write lock at once.
#[derive(Clone, Copy)]
enum Mode {
    Read,
    Write,
}

impl RemoteDb {
    pub(super) fn new(url: String, token: Option<Secret>) -> Self {
        Self { url, token, idle: Mutex::new(Vec::new()) }
    }

    pub(super) async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        self.run(&statements, Mode::Read).await
    }

    pub(super) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        self.run(&statements, Mode::Write).await
    }

    /// Tries the whole unit again while the failure is one that passes. Repeating is safe after an unknown outcome too,
    /// because ids are made by the caller: the repeat then fails on a unique key or a guard instead of writing twice.
    async fn run(&self, statements: &[Statement], mode: Mode) -> Result<Vec<Rows>, DbError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.run_once(statements, mode).await {
                Err(DbError::Unavailable(_)) if attempt < TRIES => {
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                }
                outcome => return outcome,
            }
        }
        unreachable!("the loop returns at the last try")
    }

    async fn run_once(&self, statements: &[Statement], mode: Mode) -> Result<Vec<Rows>, DbError> {
        let batch = statements.iter().map(into_driver).collect::<Result<Vec<_>, _>>().map_err(from_driver)?;
        let connection = self.connection().await?;
        let answers = match mode {
            Mode::Read => connection.batch(batch).await,
            Mode::Write => connection.transactional_batch(batch, TransactionBehavior::Immediate).await,
        }
        .map_err(from_driver)?;
        // Only a connection whose last answer was good is worth keeping.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
        Ok(answers.iter().map(out_of_driver).collect())
    }

    async fn connection(&self) -> Result<Connection, DbError> {
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(_, used)| used.elapsed() < MAX_IDLE);
            if let Some((connection, _)) = idle.pop() {
                return Ok(connection);
            }
        }
        let mut builder = Builder::new_remote(&self.url);
        if let Some(token) = &self.token {
            builder = builder.with_auth_token(token.reveal());
        }
        builder.build().await.and_then(|database| database.connect()).map_err(from_driver)
    }
}

fn from_driver(error: Error) -> DbError {
    match error {
        Error::BatchStatementFailed { error, .. } => from_driver(*error),
        Error::BatchRollbackFailed { error, .. } => from_driver(*error),
        Error::Busy(message) | Error::BusySnapshot(message) => DbError::Unavailable(message),
        Error::Http(message) if is_passing(&message) => DbError::Unavailable(message),
        other => DbError::from_message(other.to_string()),
    }
}

/// Whether an HTTP failure is worth another try: no connection, too many streams, an expired stream, a restarting server.
fn is_passing(message: &str) -> bool {
    !["401", "403", "404"].iter().any(|status| message.contains(status))
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

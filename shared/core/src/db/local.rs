//! A database file of one's own: `libsql` core, one connection for each piece of work at a time.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{DbError, Row, Rows, Statement, Value};

/// How long a writer waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Settings of every connection. WAL lets readers and one writer work side by side; `NORMAL` survives a killed process;
/// what is deleted is overwritten, which makes a deletion some 20 µs longer and nothing else.
const PRAGMAS: [&str; 4] = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
];
/// Idle connections that are kept for the next piece of work.
const MAX_IDLE: usize = 16;

#[derive(Debug)]
pub(super) struct LocalDb {
    path: PathBuf,
    idle: Mutex<Vec<OpenFile>>,
}

/// A connection and the handle that keeps its database open.
struct OpenFile {
    connection: libsql::Connection,
    _database: libsql::Database,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenFile")
    }
}

impl LocalDb {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    pub(super) async fn read(self: &Arc<Self>, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        self.with_connection(async move |connection| run_all(connection, &statements).await).await
    }

    /// `IMMEDIATE` takes the write lock first, so that waiting for it honours the busy time-out.
    pub(super) async fn write(self: &Arc<Self>, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        self.with_connection(async move |connection| {
            run(connection, &Statement::new("BEGIN IMMEDIATE", Vec::new())).await?;
            let outcome = run_all(connection, &statements).await;
            let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let ended = run(connection, &Statement::new(end, Vec::new())).await;
            outcome.and_then(|rows| ended.map(|_| rows))
        })
        .await
    }

    /// Lends a connection to `work` on a thread where blocking is allowed, since SQLite calls block.
    async fn with_connection<T, F>(self: &Arc<Self>, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&libsql::Connection) -> Result<T, DbError> + Send + 'static,
    {
        let db = Arc::clone(self);
        let runtime = Handle::current();
        let blocking = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                let file = match db.take_idle() {
                    Some(file) => file,
                    None => db.open().await?,
                };
                let outcome = work(&file.connection).await;
                // A connection whose transaction could not be ended must not be used again.
                if file.connection.is_autocommit() {
                    db.keep_idle(file);
                }
                outcome
            })
        });
        blocking.await.map_err(|stopped| DbError::Other(format!("database task stopped: {stopped}")))?
    }

    async fn open(&self) -> Result<OpenFile, DbError> {
        let database = libsql::Builder::new_local(&self.path).build().await.map_err(from_driver)?;
        let connection = database.connect().map_err(from_driver)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(from_driver)?;
        for pragma in PRAGMAS {
            run(&connection, &Statement::new(pragma, Vec::new())).await?;
        }
        Ok(OpenFile { connection, _database: database })
    }

    fn take_idle(&self) -> Option<OpenFile> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep_idle(&self, file: OpenFile) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(file);
        }
    }
}

async fn run_all(connection: &libsql::Connection, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
    let mut answers = Vec::with_capacity(statements.len());
    for statement in statements {
        answers.push(run(connection, statement).await?);
    }
    Ok(answers)
}

/// Runs one statement to its end. `query` serves writes too: `execute` refuses `RETURNING`.
async fn run(connection: &libsql::Connection, statement: &Statement) -> Result<Rows, DbError> {
    let prepared = connection.prepare(&statement.sql).await.map_err(from_driver)?;
    // SQLite would silently read missing parameters as NULL.
    if prepared.parameter_count() != statement.params.len() {
        return Err(DbError::Other(format!(
            "statement takes {} parameters, {} given: {}",
            prepared.parameter_count(),
            statement.params.len(),
            statement.sql
        )));
    }
    let params: Vec<libsql::Value> = statement.params.iter().cloned().map(into_driver).collect();
    let columns: Arc<[String]> = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
    let changes_before = connection.total_changes();
    let mut cursor = prepared.query(params).await.map_err(from_driver)?;
    let mut rows = Vec::new();
    while let Some(row) = cursor.next().await.map_err(from_driver)? {
        let values = (0..row.column_count()).map(|index| row.get_value(index).map(out_of_driver));
        rows.push(Row::new(Arc::clone(&columns), values.collect::<Result<_, _>>().map_err(from_driver)?));
    }
    // `changes` keeps the count of the last statement that wrote. One that returns rows counts as 0, as it does remotely.
    let counts = columns.is_empty() && connection.total_changes() != changes_before;
    Ok(Rows { rows, affected: if counts { connection.changes() } else { 0 } })
}

fn from_driver(error: libsql::Error) -> DbError {
    DbError::from_message(error.to_string())
}

fn into_driver(value: Value) -> libsql::Value {
    match value {
        Value::Null => libsql::Value::Null,
        Value::Integer(number) => libsql::Value::Integer(number),
        Value::Real(number) => libsql::Value::Real(number),
        Value::Text(text) => libsql::Value::Text(text),
        Value::Blob(bytes) => libsql::Value::Blob(bytes),
    }
}

fn out_of_driver(value: libsql::Value) -> Value {
    match value {
        libsql::Value::Null => Value::Null,
        libsql::Value::Integer(number) => Value::Integer(number),
        libsql::Value::Real(number) => Value::Real(number),
        libsql::Value::Text(text) => Value::Text(text),
        libsql::Value::Blob(bytes) => Value::Blob(bytes),
    }
}

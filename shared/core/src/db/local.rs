//! A database file of one's own: `libsql` core, one connection for each piece of work at a time.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::{DbError, Row, Rows, Statement, Value};

/// How long a writer waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries of what SQLite does not wait for itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Settings of every connection. WAL lets readers and one writer work side by side; `NORMAL` survives a killed process;
/// what is deleted is overwritten, which makes the deletion of a document of 1 to 12 KB 10 to 25 µs longer.
const PRAGMAS: [&str; 4] = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
];
/// Idle connections that are kept for the next piece of work.
const MAX_IDLE: usize = 16;
/// Statements that a connection keeps prepared. A function has a few dozen; lists with filters make more.
const MAX_PREPARED: usize = 64;
/// A prepared statement keeps its parameters until it gets others; larger ones, such as files, are not worth it.
const MAX_KEPT_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct LocalDb {
    path: PathBuf,
    idle: Mutex<Vec<OpenFile>>,
}

/// A connection, what it has prepared, and the handle that keeps its database open; dropped in this order.
struct OpenFile {
    prepared: HashMap<String, Prepared>,
    connection: libsql::Connection,
    _database: libsql::Database,
}

/// A statement for repeated use: to prepare it takes SQLite longer than to run it.
struct Prepared {
    statement: libsql::Statement,
    columns: Arc<[String]>,
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

    /// On the caller's thread: a reader waits for nobody, a page of a list takes less than the way to another thread and
    /// back, and a function works on one request at a time.
    pub(super) async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let mut file = self.take().await?;
        let outcome = file.run_all(&statements).await;
        self.keep(file);
        outcome
    }

    /// `IMMEDIATE` takes the write lock first, so that waiting for it honours the busy time-out. The wait is why a write
    /// runs on a thread where blocking is allowed.
    pub(super) async fn write(self: &Arc<Self>, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let (db, runtime) = (Arc::clone(self), Handle::current());
        let blocking = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                let mut file = db.take().await?;
                let outcome = file.write(&statements).await;
                db.keep(file);
                outcome
            })
        });
        blocking.await.map_err(|stopped| DbError::Other(format!("database task stopped: {stopped}")))?
    }

    async fn take(&self) -> Result<OpenFile, DbError> {
        let idle = self.idle().pop();
        match idle {
            Some(file) => Ok(file),
            None => self.open().await,
        }
    }

    fn keep(&self, file: OpenFile) {
        let mut idle = self.idle();
        // A connection whose transaction could not be ended must not be used again.
        if file.connection.is_autocommit() && idle.len() < MAX_IDLE {
            idle.push(file);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<OpenFile>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<OpenFile, DbError> {
        let database = libsql::Builder::new_local(&self.path).build().await.map_err(from_driver)?;
        let connection = database.connect().map_err(from_driver)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(from_driver)?;
        let mut file = OpenFile { prepared: HashMap::new(), connection, _database: database };
        for pragma in PRAGMAS {
            file.set(pragma).await?;
        }
        Ok(file)
    }
}

impl OpenFile {
    /// Changing a fresh file to WAL needs it alone for a moment. When several connections do so at once, SQLite refuses
    /// without waiting.
    async fn set(&mut self, pragma: &'static str) -> Result<(), DbError> {
        let started = Instant::now();
        loop {
            match self.run(&Statement::new(pragma, Vec::new())).await {
                Err(DbError::Unavailable(_)) if started.elapsed() < BUSY_TIMEOUT => thread::sleep(BUSY_PAUSE),
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    async fn write(&mut self, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
        self.run(&Statement::new("BEGIN IMMEDIATE", Vec::new())).await?;
        let outcome = self.run_all(statements).await;
        let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.run(&Statement::new(end, Vec::new())).await;
        outcome.and_then(|rows| ended.map(|_| rows))
    }

    async fn run_all(&mut self, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
        let mut answers = Vec::with_capacity(statements.len());
        for statement in statements {
            answers.push(self.run(statement).await?);
        }
        Ok(answers)
    }

    /// Runs one statement to its end. `query` serves writes too: `execute` refuses `RETURNING`.
    async fn run(&mut self, statement: &Statement) -> Result<Rows, DbError> {
        let Self { prepared, connection, .. } = self;
        if !prepared.contains_key(statement.sql.as_ref()) {
            if prepared.len() == MAX_PREPARED {
                prepared.clear();
            }
            let fresh = Prepared::new(connection, &statement.sql).await?;
            prepared.insert(statement.sql.clone().into_owned(), fresh);
        }
        let prepared = &prepared[statement.sql.as_ref()];
        let outcome = prepared.run(connection, statement).await;
        // Without this it would hold its snapshot of the database, and ignore the next parameters.
        prepared.statement.reset();
        if statement.size_bytes() > MAX_KEPT_BYTES {
            self.prepared.remove(statement.sql.as_ref());
        }
        outcome
    }
}

impl Prepared {
    async fn new(connection: &libsql::Connection, sql: &str) -> Result<Self, DbError> {
        let statement = connection.prepare(sql).await.map_err(from_driver)?;
        let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        Ok(Self { statement, columns })
    }

    async fn run(&self, connection: &libsql::Connection, statement: &Statement) -> Result<Rows, DbError> {
        let wanted = self.statement.parameter_count();
        // SQLite would silently read missing parameters as NULL.
        if wanted != statement.params.len() {
            let (given, sql) = (statement.params.len(), &statement.sql);
            return Err(DbError::Other(format!("statement takes {wanted} parameters, {given} given: {sql}")));
        }
        let params: Vec<libsql::Value> = statement.params.iter().cloned().map(into_driver).collect();
        let changes_before = connection.total_changes();
        let mut cursor = self.statement.query(params).await.map_err(from_driver)?;
        let mut rows = Vec::new();
        while let Some(row) = cursor.next().await.map_err(from_driver)? {
            let values = (0..row.column_count()).map(|index| row.get_value(index).map(out_of_driver));
            rows.push(Row::new(Arc::clone(&self.columns), values.collect::<Result<_, _>>().map_err(from_driver)?));
        }
        // `changes` keeps the count of the last statement that wrote. One that returns rows counts as 0, as it does remotely.
        let counts = self.columns.is_empty() && connection.total_changes() != changes_before;
        Ok(Rows { rows, affected: if counts { connection.changes() } else { 0 } })
    }
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

//! One small door to libSQL: `read` and `write`, over a local file or a remote server.
//!
//! A write is one atomic batch of statements with its guards in SQL, never an interactive transaction: the same code
//! is fast on a file and one round trip remotely. Ids are made by the caller, so an insert whose answer was lost can be
//! repeated and recognised.

mod error;
mod hrana;
mod local;
mod remote;
mod schema;
mod value;

use std::{borrow::Cow, fmt, sync::Arc};

pub use error::DbError;
pub use value::{FromValue, Row, Rows, Value};

use crate::config::DatabaseConfig;
use schema::Requirement;

/// One SQL statement with its parameters, `?1` first.
#[derive(Clone)]
pub struct Statement {
    sql: Cow<'static, str>,
    params: Vec<Value>,
    expects_one: bool,
}

/// Without the values, which may be anything.
impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("sql", &self.sql).field("params", &self.params.len()).finish()
    }
}

impl Statement {
    /// A statement; build `params` with [`params!`](crate::params).
    pub fn new(sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params, expects_one: false }
    }

    /// Makes the whole write fail with [`DbError::Guard`] unless this statement changes exactly one row.
    ///
    /// Its condition should be one that the statement itself ends (a revision, an attempt, a status): a remote write with
    /// a guard is sent again when its answer was lost, and a first try that took effect then shows as `Guard`.
    #[must_use]
    pub fn expecting_one(mut self) -> Self {
        self.expects_one = true;
        self
    }

    /// Whether a write with this statement fails as a whole when it took effect before: by its guard, or because the
    /// row is there already. Every table has a primary key that the caller fills.
    fn fails_when_repeated(&self) -> bool {
        self.expects_one || self.inserts_values()
    }

    /// A statement that finds a row exactly when this one took effect: the row with the id that this insert made up.
    fn proof(&self) -> Option<Self> {
        let (table, columns) = self.sql.strip_prefix("INSERT INTO ")?.split_once(' ')?;
        let has_own_id = columns.starts_with("(id,") && self.fails_when_repeated();
        let id = self.params.first().filter(|_| has_own_id)?;
        Some(Self::new(format!("SELECT 1 AS one FROM {table} WHERE id = ?1"), vec![id.clone()]))
    }

    /// How much text and how many bytes its parameters hold.
    fn size_bytes(&self) -> usize {
        let size = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
        };
        self.params.iter().map(size).sum()
    }

    fn inserts_values(&self) -> bool {
        let sql = self.sql.trim_start();
        sql.starts_with("INSERT INTO ") && sql.contains("VALUES") && !sql.contains("ON CONFLICT")
    }
}

/// Inserts a row that the table's check refuses, unless the statement before it changed exactly one row.
const GUARD: &str = "INSERT INTO guards (holds) SELECT 0 WHERE changes() <> 1";

/// The database of one process. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Db {
    driver: Driver,
    /// Shared by all clones, so that a process asks until it knows, and then never again.
    requirement: Option<Arc<Requirement>>,
}

#[derive(Debug, Clone)]
enum Driver {
    Local(Arc<local::LocalDb>),
    Remote(Arc<remote::RemoteDb>),
}

impl Driver {
    async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        match self {
            Self::Local(db) => db.read(statements).await,
            Self::Remote(db) => db.read(statements).await,
        }
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        match self {
            Self::Local(db) => db.write(statements).await,
            Self::Remote(db) => db.write(statements).await,
        }
    }
}

impl Db {
    /// Prepares access to the configured database, whatever its schema; connects on first use.
    pub fn new(config: &DatabaseConfig) -> Self {
        let driver = match config {
            DatabaseConfig::File(path) => Driver::Local(Arc::new(local::LocalDb::new(path.clone()))),
            DatabaseConfig::Remote { url, token } => {
                Driver::Remote(Arc::new(remote::RemoteDb::new(url.clone(), token.clone())))
            }
        };
        Self { driver, requirement: None }
    }

    /// The same database, whose reads and writes fail with [`DbError::OldSchema`] as long as fewer migrations are applied.
    /// That costs no round trip: the question goes along with the work, until the answer was good once.
    #[must_use]
    pub fn requiring(self, version: i64) -> Self {
        Self { requirement: Some(Requirement::new(version)), ..self }
    }

    /// The number of the newest applied migration; 0 for an empty database.
    pub async fn schema_version(&self) -> Result<i64, DbError> {
        schema::version_of(&self.driver).await
    }

    /// What is still to be found out about the schema.
    fn open_requirement(&self) -> Option<&Requirement> {
        self.requirement.as_deref().filter(|requirement| !requirement.is_met())
    }

    /// Runs one reading statement.
    pub async fn read(&self, sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Result<Rows, DbError> {
        let mut answers = self.read_many(vec![Statement::new(sql, params)]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs several reading statements in one round trip; one [`Rows`] per statement.
    pub async fn read_many(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        match self.open_requirement() {
            Some(requirement) => requirement.read(&self.driver, statements).await,
            None => self.driver.read(statements).await,
        }
    }

    /// Runs the statements as one atomic unit: all of them take effect, or none; one [`Rows`] per statement, whose
    /// `affected` is 0 for a statement that returns rows.
    ///
    /// No write takes effect twice. When the answer of a remote write is lost, inserts are sent again and recognised if
    /// they had taken effect, guarded writes are sent again, and all others fail with [`DbError::Unavailable`], of which
    /// the caller knows only that it may have taken effect.
    pub async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let (batch, positions) = with_guards(statements);
        let mut answers = match self.open_requirement() {
            Some(requirement) => requirement.write(&self.driver, batch).await,
            None => self.driver.write(batch).await,
        }?;
        Ok(positions.into_iter().map(|index| std::mem::take(&mut answers[index])).collect())
    }
}

/// Puts a guard behind every statement that asks for one; tells where the caller's own statements ended up.
fn with_guards(statements: Vec<Statement>) -> (Vec<Statement>, Vec<usize>) {
    let mut batch = Vec::with_capacity(statements.len() + 2);
    let mut positions = Vec::with_capacity(statements.len());
    for statement in statements {
        let expects_one = statement.expects_one;
        positions.push(batch.len());
        batch.push(statement);
        if expects_one {
            batch.push(Statement::new(GUARD, Vec::new()));
        }
    }
    (batch, positions)
}

#[cfg(test)]
mod tests;

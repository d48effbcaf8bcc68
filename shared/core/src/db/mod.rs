//! One small door to libSQL: `read` and `write`, over a local file or a remote server.
//!
//! A write is one atomic batch of statements with its guards in SQL, never an interactive transaction: the same code
//! is fast on a file and one round trip remotely. Ids are made by the caller, so a write whose outcome is unknown can be
//! repeated.

mod error;
mod local;
mod remote;
mod value;

use std::{borrow::Cow, sync::Arc};

pub use error::DbError;
pub use value::{FromValue, Row, Rows, Value};

use crate::config::DatabaseConfig;

/// One SQL statement with its parameters, `?1` first.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: Cow<'static, str>,
    params: Vec<Value>,
    expects_one: bool,
}

impl Statement {
    /// A statement; build `params` with [`params!`](crate::params).
    pub fn new(sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params, expects_one: false }
    }

    /// Makes the whole write fail with [`DbError::Guard`] unless this statement changes exactly one row.
    #[must_use]
    pub fn expecting_one(mut self) -> Self {
        self.expects_one = true;
        self
    }
}

/// Inserts a row that the table's check refuses, unless the statement before it changed exactly one row.
const GUARD: &str = "INSERT INTO guards (holds) SELECT 0 WHERE changes() <> 1";

/// The database of one process. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Db {
    driver: Driver,
}

#[derive(Debug, Clone)]
enum Driver {
    Local(Arc<local::LocalDb>),
    Remote(Arc<remote::RemoteDb>),
}

impl Db {
    /// Prepares access to the configured database; connects on first use.
    pub fn new(config: &DatabaseConfig) -> Self {
        let driver = match config {
            DatabaseConfig::File(path) => Driver::Local(Arc::new(local::LocalDb::new(path.clone()))),
            DatabaseConfig::Remote { url, token } => {
                Driver::Remote(Arc::new(remote::RemoteDb::new(url.clone(), token.clone())))
            }
        };
        Self { driver }
    }

    /// Runs one reading statement.
    pub async fn read(&self, sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Result<Rows, DbError> {
        let mut answers = self.read_many(vec![Statement::new(sql, params)]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs several reading statements in one round trip; one [`Rows`] per statement.
    pub async fn read_many(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        match &self.driver {
            Driver::Local(db) => db.read(statements).await,
            Driver::Remote(db) => db.read(statements).await,
        }
    }

    /// Runs the statements as one atomic unit: all of them take effect, or none; one [`Rows`] per statement.
    pub async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let (batch, positions) = with_guards(statements);
        let mut answers = match &self.driver {
            Driver::Local(db) => db.write(batch).await,
            Driver::Remote(db) => db.write(batch).await,
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

//! Refuses to work on a schema that is older than the code needs.
//!
//! As long as nobody knows, the question travels in front of the work, in the same round trip; once the answer was good it
//! is not asked again by this process. A schema that is newer than the code is none of its business: migrations let the
//! previous version keep working.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{DbError, Driver, Rows, Statement};
use crate::params;

/// What a `Db` needs of its database, and whether that has been seen.
#[derive(Debug)]
pub(super) struct Requirement {
    version: i64,
    is_met: AtomicBool,
}

impl Requirement {
    pub(super) fn new(version: i64) -> Arc<Self> {
        Arc::new(Self { version, is_met: AtomicBool::new(false) })
    }

    pub(super) fn is_met(&self) -> bool {
        self.is_met.load(Ordering::Relaxed)
    }

    /// Reads, after a look at the version.
    pub(super) async fn read(&self, driver: &Driver, mut statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        statements.insert(0, Statement::new(NEWEST, params![]));
        match driver.read(statements).await {
            Ok(mut answers) => {
                self.compare(version_in(&answers.remove(0))?)?;
                Ok(answers)
            }
            Err(error) => Err(self.cause_of(error, driver).await),
        }
    }

    /// Writes, unless the version is too old; nothing is written then.
    pub(super) async fn write(&self, driver: &Driver, mut statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let guard = "INSERT INTO guards (holds) SELECT 0
            WHERE (SELECT COALESCE(max(version), 0) FROM schema_migrations) < ?1";
        statements.insert(0, Statement::new(guard, params![self.version]));
        match driver.write(statements).await {
            Ok(mut answers) => {
                self.is_met.store(true, Ordering::Relaxed);
                answers.remove(0);
                Ok(answers)
            }
            Err(error) => Err(self.cause_of(error, driver).await),
        }
    }

    fn compare(&self, found: i64) -> Result<(), DbError> {
        if found < self.version {
            return Err(DbError::OldSchema { found, needed: self.version });
        }
        self.is_met.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the age of the schema explains a failure: a guard that refused, a table or a column that is missing.
    async fn cause_of(&self, error: DbError, driver: &Driver) -> DbError {
        if !matches!(error, DbError::Guard | DbError::Other(_)) {
            return error;
        }
        match version_of(driver).await.and_then(|found| self.compare(found)) {
            Err(old @ DbError::OldSchema { .. }) => old,
            _ => error,
        }
    }
}

const NEWEST: &str = "SELECT COALESCE(max(version), 0) AS version FROM schema_migrations";

/// The number of the newest applied migration; 0 for an empty database.
pub(super) async fn version_of(driver: &Driver) -> Result<i64, DbError> {
    let table = "SELECT 1 AS one FROM sqlite_master WHERE name = 'schema_migrations'";
    let has_record = driver.read(vec![Statement::new(table, params![])]).await?;
    if has_record.first().and_then(Rows::first).is_none() {
        return Ok(0);
    }
    let newest = driver.read(vec![Statement::new(NEWEST, params![])]).await?;
    newest.first().map_or(Ok(0), version_in)
}

fn version_in(rows: &Rows) -> Result<i64, DbError> {
    rows.first().map_or(Ok(0), |row| row.get("version"))
}

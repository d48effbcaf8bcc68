//! Brings a database to the present schema: ordered SQL files, each applied once however many processes start together.

use sha2::{Digest, Sha256};

use crate::{
    config::DatabaseConfig,
    db::{Db, DbError, Statement},
    instant::Timestamp,
    params,
};

/// One file of `migrations/`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// File name without ending; starts with its four-digit number.
    pub name: &'static str,
    /// The SQL text.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration { name: $name, sql: include_str!(concat!("../../../migrations/", $name, ".sql")) }),*]
    };
}

/// Every migration, in order.
pub const MIGRATIONS: &[Migration] = migrations![
    "0001_foundation",
    "0002_users",
    "0003_settings",
    "0004_prompts",
    "0005_files",
    "0006_executions",
    "0007_comments",
    "0008_test_data",
    "0009_files_search",
    "0010_execution_bundles",
    "0011_deployments",
    "0012_jobs",
    "0013_dashboard",
    "0014_job_claims",
    "0015_embedding_results",
    "0016_admission",
    "0017_maintenance",
    "0018_provider_calls",
    "0019_audit_log",
];

/// Why a database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// An applied file was changed afterwards; databases would differ without anyone noticing.
    #[error(
        "migration {name} was changed after it had been applied (recorded {recorded}, now {present}): \
         restore the file and put the change into a new one"
    )]
    Changed {
        /// Name of the file.
        name: String,
        /// Checksum when it was applied.
        recorded: String,
        /// Checksum of the present file.
        present: String,
    },
    /// The database has migrations that this build does not know.
    #[error("the database is newer than this build: it has migration {0}")]
    FromTheFuture(String),
    /// A statement failed; nothing of that file was applied.
    #[error("migration {name} failed: {source}")]
    Failed {
        /// Name of the file.
        name: String,
        /// What the database said.
        source: DbError,
    },
    /// The record of applied migrations could not be read or created.
    #[error("the record of migrations is not accessible: {0}")]
    Record(#[from] DbError),
}

const CREATE_RECORD: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL)";

/// Applies what is missing and returns the names of the migrations that this call applied.
pub async fn migrate(db: &Db) -> Result<Vec<String>, MigrationError> {
    apply(db, MIGRATIONS).await
}

/// The schema that this build needs: every migration that it knows.
pub const NEEDED_VERSION: i64 = MIGRATIONS.len() as i64;

/// The configured database as this build needs it; see [`Db::requiring`].
pub fn current_database(config: &DatabaseConfig) -> Db {
    Db::new(config).requiring(NEEDED_VERSION)
}

async fn apply(db: &Db, migrations: &[Migration]) -> Result<Vec<String>, MigrationError> {
    db.write(vec![Statement::new(CREATE_RECORD, params![])]).await?;
    refuse_newer_database(db, migrations).await?;
    let mut applied = Vec::new();
    for (version, migration) in (1_i64..).zip(migrations) {
        if apply_one(db, version, migration).await? {
            applied.push(migration.name.to_owned());
        }
    }
    Ok(applied)
}

/// Applies one file unless it is recorded already. Its first statement records it: the primary key is the lock.
async fn apply_one(db: &Db, version: i64, migration: &Migration) -> Result<bool, MigrationError> {
    let checksum = hex::encode(Sha256::digest(migration.sql.as_bytes()));
    if is_recorded(db, version, migration, &checksum).await? {
        return Ok(false);
    }
    let mut batch = vec![Statement::new(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
        params![version, migration.name, &checksum, Timestamp::now()],
    )];
    batch.extend(split_statements(migration.sql).into_iter().map(|sql| Statement::new(sql, params![])));
    match db.write(batch).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_unique_violation("schema_migrations.version") => {
            is_recorded(db, version, migration, &checksum).await.map(|_| false)
        }
        Err(source) => Err(MigrationError::Failed { name: migration.name.to_owned(), source }),
    }
}

async fn is_recorded(db: &Db, version: i64, migration: &Migration, checksum: &str) -> Result<bool, MigrationError> {
    let sql = "SELECT name, checksum FROM schema_migrations WHERE version = ?1";
    let rows = db.read(sql, params![version]).await?;
    let Some(row) = rows.first() else {
        return Ok(false);
    };
    let recorded: String = row.get("checksum")?;
    if recorded != checksum {
        return Err(MigrationError::Changed {
            name: migration.name.to_owned(),
            recorded,
            present: checksum.to_owned(),
        });
    }
    Ok(true)
}

async fn refuse_newer_database(db: &Db, migrations: &[Migration]) -> Result<(), MigrationError> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let sql = "SELECT name FROM schema_migrations WHERE version > ?1 ORDER BY version LIMIT 1";
    match db.read(sql, params![known]).await?.first() {
        Some(row) => Err(MigrationError::FromTheFuture(row.get("name")?)),
        None => Ok(()),
    }
}

/// Cuts a file into its statements: one ends with the line that ends in `;`, a trigger with the line `END;`.
fn split_statements(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for line in sql.lines().filter(|line| !line.trim_start().starts_with("--") && !line.trim().is_empty()) {
        current.push_str(line);
        current.push('\n');
        let in_trigger = current.trim_start().starts_with("CREATE TRIGGER");
        let ends = if in_trigger { line.trim() == "END;" } else { line.trim_end().ends_with(';') };
        if ends {
            statements.push(std::mem::take(&mut current));
        }
    }
    if !current.trim().is_empty() {
        statements.push(current);
    }
    statements
}

#[cfg(test)]
mod tests;

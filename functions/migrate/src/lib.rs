//! The function `migrate`: brings the database to the schema of this build, before traffic reaches new functions.
//!
//! A deployment calls it as a custom resource ([`custom_resource`]); `cargo dev` and people call it plainly, with any
//! JSON, and get the names of the migrations that the call applied. With a `command` it does what takes a person's
//! decision instead: moving stored secrets to another key.

mod command;
pub mod custom_resource;

use std::time::Instant;

use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use shared_core::{
    Db,
    config::ConfigError,
    migrations::{self, MigrationError},
    secrets::Cipher,
};

use command::Command;
use custom_resource::Request;

/// What one call needs, or why it is not there.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database.
    pub database: Result<Db, ConfigError>,
    /// Only for commands: a key that cannot be read must not keep the schema from being brought up to date.
    pub cipher: Result<Cipher, ConfigError>,
}

/// Does what one call asks for. A configuration with problems is an outcome too: a deployment has to hear about it. A
/// command begins nothing new after `until`.
///
/// # Errors
/// A plain call whose migrations failed, a command that failed or is none, a request of CloudFormation that cannot be read,
/// or one whose outcome could not be told.
pub async fn handle(config: &Config, event: Value, until: Option<Instant>) -> Result<Value, Error> {
    let database = config.database.as_ref();
    if event.get("command").is_some() {
        let command = Command::deserialize(event)?;
        let (db, cipher) = (database.map_err(Clone::clone)?, config.cipher.as_ref().map_err(Clone::clone)?);
        // Boxed here and below, or the compiler has to lay out all of it within each other.
        return Ok(serde_json::to_value(Box::pin(command::run(db, cipher, command, until)).await?)?);
    }
    if event.get("ResponseURL").is_none() {
        let applied = Box::pin(apply(database.map_err(Clone::clone)?)).await?;
        return Ok(json!({ "applied": applied }));
    }
    let request: Request = serde_json::from_value(event)?;
    let failure = match database {
        _ if !request.wants_migrations() => None,
        Ok(db) => custom_resource::failure(&Box::pin(apply(db)).await),
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = &failure {
        tracing::error!(job.name = "migrate", error = reason, "the deployment has to stop");
    }
    request.answer(failure).await?;
    Ok(Value::Null)
}

async fn apply(db: &Db) -> Result<Vec<String>, MigrationError> {
    let outcome = migrations::migrate(db).await;
    match &outcome {
        Ok(applied) => tracing::info!(job.name = "migrate", applied = applied.len(), "job ended"),
        Err(error) => tracing::warn!(job.name = "migrate", error = %error, "job ended"),
    }
    outcome
}

#[cfg(test)]
mod tests;

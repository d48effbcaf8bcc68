//! The function `migrate`: brings the database to the schema of this build, before traffic reaches new functions.
//!
//! A deployment calls it as a custom resource ([`custom_resource`]); `cargo dev` and people call it plainly, with any
//! JSON, and get the names of the migrations that the call applied.

pub mod custom_resource;

use lambda_runtime::Error;
use serde_json::{Value, json};
use shared_core::{
    Db,
    config::ConfigError,
    migrations::{self, MigrationError},
};

use custom_resource::Request;

/// Does what one call asks for. A configuration with problems is an outcome too: a deployment has to hear about it.
///
/// # Errors
/// A plain call whose migrations failed, a request of CloudFormation that cannot be read, or one whose outcome could not be
/// told.
pub async fn handle(database: Result<&Db, &ConfigError>, event: Value) -> Result<Value, Error> {
    if event.get("ResponseURL").is_none() {
        let applied = apply(database.map_err(Clone::clone)?).await?;
        return Ok(json!({ "applied": applied }));
    }
    let request: Request = serde_json::from_value(event)?;
    let failure = match database {
        _ if !request.wants_migrations() => None,
        Ok(db) => custom_resource::failure(&apply(db).await),
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

//! The function `migrate`: brings the database to the schema of this build, before traffic reaches new functions.
//!
//! Answers the names of the migrations that this call applied.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};
use shared_core::{Db, config, logging, migrations};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::init();
    let database = config::load(config::Env::database)?;
    let db = Db::new(&database);
    run(service_fn(async |_: LambdaEvent<Value>| {
        let applied = migrations::migrate(&db).await?;
        tracing::info!(job.name = "migrate", applied = applied.len(), "job ended");
        Ok::<Value, Error>(json!({ "applied": applied }))
    }))
    .await
}

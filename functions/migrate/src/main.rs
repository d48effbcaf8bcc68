//! Cold start of the function `migrate`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared_core::{Db, config, logging};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::init();
    let db = config::load(config::Env::database).map(|database| Db::new(&database));
    run(service_fn(async |event: LambdaEvent<Value>| migrate::handle(db.as_ref(), event.payload).await)).await
}

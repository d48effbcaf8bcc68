//! Cold start of the function `migrate`.

use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use migrate::Config;
use serde_json::Value;
use shared_core::{Db, config, logging, secrets::Cipher};

/// What a command leaves of the invocation's time: its last portion has to end, and the answer to be sent.
const LEFT: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::init();
    let config = Config {
        database: config::load(config::Env::database).map(|database| Db::new(&database)),
        cipher: config::load(config::Env::encryption_keys).map(|keys| Cipher::with_keys(&keys)),
    };
    run(service_fn(async |event: LambdaEvent<Value>| {
        // Some local runtimes give a deadline in the past; then there is no limit.
        let remaining = event.context.deadline().duration_since(SystemTime::now()).ok();
        let until = remaining.map(|remaining| Instant::now() + remaining.saturating_sub(LEFT));
        Box::pin(migrate::handle(&config, event.payload, until)).await
    }))
    .await
}

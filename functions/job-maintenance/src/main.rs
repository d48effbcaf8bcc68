//! Cold start of the function `job-maintenance`.

use job_maintenance::{Maintenance, stop_at};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared_core::{Timestamp, config, logging};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::init();
    let maintenance = config::load(Maintenance::read)?;
    run(service_fn(async |event: LambdaEvent<Value>| {
        let until = stop_at(event.context.deadline());
        Ok::<_, Error>(maintenance.run(Timestamp::now(), until).await?)
    }))
    .await
}

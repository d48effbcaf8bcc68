//! Cold start of the function `job-execution`.

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use job_execution::Worker;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared_core::{config, logging};
use shared_jobs::run_batch;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging::init();
    let (worker, limits) = config::load(|env| {
        let (worker, limits) = (Worker::read(env), env.executions());
        Some((worker?, limits?))
    })?;
    let longest_call = limits.provider_timeout + limits.lease;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let until = stop_taking_at(event.context.deadline(), limits.drain, longest_call);
        Ok::<SqsBatchResponse, Error>(run_batch(event.payload, |message| worker.handle(message, until)).await)
    }))
    .await
}

/// Until when new work is taken: for `drain`, and never so late that a call could outlast the invocation. Some local
/// runtimes give a deadline in the past; then `drain` alone decides.
fn stop_taking_at(deadline: SystemTime, drain: Duration, longest_call: Duration) -> Instant {
    let now = Instant::now();
    match deadline.duration_since(SystemTime::now()) {
        Ok(left) => now + drain.min(left.saturating_sub(longest_call)),
        Err(_) => now + drain,
    }
}

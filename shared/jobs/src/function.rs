//! From a batch of messages to work: what every job function does alike.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, spawn_graceful_shutdown_handler};
use shared_core::{
    config::{self, Env, JobConfig},
    db::DbError,
    logging,
    secret::without_values,
};

use crate::{
    batch::run_batch,
    dispatcher::Dispatcher,
    invocation::Invocation,
    jobs::Jobs,
    message::JobMessage,
    runner::Runner,
    shutdown::Shutdown,
    work::{Stop, Work},
};

/// How long the runtime may need to hand over the last answer.
const LAST_ANSWER: Duration = Duration::from_millis(50);

/// What a function does with one message.
#[expect(async_fn_in_trait, reason = "only ever used as a type parameter, and by the task that awaits it")]
pub trait Function {
    /// Does what the row of the message is about. `Err` means that not even a failure could be recorded; only then does
    /// the message come again.
    async fn handle(&self, message: JobMessage, invocation: &Invocation) -> Result<(), DbError>;
}

/// Runs a job function until the process ends. SIGTERM ends it in order.
///
/// # Errors
/// A configuration with problems, or a runtime that cannot be reached.
pub async fn serve<F: Function>(read: impl FnOnce(&mut Env) -> Option<F>) -> Result<(), Error> {
    logging::init();
    let (function, grace) = config::load(|env| {
        let (function, grace) = (read(env), env.shutdown_grace());
        Some((function?, grace?))
    })?;
    let shutdown = Shutdown::new(grace);
    let ending = shutdown.clone();
    spawn_graceful_shutdown_handler(move || async move {
        ending.request();
        ending.all_ended().await;
        tokio::time::sleep(LAST_ANSWER).await;
    })
    .await;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let _running = shutdown.running();
        let invocation = Invocation::until(event.context.deadline(), shutdown.clone());
        let answer = run_batch(event.payload, |message| function.handle(message, &invocation)).await;
        Ok::<SqsBatchResponse, Error>(answer)
    }))
    .await
}

/// The function of one type of job.
#[derive(Debug, Clone)]
pub struct JobFunction<W: Work> {
    runner: Runner<Jobs<W::Job>>,
    work: W,
}

impl<W: Work> JobFunction<W> {
    /// Runs jobs of the work's type.
    pub fn new(work: W, dispatcher: Dispatcher, config: JobConfig) -> Self {
        Self { runner: Runner::new(Jobs::new(dispatcher, config)), work }
    }
}

impl<W: Work> Function for JobFunction<W> {
    async fn handle(&self, message: JobMessage, invocation: &Invocation) -> Result<(), DbError> {
        let Some(claim) = self.runner.claim(&message.id, invocation).await? else {
            // Ended, not due yet, held by another worker, or not to be begun any more.
            return Ok(());
        };
        let attempt = self.runner.attempt(&claim, invocation, async |context| {
            let unreadable = |error| Stop::terminate(format!("the job cannot be read: {}", without_values(&error)));
            let job: W::Job = serde_json::from_value(claim.job.data.clone()).map_err(unreadable)?;
            self.work.run(job, context).await
        });
        attempt.await
    }
}

//! From a batch of messages to work: what every job function does alike.

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, spawn_graceful_shutdown_handler};
use shared_core::{
    config::{self, Env, JobConfig},
    db::DbError,
    logging,
};

use crate::{
    batch::run_batch,
    dispatcher::Dispatcher,
    ledger::Jobs,
    message::JobMessage,
    runner::{Runner, Stop, Work},
    shutdown::Shutdown,
};

/// How long before the end of an invocation its work must be done, so that the record can be written.
const MARGIN: Duration = Duration::from_secs(2);
/// How long work may take when the invocation does not say when it ends: Lambda's longest time.
const UNLIMITED: Duration = Duration::from_secs(900);
/// How long the runtime may need to hand over the last answer.
const LAST_ANSWER: Duration = Duration::from_millis(50);

/// The circumstances of one call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    ends_at: Instant,
    shutdown: Shutdown,
}

impl Invocation {
    /// A call that ends in `time`.
    pub fn new(time: Duration, shutdown: Shutdown) -> Self {
        Self { ends_at: Instant::now() + time, shutdown }
    }

    /// A call that Lambda ends at `deadline`. Some local runtimes give a deadline in the past; then there is none.
    fn until(deadline: SystemTime, shutdown: Shutdown) -> Self {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or(UNLIMITED);
        Self::new(left, shutdown)
    }

    /// By when work must be done.
    pub fn work_deadline(&self) -> Instant {
        self.ends_at.checked_sub(MARGIN).unwrap_or(self.ends_at)
    }

    /// Until when new work is taken that may take `longest`: for `drain` from now on at most, and never so late that it
    /// could outlast the call.
    pub fn taking_until(&self, drain: Duration, longest: Duration) -> Instant {
        let now = Instant::now();
        let left = self.work_deadline().saturating_duration_since(now).saturating_sub(longest);
        now + drain.min(left)
    }

    /// Whether the process is to end.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

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
        if invocation.shutdown().is_requested() {
            // Maintenance announces it again.
            return Ok(());
        }
        let Some(claim) = self.runner.claim(&message.id).await? else {
            // Ended, not due yet, or held by another worker.
            return Ok(());
        };
        let attempt = self.runner.attempt(&claim, invocation, async |context| {
            let unreadable = |error| Stop::terminate(format!("the job cannot be read: {error}"));
            let job: W::Job = serde_json::from_value(claim.job.data.clone()).map_err(unreadable)?;
            self.work.run(job, context).await
        });
        attempt.await
    }
}

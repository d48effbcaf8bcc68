//! Runs executions: claims what a message names, asks the model, records what came of it (contract 9).

use std::time::{Duration, Instant};

use shared_core::{
    Db, Timestamp,
    config::{Env, ExecutionConfig},
    db::DbError,
    executions::{
        ModelAnswer, Outcome, PrepareError, Prepared, ProviderCall,
        pipeline::{self, Claim},
        prepare,
    },
    secrets::{Cipher, random_bytes},
};
use shared_jobs::{Dispatcher, ExecutionMessage, Queue};
use shared_providers::{
    Answer, Attachment, GenerationOptions, GenerationRequest, ProviderError, Registry, RegistryError, read_providers,
};

/// What this function holds while it lives.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    registry: Registry,
    dispatcher: Dispatcher,
    config: ExecutionConfig,
}

/// How one attempt went.
enum Attempt {
    /// The execution has ended.
    Ended(Outcome),
    /// The failure may pass.
    Postponed(ProviderError),
    /// Cancelled, or taken over by another worker: nothing to record.
    Lost,
}

impl Worker {
    /// Reads the configuration and prepares the worker; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let (database, key, queue) = (env.database(), env.encryption_key(), env.queue());
        let config = env.executions();
        let providers = config.as_ref().and_then(|config| read_providers(env, config));
        let (db, cipher) = (Db::new(&database?), Cipher::new(&key?));
        let dispatcher = Dispatcher::new(db.clone(), Queue::new(queue?));
        let registry = Registry::new(db.clone(), cipher, providers?);
        Some(Self { db, registry, dispatcher, config: config? })
    }

    /// Works on the execution that the message names, and then on what waits behind it at the same provider as long as
    /// this invocation may: so a backlog costs no queue round trip per execution.
    pub async fn handle(&self, message: ExecutionMessage, until: Instant) -> Result<(), DbError> {
        let ExecutionConfig { lease, max_attempts, .. } = self.config;
        let id = &message.execution_id;
        let Some(mut claim) = pipeline::claim(&self.db, id, lease, max_attempts, Timestamp::now()).await? else {
            // Finished, held by another worker, or a retry whose time may have come.
            if let Some(provider) = pipeline::find_waiting_provider(&self.db, id).await? {
                self.dispatcher.dispatch(provider).await?;
            }
            return Ok(());
        };
        let provider = claim.execution.provider;
        loop {
            self.work_on(&claim).await?;
            if Instant::now() >= until {
                self.dispatcher.dispatch(provider).await?;
                return Ok(());
            }
            match pipeline::claim_next(&self.db, provider, lease, Timestamp::now()).await? {
                Some(next) => claim = next,
                None => return Ok(()),
            }
        }
    }

    /// One attempt and its record.
    async fn work_on(&self, claim: &Claim) -> Result<(), DbError> {
        let started = Instant::now();
        let wait_ms = Timestamp::now().millis_since(claim.created_at);
        let attempt = tokio::select! {
            attempt = self.attempt(claim) => attempt?,
            () = self.until_claim_is_lost(claim) => Attempt::Lost,
        };
        let outcome = match attempt {
            Attempt::Ended(outcome) => self.finish(claim, &outcome).await?,
            Attempt::Postponed(error) => self.postpone(claim, &error).await?,
            Attempt::Lost => "lost",
        };
        tracing::info!(
            job.name = "execution",
            execution.id = claim.id,
            attempt = claim.attempt,
            outcome,
            provider = claim.execution.provider.as_str(),
            wait_ms,
            duration_ms = started.elapsed().as_millis(),
            "job ended"
        );
        Ok(())
    }

    async fn attempt(&self, claim: &Claim) -> Result<Attempt, DbError> {
        let prepared = match prepare(&self.db, &claim.execution).await {
            Ok(prepared) => prepared,
            Err(PrepareError::Db(error)) => return Err(error),
            Err(reason) => return Ok(Attempt::Ended(Outcome::Failed(reason.to_string()))),
        };
        let response_schema = prepared.schema.clone().filter(|_| prepared.checks_result);
        match self.ask(claim, prepared).await {
            Ok(answer) => Ok(Attempt::Ended(Outcome::answered(of_model(answer), response_schema.as_ref()))),
            Err(RegistryError::Db(error)) => Err(error),
            Err(RegistryError::Provider(error)) if error.is_transient() => Ok(Attempt::Postponed(error)),
            Err(RegistryError::Provider(error)) => Ok(Attempt::Ended(Outcome::Failed(error.to_string()))),
        }
    }

    async fn ask(&self, claim: &Claim, prepared: Prepared) -> Result<Answer, RegistryError> {
        let model = &claim.execution.model;
        let client = self.registry.connect(claim.execution.provider).await?;
        if prepared.file.is_some() && !client.supports_files() {
            return Err(ProviderError::files_not_supported(client.name()).into());
        }
        self.registry.require_model(client.as_ref(), model).await?;
        let request = GenerationRequest {
            model: model.clone(),
            options: GenerationOptions::from_stored(&prepared.options),
            prompt: prepared.prompt,
            user_input: prepared.user_input,
            schema: prepared.schema,
            files: prepared.file.into_iter().map(attachment).collect(),
        };
        Ok(client.generate(&request).await?)
    }

    /// Gives a sign of life now and then; returns when the claim does not hold any more.
    async fn until_claim_is_lost(&self, claim: &Claim) {
        let lease = self.config.lease;
        loop {
            tokio::time::sleep(lease / 6).await;
            match pipeline::extend(&self.db, claim, lease, Timestamp::now()).await {
                Ok(true) => {}
                Ok(false) => return,
                // The lease still holds for a while; the next try may succeed.
                Err(error) => tracing::warn!(%error, execution.id = claim.id, "lease not extended"),
            }
        }
    }

    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<&'static str, DbError> {
        let label = match outcome {
            Outcome::Completed(_) => "completed",
            Outcome::Failed(_) => "failed",
        };
        let is_recorded = pipeline::finish(&self.db, claim, outcome, Timestamp::now()).await?;
        Ok(if is_recorded { label } else { "lost" })
    }

    /// Puts the execution back in line, or ends it when no attempts are left.
    async fn postpone(&self, claim: &Claim, error: &ProviderError) -> Result<&'static str, DbError> {
        let ExecutionConfig { max_attempts, retry_base, .. } = self.config;
        let Some(pause) = pipeline::retry_pause(claim.attempt, max_attempts, retry_base, error.retry_after()) else {
            return self.finish(claim, &Outcome::Failed(error.to_string())).await;
        };
        let pause = jittered(pause);
        let now = Timestamp::now();
        let due = now.plus_millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        if !pipeline::retry_at(&self.db, claim, &error.to_string(), due, now).await? {
            return Ok("lost");
        }
        self.dispatcher.announce_retry(&claim.id, pause).await;
        Ok("retry")
    }
}

/// Up to a quarter longer, so that what failed together does not come back together.
fn jittered(pause: Duration) -> Duration {
    let [random] = random_bytes::<1>();
    pause + pause.mul_f64(f64::from(random) / 1024.0)
}

fn attachment(file: shared_core::files::FileContent) -> Attachment {
    Attachment { file_name: file.original_name, mime_type: file.mime_type, data: file.bytes }
}

fn of_model(answer: Answer) -> ModelAnswer {
    let call = ProviderCall {
        tokens: answer.tokens,
        usage: answer.usage.map(|usage| usage.to_string()),
        request_id: answer.request_id,
        duration_ms: u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX),
        truncated: answer.is_truncated,
        notes: answer.notes,
    };
    ModelAnswer {
        text: answer.text,
        input_tokens: answer.input_tokens,
        output_tokens: answer.output_tokens,
        stop_reason: answer.stop_reason,
        ignored_options: answer.ignored_options,
        call,
    }
}

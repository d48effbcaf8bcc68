//! Runs executions: claims what a message names, asks the model, records what came of it (contract 9).

use std::time::Instant;

use shared_core::{
    Timestamp,
    config::{Env, ExecutionConfig},
    db::DbError,
    executions::{
        ModelAnswer, Outcome, PrepareError, Prepared, ProviderCall,
        pipeline::{self, Claim},
        prepare,
    },
    migrations,
    secrets::Cipher,
};
use shared_jobs::{
    Dispatcher, Executions, Failure, Function, Invocation, JobMessage, JobType, Queues, Runner, Stop,
    types::{EXECUTION, WebhookDelivery},
};
use shared_providers::{
    Answer, Attachment, GenerationOptions, GenerationRequest, ProviderError, Registry, RegistryError, read_providers,
};

/// What this function holds while it lives.
#[derive(Clone)]
pub struct Worker {
    registry: Registry,
    dispatcher: Dispatcher,
    runner: Runner<Executions>,
    config: ExecutionConfig,
}

impl Worker {
    /// Reads the configuration and prepares the worker; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let (database, keys, queues) =
            (env.database(), env.encryption_keys(), Queues::read(env, &[EXECUTION, WebhookDelivery::KIND]));
        let config = env.executions();
        let providers = config.as_ref().and_then(|config| read_providers(env, config));
        let (db, cipher, config) = (migrations::current_database(&database?), Cipher::with_keys(&keys?), config?);
        let dispatcher = Dispatcher::new(db.clone(), queues?);
        let runner = Runner::new(Executions::new(dispatcher.clone(), config.clone()));
        Some(Self { registry: Registry::new(db, cipher, providers?), dispatcher, runner, config })
    }

    /// Works on the execution that the message names, and then on what waits behind it at the same provider until
    /// `until`: so a backlog costs no queue round trip per execution.
    pub async fn work_off(&self, id: &str, until: Instant, invocation: &Invocation) -> Result<(), DbError> {
        let db = self.dispatcher.db();
        let Some(mut claim) = self.runner.claim(id, invocation).await? else {
            // Finished, held by another worker, or a retry whose time may have come.
            if let Some(provider) = pipeline::find_waiting_provider(db, id).await? {
                self.dispatcher.dispatch(provider).await?;
            }
            return Ok(());
        };
        let provider = claim.execution.provider;
        loop {
            self.runner.attempt(&claim, invocation, async |_| self.run(&claim).await).await?;
            if Instant::now() >= until || invocation.shutdown().is_requested() {
                self.dispatcher.dispatch(provider).await?;
                return Ok(());
            }
            match pipeline::claim_next(db, provider, self.config.lease, Timestamp::now()).await? {
                Some(next) => claim = next,
                None => return Ok(()),
            }
        }
    }

    async fn run(&self, claim: &Claim) -> Result<Outcome, Stop> {
        let prepared = match prepare(self.dispatcher.db(), &claim.execution).await {
            Ok(prepared) => prepared,
            Err(PrepareError::Db(error)) => return Err(error.into()),
            Err(reason) => return Ok(Outcome::Failed(reason.to_string())),
        };
        let response_schema = prepared.schema.clone().filter(|_| prepared.checks_result);
        match self.ask(claim, prepared).await {
            Ok(answer) => Ok(Outcome::answered(of_model(answer), response_schema.as_ref())),
            Err(RegistryError::Db(error)) => Err(error.into()),
            Err(RegistryError::Provider(error)) if error.is_transient() => {
                let retry_after = error.retry_after();
                Err(Stop::Retry(Failure { retry_after, ..Failure::new(error.to_string()) }))
            }
            Err(RegistryError::Provider(error)) => Ok(Outcome::Failed(error.to_string())),
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
}

impl Function for Worker {
    async fn handle(&self, message: JobMessage, invocation: &Invocation) -> Result<(), DbError> {
        let longest_call = self.config.provider_timeout + self.config.lease;
        let until = invocation.taking_until(self.config.drain, longest_call);
        self.work_off(&message.id, until, invocation).await
    }
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

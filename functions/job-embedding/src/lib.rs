//! Computes embeddings: asks Voyage AI and keeps what it answers (contract 16).

use shared_core::{
    Db, Secret, Timestamp,
    config::{EmbeddingConfig, Env},
    jobs::pipeline::End,
    migrations,
    secrets::Cipher,
    settings::{self, ServiceName},
};
use shared_jobs::{
    Dispatcher, Failure, JobContext, JobDone, JobFunction, JobType, Queues, Stop, Work,
    types::{GenerateEmbedding, WebhookDelivery},
};
use shared_providers::{ProviderError, VoyageAi};

/// Asks the vendor and prepares the record.
#[derive(Clone)]
pub struct Embedder {
    db: Db,
    cipher: Cipher,
    voyage_ai: VoyageAi,
    config: EmbeddingConfig,
}

/// Reads the configuration and prepares the function; nothing is connected yet.
pub fn read(env: &mut Env) -> Option<JobFunction<Embedder>> {
    let (database, keys, jobs, config) = (env.database(), env.encryption_keys(), env.jobs(), env.embeddings());
    let queues = Queues::read(env, &[GenerateEmbedding::KIND, WebhookDelivery::KIND]);
    let voyage_ai = config.and_then(|config| VoyageAi::read(env, config.timeout));
    let db = migrations::current_database(&database?);
    let dispatcher = Dispatcher::new(db.clone(), queues?);
    let embedder = Embedder { db, cipher: Cipher::with_keys(&keys?), voyage_ai: voyage_ai?, config: config? };
    Some(JobFunction::new(embedder, dispatcher, jobs?))
}

impl Embedder {
    /// The stored key of the vendor. Without one there is nothing to try again: somebody must store it first.
    async fn key(&self) -> Result<Secret, Stop> {
        let stored = settings::find_active_service_key(&self.db, ServiceName::VoyageAi).await?;
        let stored = stored.ok_or_else(|| Stop::terminate("there is no active service key for voyageai"))?;
        let unreadable = |error| Stop::terminate(format!("the service key for voyageai cannot be read: {error}"));
        self.cipher.decrypt(&stored).map_err(unreadable)
    }
}

impl Work for Embedder {
    type Job = GenerateEmbedding;

    async fn run(&self, GenerateEmbedding(work): GenerateEmbedding, context: &JobContext) -> Result<JobDone, Stop> {
        // Requests are measured before they are recorded (defect EM-05); a row of another origin may not have been.
        work.inputs.check_size(work.model).map_err(|reason| Stop::terminate(format!("inputs {reason}")))?;
        let key = self.key().await?;
        let embeddings = self.voyage_ai.embed(&key, &work).await.map_err(stopped)?;
        let expires_at = Timestamp::now().plus_seconds(i64::from(self.config.retention_days) * 86_400);
        Ok(JobDone {
            end: End::Completed(Some(embeddings.summary(expires_at))),
            last_status: Some(200),
            along: embeddings.store(&context.job_id, expires_at),
        })
    }
}

/// What follows from a failed call (defect EM-03).
fn stopped(error: ProviderError) -> Stop {
    let failure = Failure { reason: error.to_string(), status: error.status(), retry_after: error.retry_after() };
    if error.is_transient() { Stop::Retry(failure) } else { Stop::Fail(failure) }
}

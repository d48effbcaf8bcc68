//! Sends webhooks (contract 19): finds out where one goes and what signs it, sends it, and says how that went.

mod payload;
mod resolver;
mod sender;

use shared_core::{
    Db, Timestamp,
    config::Env,
    embeddings, migrations,
    secrets::Cipher,
    webhooks::{Destination, DestinationError, Recipient, SigningKeys, find_destination},
};
use shared_jobs::{
    Dispatcher, Failure, JobContext, JobDone, JobFunction, JobType, Queues, Stop, Work, types::WebhookDelivery,
};

pub use sender::{Delivery, Outcome, Sender};

/// The function: one delivery for each message.
pub type Worker = JobFunction<Deliveries>;

/// Reads the configuration and prepares the function; nothing is connected yet.
pub fn read(env: &mut Env) -> Option<Worker> {
    let (database, keys, queues) = (env.database(), env.encryption_keys(), Queues::read(env, &[WebhookDelivery::KIND]));
    let (installation_keys, targets, jobs) = (env.webhook_signature_keys(), env.webhook_targets(), env.jobs());
    let db = migrations::current_database(&database?);
    let deliveries = Deliveries {
        db: db.clone(),
        cipher: Cipher::with_keys(&keys?),
        installation_keys: installation_keys?,
        sender: Sender::new(targets?),
    };
    Some(JobFunction::new(deliveries, Dispatcher::new(db, queues?), jobs?))
}

/// Delivers webhooks.
#[derive(Debug, Clone)]
pub struct Deliveries {
    db: Db,
    cipher: Cipher,
    /// Sign what no secret of a destination signs.
    installation_keys: SigningKeys,
    sender: Sender,
}

impl Work for Deliveries {
    type Job = WebhookDelivery;

    async fn run(&self, job: WebhookDelivery, context: &JobContext) -> Result<JobDone, Stop> {
        let Destination { url, keys } = self.destination(&job).await?;
        let body = self.body(&job).await?;
        let delivery = Delivery { id: &context.job_id, url: &url, body, keys: &keys };
        match self.sender.post(delivery).await {
            Outcome::Delivered { status } => Ok(JobDone { last_status: Some(status), ..JobDone::completed(None) }),
            Outcome::Failed { status, reason } => Err(Stop::Fail(Failure { reason, status, retry_after: None })),
            Outcome::Postponed { status, reason, retry_after } => {
                Err(Stop::Retry(Failure { reason, status, retry_after }))
            }
            Outcome::Refused(error) => Err(Stop::terminate(format!("webhooks may not go there: the URL {error}"))),
        }
    }
}

impl Deliveries {
    async fn destination(&self, job: &WebhookDelivery) -> Result<Destination, Stop> {
        let recipient = match (job.webhook_id.as_str(), &job.url) {
            ("", Some(url)) => Recipient::Address(url),
            ("", None) => return Err(Stop::terminate("the job names neither a webhook destination nor a URL")),
            (id, _) => Recipient::Saved(id),
        };
        let found =
            find_destination(&self.db, &self.cipher, &self.installation_keys, recipient, Timestamp::now()).await;
        found.map_err(|error| match error {
            DestinationError::Missing | DestinationError::Inactive => Stop::terminate(error.to_string()),
            // Somebody has to look, and may have repaired it by the next attempt.
            DestinationError::Secret(error) => Stop::Retry(Failure::new(error.to_string())),
            DestinationError::Db(error) => error.into(),
        })
    }

    async fn body(&self, job: &WebhookDelivery) -> Result<String, Stop> {
        let Some(embedding_job) = payload::embedding_job(&job.data) else {
            return Ok(job.data.to_string());
        };
        let found = embeddings::find_result(&self.db, embedding_job).await?;
        let vectors = found.ok_or_else(|| Stop::terminate("the embeddings are not stored any more"))?;
        Ok(payload::with_embeddings(&job.data, &vectors))
    }
}

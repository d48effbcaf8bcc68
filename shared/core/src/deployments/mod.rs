//! Deployments: a prompt version, a model and options under one name, so that programs can run them (contract 15).

mod model;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;

pub use model::ModelUnknown;
pub(crate) use store::forget_destination;
pub use store::{DeploymentOrder, find, find_by_name, list};

use crate::{
    audit::{self, Action},
    db::{Db, DbError},
    documents::Document,
    executions::{self, CreateError, CreatedExecutions, NewExecutions, Origin, Source, Target},
    ids,
    instant::Timestamp,
    prompts,
    provider_name::ProviderName,
    settings::{self, DestinationError},
};

/// Generation options of a deployment. Unknown members are dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentOptions {
    /// Randomness.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1)]
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1)]
    pub top_p: Option<Number>,
    /// Number of candidates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, minimum = 1)]
    pub top_k: Option<Number>,
}

impl DeploymentOptions {
    /// The options that are set, as executions carry them.
    fn for_execution(&self) -> Option<Value> {
        let given = [("temperature", &self.temperature), ("topP", &self.top_p), ("topK", &self.top_k)];
        let set = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        let set: Map<String, Value> = set.collect();
        (!set.is_empty()).then(|| set.into())
    }
}

/// A stored deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Unique; never changes.
    pub name: String,
    /// The prompt that runs.
    pub prompt_id: String,
    /// Which version of it (defect DP-02).
    pub prompt_version: u32,
    /// Who answers.
    pub provider: ProviderName,
    /// Which model answers.
    pub model: String,
    /// Generation options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<DeploymentOptions>,
    /// Settings of type webhook-destination, each once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_destination_ids: Option<Vec<String>>,
}

impl Deployment {
    fn audited(&self) -> audit::View {
        audit::View::new()
            .label("name", &self.name)
            .id("promptId", self.prompt_id.as_str())
            .keep("promptVersion", self.prompt_version)
            .keep("provider", self.provider.as_str())
            .label("model", &self.model)
            .withhold("options", &self.options)
            .ids("webhookDestinationIds", self.webhook_destination_ids.as_deref().unwrap_or_default())
    }
}

/// Members to change; absent ones stay.
#[derive(Debug, Clone, Default)]
pub struct DeploymentEdit {
    /// Another prompt.
    pub prompt_id: Option<String>,
    /// Another version.
    pub prompt_version: Option<u32>,
    /// Another provider.
    pub provider: Option<ProviderName>,
    /// Another model.
    pub model: Option<String>,
    /// Other options, as a whole.
    pub options: Option<DeploymentOptions>,
    /// Other destinations, as a whole.
    pub webhook_destination_ids: Option<Vec<String>>,
}

/// What a caller of a deployment may say.
#[derive(Debug, Clone)]
pub struct Run {
    /// Input.
    pub user_input: String,
    /// The caller's own reference.
    pub trace_id: Option<String>,
    /// A file that goes with the input.
    pub file_id: Option<String>,
    /// Who asks.
    pub origin: Origin,
}

/// Why an operation on deployments was refused.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// No deployment with this id or name.
    #[error("there is no such deployment")]
    NotFound,
    /// Another deployment has this name.
    #[error("a deployment named \"{0}\" exists already")]
    NameTaken(String),
    /// No prompt with this id.
    #[error("there is no prompt with id {0}")]
    PromptNotFound(String),
    /// The prompt has no such version (defect DP-03).
    #[error("the prompt has no version {0}")]
    VersionNotFound(u32),
    /// No active key for this provider.
    #[error("provider \"{0}\" is not configured: add an active key for it in the settings")]
    ProviderNotConfigured(ProviderName),
    /// The provider does not offer this model (defect DP-04).
    #[error(transparent)]
    ModelUnknown(#[from] ModelUnknown),
    /// Some destinations do not exist (defect DP-05).
    #[error(transparent)]
    Destinations(#[from] DestinationError),
    /// The run itself was refused.
    #[error(transparent)]
    Run(#[from] CreateError),
    /// Somebody else changed the deployment, or deleted its prompt, at the same time.
    #[error("the deployment or its prompt was changed by somebody else at the same time; try again")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl DeploymentError {
    fn from_write(error: DbError, name: &str) -> Self {
        if error.is_unique_violation("deployments.name") {
            return Self::NameTaken(name.to_owned());
        }
        match error {
            DbError::Guard => Self::Stale,
            other => Self::Db(other),
        }
    }
}

/// Stores a new deployment. `models` is what the provider offers, when that is known.
pub async fn create(
    db: &Db,
    mut data: Deployment,
    models: Option<&[String]>,
    now: Timestamp,
) -> Result<Document<Deployment>, DeploymentError> {
    check_prompt(db, &data).await?;
    check_provider(db, data.provider).await?;
    data.model = model::resolve(data.provider, data.model, models)?;
    if let Some(given) = data.webhook_destination_ids {
        data.webhook_destination_ids = Some(settings::known_destinations(db, given).await?);
    }
    let id = ids::new_id();
    let entry = audit::entry(Action::DeploymentCreated).on(&id).after(data.audited());
    let write = db.write(vec![store::insert(&id, &data, now), entry.record()]).await;
    write.map_err(|error| DeploymentError::from_write(error, &data.name))?;
    Ok(Document { id, data, revision: 0, created_at: now, updated_at: now })
}

/// Applies an edit. `models` is what the provider that the edit leads to offers, when that is known.
pub async fn update(
    db: &Db,
    found: Document<Deployment>,
    edit: DeploymentEdit,
    models: Option<&[String]>,
    now: Timestamp,
) -> Result<Document<Deployment>, DeploymentError> {
    let (before, stored) = (found.data.audited(), found.data);
    let provider = edit.provider.unwrap_or(stored.provider);
    if provider != stored.provider {
        check_provider(db, provider).await?;
    }
    let submitted = edit.model.unwrap_or_else(|| stored.model.clone());
    let model = if provider == stored.provider && model::means(&submitted, &stored.model, models) {
        stored.model.clone()
    } else {
        model::resolve(provider, submitted, models)?
    };
    let webhook_destination_ids = match edit.webhook_destination_ids {
        Some(given) => Some(settings::known_destinations(db, given).await?),
        None => stored.webhook_destination_ids,
    };
    let data = Deployment {
        name: stored.name,
        prompt_id: edit.prompt_id.unwrap_or(stored.prompt_id),
        prompt_version: edit.prompt_version.unwrap_or(stored.prompt_version),
        provider,
        model,
        options: edit.options.or(stored.options),
        webhook_destination_ids,
    };
    check_prompt(db, &data).await?;
    let entry = audit::entry(Action::DeploymentUpdated).on(&found.id).before(before).after(data.audited());
    let write = db.write(vec![store::replace(&found.id, &data, found.revision, now), entry.record()]).await;
    write.map_err(|error| DeploymentError::from_write(error, &data.name))?;
    Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found })
}

/// Deletes a deployment; its executions stay.
pub async fn delete(db: &Db, id: &str) -> Result<(), DeploymentError> {
    match db.write(vec![store::delete(id), audit::entry(Action::DeploymentDeleted).on(id).record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => Err(DeploymentError::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// The prompt and the version must exist.
async fn check_prompt(db: &Db, data: &Deployment) -> Result<(), DeploymentError> {
    let not_found = || DeploymentError::PromptNotFound(data.prompt_id.clone());
    let prompt = prompts::find(db, &data.prompt_id).await?.ok_or_else(not_found)?.data;
    let number = data.prompt_version;
    prompt.version(Some(number)).map(|_| ()).ok_or(DeploymentError::VersionNotFound(number))
}

async fn check_provider(db: &Db, provider: ProviderName) -> Result<(), DeploymentError> {
    let key = settings::find_active_llm_key(db, provider).await?;
    key.map(|_| ()).ok_or(DeploymentError::ProviderNotConfigured(provider))
}

/// Records one execution with the deployment's configuration, which tells the deployment's destinations when it ends.
pub async fn run(db: &Db, name: &str, run: Run, now: Timestamp) -> Result<CreatedExecutions, DeploymentError> {
    let Deployment { prompt_id, prompt_version, provider, model, options, webhook_destination_ids, .. } =
        find_by_name(db, name).await?.ok_or(DeploymentError::NotFound)?.data;
    let new = NewExecutions {
        source: Source::Prompt { id: prompt_id, version: Some(prompt_version) },
        user_input: run.user_input,
        targets: vec![Target { provider: provider.to_string(), model }],
        options: options.and_then(|options| options.for_execution()),
        trace_id: run.trace_id,
        file_id: run.file_id,
        origin: run.origin,
        webhook_destination_ids: webhook_destination_ids.unwrap_or_default(),
    };
    Ok(executions::create(db, new, now).await?)
}

#[cfg(test)]
mod tests;

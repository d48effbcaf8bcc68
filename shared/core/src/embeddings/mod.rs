//! Embedding deployments: named configurations of Voyage AI, the jobs that they create, and what those computed (contract
//! 16). `job-embedding` runs the jobs.

mod input;
mod results;
mod store;

use serde::{Deserialize, Serialize};

pub use input::{EmbeddingInputType, EmbeddingInputs, EmbeddingModel, InputsTooLarge};
pub use results::{Embeddings, delete_expired_results, find_result, with_vectors};
pub(crate) use store::forget_destination;
pub use store::{EmbeddingOrder, find, find_by_name, list};

use crate::{
    audit::{self, Action},
    db::{Db, DbError},
    documents::Document,
    ids,
    instant::Timestamp,
    settings::{self, DestinationError},
};

/// The type of the jobs that compute embeddings.
pub const JOB_TYPE: &str = "generate-embedding";

/// A stored embedding deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddingDeployment {
    /// Unique; never changes.
    pub name: String,
    /// Which model computes.
    pub model: EmbeddingModel,
    /// What the texts are; stored as null when not given.
    #[serde(default)]
    pub input_type: Option<EmbeddingInputType>,
    /// Settings of type webhook-destination, each once.
    #[serde(default)]
    pub webhook_destination_ids: Vec<String>,
}

impl EmbeddingDeployment {
    fn audited(&self) -> audit::View {
        audit::View::new()
            .label("name", &self.name)
            .label("model", self.model.as_str())
            .withhold("inputType", &self.input_type)
            .ids("webhookDestinationIds", &self.webhook_destination_ids)
    }
}

/// Members to change; absent ones stay (defect EM-08: null clears the input type).
#[derive(Debug, Clone, Default)]
pub struct EmbeddingEdit {
    /// Another model.
    pub model: Option<EmbeddingModel>,
    /// Another input type, or none.
    pub input_type: Option<Option<EmbeddingInputType>>,
    /// Other destinations, as a whole.
    pub webhook_destination_ids: Option<Vec<String>>,
}

/// What a `generate-embedding` job is to do: the deployment's configuration as it was when somebody asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddingWork {
    /// The texts.
    pub inputs: EmbeddingInputs,
    /// Which model computes.
    pub model: EmbeddingModel,
    /// What the texts are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_type: Option<EmbeddingInputType>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_destination_ids: Vec<String>,
}

/// Why an operation on embedding deployments was refused.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingError {
    /// No embedding deployment with this id or name.
    #[error("there is no such embedding deployment")]
    NotFound,
    /// Another one has this name.
    #[error("an embedding deployment named \"{0}\" exists already")]
    NameTaken(String),
    /// Some destinations do not exist (defect EM-07).
    #[error(transparent)]
    Destinations(#[from] DestinationError),
    /// The texts are more than one call takes.
    #[error(transparent)]
    TooLarge(#[from] InputsTooLarge),
    /// Somebody else changed it at the same time.
    #[error("it was changed by somebody else at the same time; try again")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl EmbeddingError {
    fn from_write(error: DbError, name: &str) -> Self {
        if error.is_unique_violation("deployment_embeddings.name") {
            return Self::NameTaken(name.to_owned());
        }
        match error {
            DbError::Guard => Self::Stale,
            other => Self::Db(other),
        }
    }
}

/// Stores a new embedding deployment.
pub async fn create(
    db: &Db,
    mut data: EmbeddingDeployment,
    now: Timestamp,
) -> Result<Document<EmbeddingDeployment>, EmbeddingError> {
    data.webhook_destination_ids = settings::known_destinations(db, data.webhook_destination_ids).await?;
    let id = ids::new_id();
    let entry = audit::entry(Action::DeploymentEmbeddingCreated).on(&id).after(data.audited());
    let write = db.write(vec![store::insert(&id, &data, now), entry.record()]).await;
    write.map_err(|error| EmbeddingError::from_write(error, &data.name))?;
    Ok(Document { id, data, revision: 0, created_at: now, updated_at: now })
}

/// Applies an edit.
pub async fn update(
    db: &Db,
    id: &str,
    edit: EmbeddingEdit,
    now: Timestamp,
) -> Result<Document<EmbeddingDeployment>, EmbeddingError> {
    let found = find(db, id).await?.ok_or(EmbeddingError::NotFound)?;
    let (before, mut data) = (found.data.audited(), found.data);
    if let Some(given) = edit.webhook_destination_ids {
        data.webhook_destination_ids = settings::known_destinations(db, given).await?;
    }
    data.model = edit.model.unwrap_or(data.model);
    data.input_type = edit.input_type.unwrap_or(data.input_type);
    let entry = audit::entry(Action::DeploymentEmbeddingUpdated).on(id).before(before).after(data.audited());
    let write = db.write(vec![store::replace(id, &data, found.revision, now), entry.record()]).await;
    write.map_err(|error| EmbeddingError::from_write(error, &data.name))?;
    Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found })
}

/// Deletes an embedding deployment; its jobs stay.
pub async fn delete(db: &Db, id: &str) -> Result<(), EmbeddingError> {
    match db.write(vec![store::delete(id), audit::entry(Action::DeploymentEmbeddingDeleted).on(id).record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => Err(EmbeddingError::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// What a job must do that computes embeddings of these texts with this deployment's configuration; what the vendor would
/// refuse is refused here (defect EM-05).
pub async fn prepare(db: &Db, name: &str, inputs: EmbeddingInputs) -> Result<EmbeddingWork, EmbeddingError> {
    let found = find_by_name(db, name).await?.ok_or(EmbeddingError::NotFound)?.data;
    inputs.check_size(found.model)?;
    let EmbeddingDeployment { model, input_type, webhook_destination_ids, .. } = found;
    Ok(EmbeddingWork { inputs, model, input_type, webhook_destination_ids })
}

#[cfg(test)]
mod tests;

//! `/api/v1/deployments` and `/api/v1/deployment-embeddings`: configurations that programs run by name (contract 15
//! and 16).

mod deployments;
mod embeddings;

use serde::Deserialize;
use shared_core::{Db, config::Env, secrets::Cipher};
use shared_http::{ApiConfig, App, OpenApiRouter, routes};
use shared_jobs::{
    Dispatcher, JobType, Queues,
    types::{EXECUTION, GenerateEmbedding},
};
use shared_providers::{Registry, read_providers};
use utoipa::IntoParams;

/// What this function holds while it lives.
#[derive(Clone)]
pub struct DeploymentsState {
    /// What every API function holds.
    pub app: App,
    /// Knows which models the vendors offer.
    pub registry: Registry,
    /// Gives free places to waiting executions.
    pub dispatcher: Dispatcher,
}

impl DeploymentsState {
    /// Reads the configuration and prepares the state; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let (api, keys, queues) =
            (ApiConfig::read(env), env.encryption_keys(), Queues::read(env, &[EXECUTION, GenerateEmbedding::KIND]));
        let providers = env.executions().and_then(|execution| read_providers(env, &execution));
        let app = App::new(&api?);
        let registry = Registry::new(app.db.clone(), Cipher::with_keys(&keys?), providers?);
        let dispatcher = Dispatcher::new(app.db.clone(), queues?);
        Some(Self { app, registry, dispatcher })
    }

    fn db(&self) -> &Db {
        &self.app.db
    }
}

/// The routes of this function.
pub fn routes(state: DeploymentsState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(deployments::list_deployments, deployments::create_deployment))
        .routes(routes!(deployments::get_deployment_by_name))
        .routes(routes!(deployments::run_deployment))
        .routes(routes!(deployments::get_deployment, deployments::update_deployment, deployments::delete_deployment))
        .routes(routes!(embeddings::list_deployment_embeddings, embeddings::create_deployment_embedding))
        .routes(routes!(embeddings::get_deployment_embedding_by_name))
        .routes(routes!(embeddings::run_deployment_embedding))
        .routes(routes!(
            embeddings::get_deployment_embedding,
            embeddings::update_deployment_embedding,
            embeddings::delete_deployment_embedding
        ))
        .with_state(state)
}

/// A path with a name.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct NamePath {
    /// Unknown names give 404.
    #[param(min_length = 1)]
    pub(crate) name: String,
}

/// The frontend sends an empty text for an untouched drop-down (defects DP-07 and EM-07).
pub(crate) fn without_empty(ids: Vec<String>) -> Vec<String> {
    ids.into_iter().filter(|id| !id.is_empty()).collect()
}

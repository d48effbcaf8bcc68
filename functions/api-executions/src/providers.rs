//! The providers of this installation (contract 11.1).

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared_core::{ProviderName, settings};
use shared_http::{ApiResult, Data, Query, RequestQuery};
use utoipa::{IntoParams, ToSchema};

use crate::ExecutionsState;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProviderHealth {
    available: bool,
    models: Vec<String>,
    /// Present when unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    supports_file_upload: bool,
}

/// By name; only configured providers appear.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderHealthMap(BTreeMap<String, ProviderHealth>);

/// Names of the configured providers.
#[derive(Serialize, ToSchema)]
#[schema(value_type = Vec<String>)]
pub(crate) struct ProviderNameList(Vec<ProviderName>);

/// The models of every available provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderModelMap(BTreeMap<String, Vec<String>>);

/// `GET /api/v1/executions/providers/health`: how every configured provider does.
#[utoipa::path(
    get, path = "/api/v1/executions/providers/health", operation_id = "getProviderHealth", tag = "providers",
    responses((status = 200, body = Data<ProviderHealthMap>))
)]
pub(crate) async fn get_provider_health(State(state): State<ExecutionsState>) -> ApiResult<Data<ProviderHealthMap>> {
    let health = state.registry.health().await?.into_iter().map(|health| {
        let (models, error) = match health.models {
            Ok(models) => (models, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let supports_file_upload = health.supports_file_upload;
        let shown = ProviderHealth { available: error.is_none(), models, error, supports_file_upload };
        (health.provider.to_string(), shown)
    });
    Ok(Data { data: ProviderHealthMap(health.collect()) })
}

/// `GET /api/v1/executions/providers/list`: names of the configured providers, reachable or not.
#[utoipa::path(
    get, path = "/api/v1/executions/providers/list", operation_id = "listProviders", tag = "providers",
    responses((status = 200, body = Data<ProviderNameList>))
)]
pub(crate) async fn list_providers(State(state): State<ExecutionsState>) -> ApiResult<Data<ProviderNameList>> {
    let active = settings::active_providers(&state.app.db).await?;
    Ok(Data { data: ProviderNameList(active.into_iter().map(|(name, _)| name).collect()) })
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelsQuery {
    /// `true` restricts the answer to providers that accept files.
    #[param(default = false)]
    supports_file_upload: Option<bool>,
}

impl RequestQuery for ModelsQuery {}

/// `GET /api/v1/executions/providers/models`: the models of every available provider.
#[utoipa::path(
    get, path = "/api/v1/executions/providers/models", operation_id = "listProviderModels", tag = "providers",
    params(ModelsQuery),
    responses((status = 200, body = Data<ProviderModelMap>))
)]
pub(crate) async fn list_provider_models(
    State(state): State<ExecutionsState>,
    Query(query): Query<ModelsQuery>,
) -> ApiResult<Data<ProviderModelMap>> {
    let with_files_only = query.supports_file_upload == Some(true);
    let available = state.registry.health().await?.into_iter().filter_map(|health| {
        let is_wanted = health.supports_file_upload || !with_files_only;
        is_wanted.then_some((health.provider.to_string(), health.models.ok()?))
    });
    Ok(Data { data: ProviderModelMap(available.collect()) })
}

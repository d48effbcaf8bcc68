//! Deployments (contract 15).

mod wire;

use axum::{extract::State, http::StatusCode};
use shared_core::{
    Timestamp,
    deployments::{self, DeploymentError},
};
use shared_http::{ApiResult, Caller, Created, Data, ErrorEnvelope, Json, PageOf, Path, Query, UuidPath, page_request};

use crate::{DeploymentsState, NamePath};
use wire::{
    CreateDeploymentRequest, DeploymentResponse, ListDeploymentsQuery, RunDeploymentRequest, RunDeploymentResult,
    UpdateDeploymentRequest,
};

/// `GET /api/v1/deployments`: one page of deployments.
#[utoipa::path(
    get, path = "/api/v1/deployments", operation_id = "listDeployments", tag = "deployments",
    params(ListDeploymentsQuery), responses((status = 200, body = Data<PageOf<DeploymentResponse>>))
)]
pub(crate) async fn list_deployments(
    State(state): State<DeploymentsState>,
    Query(query): Query<ListDeploymentsQuery>,
) -> ApiResult<Data<PageOf<DeploymentResponse>>> {
    let (order, direction) = (query.order_by.into(), query.order_direction.into());
    let (search, page) = (query.search.unwrap_or_default(), page_request(query.page, query.limit));
    let page = deployments::list(state.db(), &search, order, direction, page).await?;
    Ok(Data { data: page.map(Into::into).into() })
}

/// `POST /api/v1/deployments`: stores a deployment; 400 when something that it names does not exist, or its name is
/// taken.
#[utoipa::path(
    post, path = "/api/v1/deployments", operation_id = "createDeployment", tag = "deployments",
    request_body = CreateDeploymentRequest,
    responses((status = 201, body = Data<DeploymentResponse>), (status = 400, body = ErrorEnvelope))
)]
pub(crate) async fn create_deployment(
    State(state): State<DeploymentsState>,
    Json(body): Json<CreateDeploymentRequest>,
) -> ApiResult<Created<DeploymentResponse>> {
    let new = body.into_deployment();
    let models = state.registry.known_models(new.provider).await?;
    let deployment = deployments::create(state.db(), new, models.as_deref(), Timestamp::now()).await?;
    Ok(Created(deployment.into()))
}

/// `GET /api/v1/deployments/name/{name}`: one deployment by name.
#[utoipa::path(
    get, path = "/api/v1/deployments/name/{name}", operation_id = "getDeploymentByName", tag = "deployments",
    params(NamePath),
    responses((status = 200, body = Data<DeploymentResponse>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn get_deployment_by_name(
    State(state): State<DeploymentsState>,
    Path(path): Path<NamePath>,
) -> ApiResult<Data<DeploymentResponse>> {
    let found = deployments::find_by_name(state.db(), &path.name).await?.ok_or(DeploymentError::NotFound)?;
    Ok(Data { data: found.into() })
}

/// `POST /api/v1/deployments/run/{name}`: records one execution with the deployment's configuration and starts it as soon
/// as its provider has a free place.
#[utoipa::path(
    post, path = "/api/v1/deployments/run/{name}", operation_id = "runDeployment", tag = "deployments",
    params(NamePath), request_body = RunDeploymentRequest,
    responses(
        (status = 201, body = Data<RunDeploymentResult>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn run_deployment(
    State(state): State<DeploymentsState>,
    caller: Caller,
    Path(path): Path<NamePath>,
    Json(body): Json<RunDeploymentRequest>,
) -> ApiResult<Created<RunDeploymentResult>> {
    let run = body.into_run(caller.origin());
    let created = deployments::run(state.db(), &path.name, run, Timestamp::now()).await?;
    for provider in created.providers {
        state.dispatcher.start(provider).await;
    }
    let execution_id = created.ids.into_iter().next().expect("one target makes one execution");
    Ok(Created(RunDeploymentResult { execution_id }))
}

/// `GET /api/v1/deployments/{id}`: one deployment.
#[utoipa::path(
    get, path = "/api/v1/deployments/{id}", operation_id = "getDeployment", tag = "deployments", params(UuidPath),
    responses((status = 200, body = Data<DeploymentResponse>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn get_deployment(
    State(state): State<DeploymentsState>,
    Path(path): Path<UuidPath>,
) -> ApiResult<Data<DeploymentResponse>> {
    let found = deployments::find(state.db(), &path.id).await?.ok_or(DeploymentError::NotFound)?;
    Ok(Data { data: found.into() })
}

/// `PUT /api/v1/deployments/{id}`: replaces the given members; the name cannot be changed.
#[utoipa::path(
    put, path = "/api/v1/deployments/{id}", operation_id = "updateDeployment", tag = "deployments", params(UuidPath),
    request_body = UpdateDeploymentRequest,
    responses(
        (status = 200, body = Data<DeploymentResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn update_deployment(
    State(state): State<DeploymentsState>,
    Path(path): Path<UuidPath>,
    Json(body): Json<UpdateDeploymentRequest>,
) -> ApiResult<Data<DeploymentResponse>> {
    let found = deployments::find(state.db(), &path.id).await?.ok_or(DeploymentError::NotFound)?;
    let edit = body.into_edit();
    let models = match (edit.provider, &edit.model) {
        (None, None) => None,
        (provider, _) => state.registry.known_models(provider.unwrap_or(found.data.provider)).await?,
    };
    let updated = deployments::update(state.db(), found, edit, models.as_deref(), Timestamp::now()).await?;
    Ok(Data { data: updated.into() })
}

/// `DELETE /api/v1/deployments/{id}`: deletes a deployment; its executions stay.
#[utoipa::path(
    delete, path = "/api/v1/deployments/{id}", operation_id = "deleteDeployment", tag = "deployments",
    params(UuidPath),
    responses((status = 204, description = "Done. The body is empty."), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn delete_deployment(
    State(state): State<DeploymentsState>,
    Path(path): Path<UuidPath>,
) -> ApiResult<StatusCode> {
    deployments::delete(state.db(), &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

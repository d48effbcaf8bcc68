//! Embedding deployments (contract 16).

mod wire;

use axum::{extract::State, http::StatusCode};
use shared_core::{
    Timestamp,
    embeddings::{self, EmbeddingError},
};
use shared_http::{ApiResult, Created, Data, ErrorEnvelope, Json, PageOf, Path, Query, UuidPath, page_request};
use shared_jobs::types::GenerateEmbedding;

use crate::{DeploymentsState, NamePath};
use wire::{
    CreateDeploymentEmbeddingRequest, DeploymentEmbeddingResponse, ListDeploymentEmbeddingsQuery, RunEmbeddingRequest,
    RunEmbeddingResult, UpdateDeploymentEmbeddingRequest,
};

/// `GET /api/v1/deployment-embeddings`: one page of embedding deployments.
#[utoipa::path(
    get, path = "/api/v1/deployment-embeddings", operation_id = "listDeploymentEmbeddings",
    tag = "deployment-embeddings", params(ListDeploymentEmbeddingsQuery),
    responses((status = 200, body = Data<PageOf<DeploymentEmbeddingResponse>>))
)]
pub(crate) async fn list_deployment_embeddings(
    State(state): State<DeploymentsState>,
    Query(query): Query<ListDeploymentEmbeddingsQuery>,
) -> ApiResult<Data<PageOf<DeploymentEmbeddingResponse>>> {
    let (order, direction) = (query.order_by.into(), query.order_direction.into());
    let (search, page) = (query.search.unwrap_or_default(), page_request(query.page, query.limit));
    let page = embeddings::list(state.db(), &search, order, direction, page).await?;
    Ok(Data { data: page.map(Into::into).into() })
}

/// `POST /api/v1/deployment-embeddings`: stores an embedding deployment; 400 when its name is taken or a destination does
/// not exist.
#[utoipa::path(
    post, path = "/api/v1/deployment-embeddings", operation_id = "createDeploymentEmbedding",
    tag = "deployment-embeddings", request_body = CreateDeploymentEmbeddingRequest,
    responses((status = 201, body = Data<DeploymentEmbeddingResponse>), (status = 400, body = ErrorEnvelope))
)]
pub(crate) async fn create_deployment_embedding(
    State(state): State<DeploymentsState>,
    Json(body): Json<CreateDeploymentEmbeddingRequest>,
) -> ApiResult<Created<DeploymentEmbeddingResponse>> {
    let deployment = embeddings::create(state.db(), body.into(), Timestamp::now()).await?;
    Ok(Created(deployment.into()))
}

/// `GET /api/v1/deployment-embeddings/name/{name}`: one embedding deployment by name.
#[utoipa::path(
    get, path = "/api/v1/deployment-embeddings/name/{name}", operation_id = "getDeploymentEmbeddingByName",
    tag = "deployment-embeddings", params(NamePath),
    responses((status = 200, body = Data<DeploymentEmbeddingResponse>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn get_deployment_embedding_by_name(
    State(state): State<DeploymentsState>,
    Path(path): Path<NamePath>,
) -> ApiResult<Data<DeploymentEmbeddingResponse>> {
    let found = embeddings::find_by_name(state.db(), &path.name).await?.ok_or(EmbeddingError::NotFound)?;
    Ok(Data { data: found.into() })
}

/// `POST /api/v1/deployment-embeddings/run/{name}`: records the job that computes the embeddings. Too many or too long
/// inputs for the model are 422.
#[utoipa::path(
    post, path = "/api/v1/deployment-embeddings/run/{name}", operation_id = "runDeploymentEmbedding",
    tag = "deployment-embeddings", params(NamePath), request_body = RunEmbeddingRequest,
    responses(
        (status = 201, body = Data<RunEmbeddingResult>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn run_deployment_embedding(
    State(state): State<DeploymentsState>,
    Path(path): Path<NamePath>,
    Json(body): Json<RunEmbeddingRequest>,
) -> ApiResult<Created<RunEmbeddingResult>> {
    let work = embeddings::prepare(state.db(), &path.name, body.inputs).await?;
    let job_id = state.dispatcher.enqueue(&GenerateEmbedding(work), Timestamp::now()).await?;
    Ok(Created(RunEmbeddingResult { job_id }))
}

/// `GET /api/v1/deployment-embeddings/{id}`: one embedding deployment.
#[utoipa::path(
    get, path = "/api/v1/deployment-embeddings/{id}", operation_id = "getDeploymentEmbedding",
    tag = "deployment-embeddings", params(UuidPath),
    responses((status = 200, body = Data<DeploymentEmbeddingResponse>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn get_deployment_embedding(
    State(state): State<DeploymentsState>,
    Path(path): Path<UuidPath>,
) -> ApiResult<Data<DeploymentEmbeddingResponse>> {
    let found = embeddings::find(state.db(), &path.id).await?.ok_or(EmbeddingError::NotFound)?;
    Ok(Data { data: found.into() })
}

/// `PUT /api/v1/deployment-embeddings/{id}`: replaces the given members; the name cannot be changed.
#[utoipa::path(
    put, path = "/api/v1/deployment-embeddings/{id}", operation_id = "updateDeploymentEmbedding",
    tag = "deployment-embeddings", params(UuidPath), request_body = UpdateDeploymentEmbeddingRequest,
    responses(
        (status = 200, body = Data<DeploymentEmbeddingResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn update_deployment_embedding(
    State(state): State<DeploymentsState>,
    Path(path): Path<UuidPath>,
    Json(body): Json<UpdateDeploymentEmbeddingRequest>,
) -> ApiResult<Data<DeploymentEmbeddingResponse>> {
    let updated = embeddings::update(state.db(), &path.id, body.into(), Timestamp::now()).await?;
    Ok(Data { data: updated.into() })
}

/// `DELETE /api/v1/deployment-embeddings/{id}`: deletes an embedding deployment; its jobs stay.
#[utoipa::path(
    delete, path = "/api/v1/deployment-embeddings/{id}", operation_id = "deleteDeploymentEmbedding",
    tag = "deployment-embeddings", params(UuidPath),
    responses((status = 204, description = "Done. The body is empty."), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn delete_deployment_embedding(
    State(state): State<DeploymentsState>,
    Path(path): Path<UuidPath>,
) -> ApiResult<StatusCode> {
    embeddings::delete(state.db(), &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v1/executions` and `/api/v1/execution-bundles`: executions, the bundles of group runs and the providers that
//! run them (contract 9 to 11).

mod bundles;
pub mod csv;
mod providers;
mod wire;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared_core::{
    Db, Timestamp,
    config::Env,
    executions::{self, pipeline},
    secrets::Cipher,
};
use shared_http::{
    ApiConfig, ApiError, ApiResult, App, Caller, Created, Data, EmptyObject, ErrorEnvelope, Json, OpenApiRouter,
    PageOf, Path, Query, UuidPath, page_request, routes,
};
use shared_jobs::{
    Dispatcher, JobType, Queues,
    types::{EXECUTION, WebhookDelivery},
};
use shared_providers::{Registry, read_providers};

use wire::{
    CreateExecutionRequest, ExecutionResponse, ExecutionStats, ExecutionsCreated, ListExecutionsQuery,
    UpdateExecutionFieldsRequest,
};

/// What this function holds while it lives.
#[derive(Clone)]
pub struct ExecutionsState {
    /// What every API function holds.
    pub app: App,
    /// The vendors of this installation.
    pub registry: Registry,
    /// Gives free places to waiting executions.
    pub dispatcher: Dispatcher,
}

impl ExecutionsState {
    /// Reads the configuration and prepares the state; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let (api, keys, queues) =
            (ApiConfig::read(env), env.encryption_keys(), Queues::read(env, &[EXECUTION, WebhookDelivery::KIND]));
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
pub fn routes(state: ExecutionsState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_executions, create_executions))
        .routes(routes!(get_execution_stats))
        .routes(routes!(providers::get_provider_health))
        .routes(routes!(providers::list_providers))
        .routes(routes!(providers::list_provider_models))
        .routes(routes!(update_execution_fields))
        .routes(routes!(get_execution, cancel_execution))
        .routes(routes!(erase_execution))
        .routes(routes!(bundles::list_execution_bundles))
        .with_state(state)
}

/// `POST /api/v1/executions`: checks everything, records all executions as pending, then starts what has a free place.
#[utoipa::path(
    post, path = "/api/v1/executions", operation_id = "createExecutions", tag = "executions",
    request_body = CreateExecutionRequest,
    responses(
        (status = 201, body = Data<ExecutionsCreated>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn create_executions(
    State(state): State<ExecutionsState>,
    caller: Caller,
    Json(body): Json<CreateExecutionRequest>,
) -> ApiResult<Created<ExecutionsCreated>> {
    let (group, now) = (body.test_data_group_id().map(str::to_owned), Timestamp::now());
    let new = body.into_new(caller.origin());
    let created = match group {
        Some(group) => executions::create_group_run(state.db(), &group, new, now).await?,
        None => executions::create(state.db(), new, now).await?,
    };
    for provider in created.providers {
        state.dispatcher.start(provider).await;
    }
    Ok(Created(ExecutionsCreated { execution_ids: created.ids }))
}

/// `GET /api/v1/executions`: one page, or all matching rows as CSV.
#[utoipa::path(
    get, path = "/api/v1/executions", operation_id = "listExecutions", tag = "executions",
    params(ListExecutionsQuery),
    responses(
        (
            status = 200, description = "A page, or a CSV attachment when downloadCsv is true.",
            headers(
                ("Content-Disposition" = String, description = "With CSV only."),
                ("X-Next-Csv-Cursor" = String, description = "With a part of a CSV only, unless it is the last.")
            ),
            content((Data<PageOf<ExecutionResponse>> = "application/json"), (String = "text/csv"))
        ),
        (status = 400, body = ErrorEnvelope)
    )
)]
async fn list_executions(
    State(state): State<ExecutionsState>,
    Query(query): Query<ListExecutionsQuery>,
) -> ApiResult<Response> {
    let (filter, order, direction) = (query.filter(), query.order_by.into(), query.order_direction.into());
    if query.download_csv == Some(true) {
        return csv::export(state.db(), &filter, order, direction, query.extent()?).await;
    }
    let page = page_request(query.page, query.limit);
    let page = executions::list(state.db(), &filter, order, direction, page).await?;
    let data: PageOf<ExecutionResponse> = page.map(ExecutionResponse::in_list).into();
    Ok(Data { data }.into_response())
}

/// `GET /api/v1/executions/stats/all`: counts by status and provider, from kept counters.
#[utoipa::path(
    get, path = "/api/v1/executions/stats/all", operation_id = "getExecutionStats", tag = "executions",
    responses((status = 200, body = Data<ExecutionStats>))
)]
async fn get_execution_stats(State(state): State<ExecutionsState>) -> ApiResult<Data<ExecutionStats>> {
    Ok(Data { data: executions::stats(state.db()).await?.into() })
}

/// `POST /api/v1/executions/update-fields/{id}`: stars an execution, whatever its status.
#[utoipa::path(
    post, path = "/api/v1/executions/update-fields/{id}", operation_id = "updateExecutionFields", tag = "executions",
    params(UuidPath), request_body = UpdateExecutionFieldsRequest,
    responses((status = 201, body = Data<EmptyObject>), (status = 404, body = ErrorEnvelope))
)]
async fn update_execution_fields(
    State(state): State<ExecutionsState>,
    Path(path): Path<UuidPath>,
    Json(body): Json<UpdateExecutionFieldsRequest>,
) -> ApiResult<Created<EmptyObject>> {
    let (starred, status) = (body.starred, body.user_status.as_deref());
    match executions::update_fields(state.db(), &path.id, starred, status, Timestamp::now()).await? {
        true => Ok(Created(EmptyObject {})),
        false => Err(not_found()),
    }
}

/// `GET /api/v1/executions/{id}`: one execution; `result_valid` is always present here.
#[utoipa::path(
    get, path = "/api/v1/executions/{id}", operation_id = "getExecution", tag = "executions", params(UuidPath),
    responses((status = 200, body = Data<ExecutionResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_execution(
    State(state): State<ExecutionsState>,
    Path(path): Path<UuidPath>,
) -> ApiResult<Data<ExecutionResponse>> {
    let found = executions::find(state.db(), &path.id).await?.ok_or_else(not_found)?;
    Ok(Data { data: ExecutionResponse::alone(found) })
}

/// `DELETE /api/v1/executions/{id}`: cancels a pending or running execution; the record stays.
#[utoipa::path(
    delete, path = "/api/v1/executions/{id}", operation_id = "cancelExecution", tag = "executions", params(UuidPath),
    responses(
        (status = 204, description = "Done. The body is empty."),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn cancel_execution(State(state): State<ExecutionsState>, Path(path): Path<UuidPath>) -> ApiResult<StatusCode> {
    let provider = pipeline::cancel(state.db(), &path.id, Timestamp::now()).await?;
    state.dispatcher.start(provider).await;
    state.dispatcher.start_jobs(WebhookDelivery::KIND).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/executions/{id}/erase`: deletes an execution that has ended with everything that it holds, and the
/// comments on it. Sums of usage stay.
#[utoipa::path(
    post, path = "/api/v1/executions/{id}/erase", operation_id = "eraseExecution", tag = "executions", params(UuidPath),
    responses(
        (status = 204, description = "Done. The body is empty."),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn erase_execution(State(state): State<ExecutionsState>, Path(path): Path<UuidPath>) -> ApiResult<StatusCode> {
    executions::erase(state.db(), &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_found() -> ApiError {
    ApiError::refused(StatusCode::NOT_FOUND, "Execution not found", "there is no such execution")
}

//! `/api/v1/jobs`: background jobs, and webhooks sent to try an address (contract 18 and 19).

mod wire;

use axum::{extract::State, http::StatusCode};
use shared_core::{
    Timestamp, config, embeddings,
    jobs::{self, pipeline},
    limits::{self, Take},
    webhooks::{TargetError, TargetPolicy},
};
use shared_http::{
    ApiConfig, ApiError, ApiResult, App, Caller, Created, Data, EmptyObject, ErrorEnvelope, Issue, Json, OpenApiRouter,
    PageOf, Part, Path, Query, UuidPath, page_request, routes,
};
use shared_jobs::{Dispatcher, JobType, Queues, types::WebhookDelivery};

use wire::{JobResponse, ListJobsQuery, TriggerJobRequest};

/// What this function holds while it lives.
#[derive(Clone)]
pub struct JobsState {
    /// What every API function holds.
    pub app: App,
    /// Where test webhooks may go.
    pub targets: TargetPolicy,
    /// Announces jobs.
    pub dispatcher: Dispatcher,
}

impl JobsState {
    /// Reads the configuration and prepares the state; nothing is connected yet.
    pub fn read(env: &mut config::Env) -> Option<Self> {
        let (api, targets) = (ApiConfig::read(env), env.webhook_targets());
        let queues = Queues::read(env, &[WebhookDelivery::KIND]);
        let app = App::new(&api?);
        let dispatcher = Dispatcher::new(app.db.clone(), queues?);
        Some(Self { app, targets: targets?, dispatcher })
    }

    /// Counts a webhook that an admin sends by hand, unless these are too many.
    async fn count_by_hand(&self, caller: &Caller, now: Timestamp) -> ApiResult<()> {
        let take = Take::new("webhook-tests", &caller.user.id, 1, self.app.limits.webhook_tests);
        Ok(limits::take(&self.app.db, &take, now).await?)
    }
}

/// The routes of this function.
pub fn routes(state: JobsState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(trigger_job))
        .routes(routes!(get_job))
        .routes(routes!(redeliver_job))
        .with_state(state)
}

/// `GET /api/v1/jobs`: one page of background jobs.
#[utoipa::path(
    get, path = "/api/v1/jobs", operation_id = "listJobs", tag = "jobs", params(ListJobsQuery),
    responses((status = 200, body = Data<PageOf<JobResponse>>))
)]
async fn list_jobs(
    State(state): State<JobsState>,
    Query(query): Query<ListJobsQuery>,
) -> ApiResult<Data<PageOf<JobResponse>>> {
    let (order, direction, page) =
        (query.order_by.into(), query.order_direction.into(), page_request(query.page, query.limit));
    let page = jobs::list(&state.app.db, &query.filter(), order, direction, page).await?;
    Ok(Data { data: page.map(Into::into).into() })
}

/// `POST /api/v1/jobs/single/trigger`: records a test webhook to an address, saved or not, to be sent once.
#[utoipa::path(
    post, path = "/api/v1/jobs/single/trigger", operation_id = "triggerJob", tag = "jobs",
    request_body = TriggerJobRequest,
    responses((status = 201, body = Data<EmptyObject>), (status = 404, body = ErrorEnvelope))
)]
async fn trigger_job(
    State(state): State<JobsState>,
    caller: Caller,
    Json(body): Json<TriggerJobRequest>,
) -> ApiResult<Created<EmptyObject>> {
    let (url, now) = (body.url(), Timestamp::now());
    let issue = |error: TargetError| Issue::new(Part::Body, "job.data.url", error.to_string());
    state.targets.check(url).map_err(|error| ApiError::invalid(issue(error)))?;
    state.count_by_hand(&caller, now).await?;
    state.dispatcher.enqueue(&WebhookDelivery::test(url, now), now).await?;
    Ok(Created(EmptyObject {}))
}

/// `GET /api/v1/jobs/{id}`: one job. The result of a completed embedding job has `embeddings` (a list of vectors), or
/// `embeddingsOmitted`: `too-large` or `expired`.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", operation_id = "getJob", tag = "jobs", params(UuidPath),
    responses((status = 200, body = Data<JobResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_job(State(state): State<JobsState>, Path(path): Path<UuidPath>) -> ApiResult<Data<JobResponse>> {
    Ok(Data { data: find_job(&state, &path.id).await? })
}

/// `POST /api/v1/jobs/{id}/redeliver`: sends a webhook whose delivery has ended once more, under the same id.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/redeliver", operation_id = "redeliverJob", tag = "jobs", params(UuidPath),
    responses(
        (status = 200, body = Data<JobResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn redeliver_job(
    State(state): State<JobsState>,
    caller: Caller,
    Path(path): Path<UuidPath>,
) -> ApiResult<Data<JobResponse>> {
    let now = Timestamp::now();
    state.count_by_hand(&caller, now).await?;
    pipeline::redeliver(&state.app.db, WebhookDelivery::KIND.name, &path.id, now).await?;
    let job = find_job(&state, &path.id).await?;
    state.dispatcher.start_jobs(WebhookDelivery::KIND).await;
    Ok(Data { data: job })
}

async fn find_job(state: &JobsState, id: &str) -> ApiResult<JobResponse> {
    let not_found = || ApiError::refused(StatusCode::NOT_FOUND, "Job not found", "there is no such job");
    let job = jobs::find(&state.app.db, id).await?.ok_or_else(not_found)?;
    Ok(embeddings::with_vectors(&state.app.db, job, Timestamp::now()).await?.into())
}

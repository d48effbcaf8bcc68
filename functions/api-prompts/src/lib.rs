//! `/api/v1/prompts`: prompts, their versions, previews and calibration (contract 6 to 8 and 12).

mod wire;

use axum::{extract::State, http::StatusCode};
use shared_core::{
    Timestamp, calibration,
    prompts::{self, PromptError},
};
use shared_http::{
    ApiResult, App, Created, Data, ErrorEnvelope, Json, OpenApiRouter, PageOf, Path, Query, UuidPath, page_request,
    routes,
};

use wire::{
    AdjustmentResult, CreatePromptRequest, GenerateAdjustmentRequest, ListPromptsQuery, PatternPath,
    PreviewPromptRequest, PreviewPromptResult, PromptResponse, PromptSelectList, RecentPromptsQuery,
    UpdatePromptRequest,
};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_prompt_choices))
        .routes(routes!(list_prompts, create_prompt))
        .routes(routes!(list_recent_prompts))
        .routes(routes!(search_prompts))
        .routes(routes!(preview_prompt))
        .routes(routes!(get_prompt, update_prompt, delete_prompt))
        .routes(routes!(generate_prompt_adjustment))
        .with_state(app)
}

/// `GET /api/v1/prompts/select-list`: all prompts for drop-downs, newest first.
#[utoipa::path(
    get, path = "/api/v1/prompts/select-list", operation_id = "listPromptChoices", tag = "prompts",
    responses((status = 200, body = Data<PromptSelectList>))
)]
async fn list_prompt_choices(State(app): State<App>) -> ApiResult<Data<PromptSelectList>> {
    let items = prompts::list_choices(&app.db).await?.into_iter().map(Into::into).collect();
    Ok(Data { data: PromptSelectList { items } })
}

/// `GET /api/v1/prompts`: one page, each prompt with all its versions.
#[utoipa::path(
    get, path = "/api/v1/prompts", operation_id = "listPrompts", tag = "prompts", params(ListPromptsQuery),
    responses((status = 200, body = Data<PageOf<PromptResponse>>))
)]
async fn list_prompts(
    State(app): State<App>,
    Query(query): Query<ListPromptsQuery>,
) -> ApiResult<Data<PageOf<PromptResponse>>> {
    let (order, direction) = (query.order_by.into(), query.order_direction.into());
    let search = query.search.unwrap_or_default();
    let page = prompts::list(&app.db, &search, order, direction, page_request(query.page, query.limit)).await?;
    Ok(Data { data: page.map(Into::into).into() })
}

/// `POST /api/v1/prompts`: stores a prompt as version 1; 400 when the name is taken.
#[utoipa::path(
    post, path = "/api/v1/prompts", operation_id = "createPrompt", tag = "prompts",
    request_body = CreatePromptRequest,
    responses((status = 201, body = Data<PromptResponse>), (status = 400, body = ErrorEnvelope))
)]
async fn create_prompt(
    State(app): State<App>,
    Json(body): Json<CreatePromptRequest>,
) -> ApiResult<Created<PromptResponse>> {
    let prompt = prompts::create(&app.db, body.into(), Timestamp::now()).await?;
    Ok(Created(prompt.into()))
}

/// `GET /api/v1/prompts/recent`: the newest prompts.
#[utoipa::path(
    get, path = "/api/v1/prompts/recent", operation_id = "listRecentPrompts", tag = "prompts",
    params(RecentPromptsQuery),
    responses((status = 200, body = Data<Vec<PromptResponse>>))
)]
async fn list_recent_prompts(
    State(app): State<App>,
    Query(query): Query<RecentPromptsQuery>,
) -> ApiResult<Data<Vec<PromptResponse>>> {
    let newest = prompts::list_newest(&app.db, query.limit.unwrap_or(10)).await?;
    Ok(Data { data: newest.into_iter().map(Into::into).collect() })
}

/// `GET /api/v1/prompts/search/{pattern}`: all prompts whose name contains the pattern, newest first.
#[utoipa::path(
    get, path = "/api/v1/prompts/search/{pattern}", operation_id = "searchPrompts", tag = "prompts",
    params(PatternPath),
    responses((status = 200, body = Data<Vec<PromptResponse>>))
)]
async fn search_prompts(State(app): State<App>, Path(path): Path<PatternPath>) -> ApiResult<Data<Vec<PromptResponse>>> {
    let found = prompts::search_by_name(&app.db, &path.pattern).await?;
    Ok(Data { data: found.into_iter().map(Into::into).collect() })
}

/// `POST /api/v1/prompts/preview`: shows the text that an execution would send (decision P-07).
#[utoipa::path(
    post, path = "/api/v1/prompts/preview", operation_id = "previewPrompt", tag = "prompts",
    request_body = PreviewPromptRequest,
    responses(
        (status = 200, body = Data<PreviewPromptResult>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn preview_prompt(
    State(app): State<App>,
    Json(body): Json<PreviewPromptRequest>,
) -> ApiResult<Data<PreviewPromptResult>> {
    let compiled_prompt = match &body.prompt_id {
        Some(id) => {
            let prompt = prompts::find(&app.db, id).await?.ok_or(PromptError::NotFound)?;
            let number = body.version.unwrap_or(prompt.data.current_version);
            let version = prompt.data.version(Some(number)).ok_or(PromptError::VersionNotFound(number))?;
            prompts::compile(version, &body.user_input)?
        }
        None => prompts::compile_text(body.prompt_text.as_deref().unwrap_or_default(), &body.user_input)?,
    };
    Ok(Data { data: PreviewPromptResult { compiled_prompt } })
}

/// `GET /api/v1/prompts/{id}`: one prompt with all its versions.
#[utoipa::path(
    get, path = "/api/v1/prompts/{id}", operation_id = "getPrompt", tag = "prompts", params(UuidPath),
    responses((status = 200, body = Data<PromptResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_prompt(State(app): State<App>, Path(path): Path<UuidPath>) -> ApiResult<Data<PromptResponse>> {
    let prompt = prompts::find_text(&app.db, &path.id).await?.ok_or(PromptError::NotFound)?;
    Ok(Data { data: prompt.into() })
}

/// `PUT /api/v1/prompts/{id}`: saves an edit; changed content becomes a new version (decision P-01).
#[utoipa::path(
    put, path = "/api/v1/prompts/{id}", operation_id = "updatePrompt", tag = "prompts", params(UuidPath),
    request_body = UpdatePromptRequest,
    responses(
        (status = 200, body = Data<PromptResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn update_prompt(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Json(body): Json<UpdatePromptRequest>,
) -> ApiResult<Data<PromptResponse>> {
    let prompt = prompts::update(&app.db, &path.id, &body.into(), Timestamp::now()).await?;
    Ok(Data { data: prompt.into() })
}

/// `DELETE /api/v1/prompts/{id}`: deletes a prompt with all its versions unless a deployment uses it; its executions stay
/// readable (decision P-09).
#[utoipa::path(
    delete, path = "/api/v1/prompts/{id}", operation_id = "deletePrompt", tag = "prompts", params(UuidPath),
    responses(
        (status = 204, description = "Done. The body is empty."),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn delete_prompt(State(app): State<App>, Path(path): Path<UuidPath>) -> ApiResult<StatusCode> {
    prompts::delete(&app.db, &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/prompts/{id}/generate-adjustment`: writes a text that asks a model to improve the prompt in the light of
/// comments; 400 when one of them does not fit.
#[utoipa::path(
    post, path = "/api/v1/prompts/{id}/generate-adjustment", operation_id = "generatePromptAdjustment",
    tag = "prompts", params(UuidPath), request_body = GenerateAdjustmentRequest,
    responses(
        (status = 200, body = Data<AdjustmentResult>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn generate_prompt_adjustment(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Json(body): Json<GenerateAdjustmentRequest>,
) -> ApiResult<Data<AdjustmentResult>> {
    let task = body.task();
    let adjustment = calibration::adjust(&app.db, &path.id, body.into_comment_ids(), task).await?;
    Ok(Data { data: adjustment.into() })
}

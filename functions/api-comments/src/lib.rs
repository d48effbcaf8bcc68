//! `/api/v1/comments`: reviewers' comments on prompts and executions (contract 12).

mod wire;

use axum::{extract::State, http::StatusCode};
use shared_core::{Timestamp, comments, users::Role};
use shared_http::{
    ApiResult, App, Caller, Created, Data, ErrorEnvelope, Json, OpenApiRouter, Path, Query, UuidPath, routes,
};

use wire::{CommentResponse, CreateCommentRequest, ListCommentsQuery};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list_comments, create_comment)).routes(routes!(delete_comment)).with_state(app)
}

/// `GET /api/v1/comments`: the comments on a prompt or an execution, newest first; 400 unless exactly one is named.
#[utoipa::path(
    get, path = "/api/v1/comments", operation_id = "listComments", tag = "comments", params(ListCommentsQuery),
    responses((status = 200, body = Data<Vec<CommentResponse>>), (status = 400, body = ErrorEnvelope))
)]
async fn list_comments(
    State(app): State<App>,
    Query(query): Query<ListCommentsQuery>,
) -> ApiResult<Data<Vec<CommentResponse>>> {
    let found = comments::list(&app.db, &query.subject()?).await?;
    Ok(Data { data: found.into_iter().map(Into::into).collect() })
}

/// `POST /api/v1/comments`: comments on a prompt or an execution result; 400 when what it refers to does not exist.
#[utoipa::path(
    post, path = "/api/v1/comments", operation_id = "createComment", tag = "comments",
    request_body = CreateCommentRequest,
    responses((status = 201, body = Data<CommentResponse>), (status = 400, body = ErrorEnvelope))
)]
async fn create_comment(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CreateCommentRequest>,
) -> ApiResult<Created<CommentResponse>> {
    let comment = comments::create(&app.db, body.by(caller.user.id), Timestamp::now()).await?;
    Ok(Created(comment.into()))
}

/// `DELETE /api/v1/comments/{id}`: deletes a comment; 404 unless the caller wrote it or is an admin (defect C-01).
#[utoipa::path(
    delete, path = "/api/v1/comments/{id}", operation_id = "deleteComment", tag = "comments", params(UuidPath),
    responses((status = 204, description = "Done. The body is empty."), (status = 404, body = ErrorEnvelope))
)]
async fn delete_comment(State(app): State<App>, caller: Caller, Path(path): Path<UuidPath>) -> ApiResult<StatusCode> {
    comments::delete(&app.db, &path.id, &caller.user.id, caller.role() == Role::Admin).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v1/files`: uploaded files (contract 14).

pub mod download;
mod wire;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared_core::{
    Timestamp,
    files::{self, FileError},
};
use shared_http::{
    ApiResult, App, Caller, Created, Data, ErrorEnvelope, Json, OpenApiRouter, PageOf, Path, Query, UuidPath,
    page_request, routes,
};

use wire::{CreateFileRequest, FileBytes, FileResponse, FileSelectList, ListFilesQuery, PatternPath};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_file_choices))
        .routes(routes!(list_files, create_file))
        .routes(routes!(search_files))
        .routes(routes!(get_file, delete_file))
        .routes(routes!(download_file))
        .with_state(app)
}

/// `GET /api/v1/files/select-list`: all files for drop-downs, sorted by name.
#[utoipa::path(
    get, path = "/api/v1/files/select-list", operation_id = "listFileChoices", tag = "files",
    responses((status = 200, body = Data<FileSelectList>))
)]
async fn list_file_choices(State(app): State<App>) -> ApiResult<Data<FileSelectList>> {
    let items = files::list_choices(&app.db).await?.into_iter().map(Into::into).collect();
    Ok(Data { data: FileSelectList { items } })
}

/// `GET /api/v1/files`: one page, without content.
#[utoipa::path(
    get, path = "/api/v1/files", operation_id = "listFiles", tag = "files", params(ListFilesQuery),
    responses((status = 200, body = Data<PageOf<FileResponse>>))
)]
async fn list_files(
    State(app): State<App>,
    Query(query): Query<ListFilesQuery>,
) -> ApiResult<Data<PageOf<FileResponse>>> {
    let (filter, order, direction) = (query.filter(), query.order_by.into(), query.order_direction.into());
    let page = page_request(query.page, query.limit);
    let page = files::list(&app.db, &filter, order, direction, page).await?;
    Ok(Data { data: page.map(FileResponse::without_content).into() })
}

/// `POST /api/v1/files`: stores a file; its size is counted.
#[utoipa::path(
    post, path = "/api/v1/files", operation_id = "createFile", tag = "files", request_body = CreateFileRequest,
    responses((status = 201, body = Data<FileResponse>), (status = 400, body = ErrorEnvelope))
)]
async fn create_file(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CreateFileRequest>,
) -> ApiResult<Created<FileResponse>> {
    let new = body.into_new(caller.user.id);
    let file = files::create(&app.db, new, app.limits.uploads, Timestamp::now()).await?;
    Ok(Created(file.into()))
}

/// `GET /api/v1/files/search/{pattern}`: all files whose name contains the pattern, newest first, without content.
#[utoipa::path(
    get, path = "/api/v1/files/search/{pattern}", operation_id = "searchFiles", tag = "files", params(PatternPath),
    responses((status = 200, body = Data<Vec<FileResponse>>))
)]
async fn search_files(State(app): State<App>, Path(path): Path<PatternPath>) -> ApiResult<Data<Vec<FileResponse>>> {
    let found = files::search_by_name(&app.db, &path.pattern).await?;
    Ok(Data { data: found.into_iter().map(FileResponse::without_content).collect() })
}

/// `GET /api/v1/files/{id}`: one file with its content.
#[utoipa::path(
    get, path = "/api/v1/files/{id}", operation_id = "getFile", tag = "files", params(UuidPath),
    responses((status = 200, body = Data<FileResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_file(State(app): State<App>, Path(path): Path<UuidPath>) -> ApiResult<Data<FileResponse>> {
    let file = files::find(&app.db, &path.id).await?.ok_or(FileError::NotFound)?;
    Ok(Data { data: file.into() })
}

/// `GET /api/v1/files/{id}/download`: the bytes, as an attachment. Opened in a browser tab, hence with the cookie.
#[utoipa::path(
    get, path = "/api/v1/files/{id}/download", operation_id = "downloadFile", tag = "files", params(UuidPath),
    responses(
        (status = 200, description = "The decoded bytes. Content-Type is the stored one.",
            content((inline(FileBytes) = "*/*")),
            headers(
                ("Content-Disposition" = String, description = "attachment, with an ASCII filename and the real filename*"),
                ("Content-Length" = u64), ("Cache-Control" = String)
            )
        ),
        (status = 404, body = ErrorEnvelope)
    )
)]
async fn download_file(State(app): State<App>, Path(path): Path<UuidPath>) -> ApiResult<Response> {
    let content = files::find_content(&app.db, &path.id).await?.ok_or(FileError::NotFound)?;
    Ok(download::attachment(content).into_response())
}

/// `DELETE /api/v1/files/{id}`: deletes a file, whoever needs it; executions that do will fail and say so.
#[utoipa::path(
    delete, path = "/api/v1/files/{id}", operation_id = "deleteFile", tag = "files", params(UuidPath),
    responses((status = 204, description = "Done. The body is empty."), (status = 404, body = ErrorEnvelope))
)]
async fn delete_file(State(app): State<App>, Path(path): Path<UuidPath>) -> ApiResult<StatusCode> {
    files::delete(&app.db, &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v1/api-keys`: the caller's own API keys (contract 5).

mod wire;

use std::time::Duration;

use axum::extract::State;
use shared_core::{
    Revealed, Timestamp,
    api_keys::{self, ApiKeyError},
};
use shared_http::{
    ApiResult, App, Caller, Created, Data, ErrorEnvelope, Json, OpaqueIdPath, OpenApiRouter, Path, routes,
};

use wire::{
    ApiKeyCreated, ApiKeyList, ApiKeyResponse, ApiKeyStats, CreateApiKeyRequest, RotateApiKeyRequest,
    UpdateApiKeyRequest,
};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_api_keys, create_api_key))
        .routes(routes!(get_api_key_stats))
        .routes(routes!(get_api_key, update_api_key, revoke_api_key))
        .routes(routes!(rotate_api_key))
        .with_state(app)
}

/// `GET /api/v1/api-keys`: the caller's keys, newest first, revoked ones included.
#[utoipa::path(
    get, path = "/api/v1/api-keys", operation_id = "listApiKeys", tag = "api-keys",
    responses((status = 200, body = Data<ApiKeyList>))
)]
async fn list_api_keys(State(app): State<App>, caller: Caller) -> ApiResult<Data<ApiKeyList>> {
    let found = api_keys::list_owned(&app.db, &caller.user.id).await?;
    Ok(Data { data: ApiKeyList { api_keys: found.into_iter().map(Into::into).collect() } })
}

/// `POST /api/v1/api-keys`: makes a key; only this answer holds the key itself.
#[utoipa::path(
    post, path = "/api/v1/api-keys", operation_id = "createApiKey", tag = "api-keys",
    request_body = CreateApiKeyRequest,
    responses((status = 201, body = Data<ApiKeyCreated>), (status = 400, body = ErrorEnvelope))
)]
async fn create_api_key(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CreateApiKeyRequest>,
) -> ApiResult<Created<ApiKeyCreated>> {
    let (key, plain) = api_keys::create(&app.db, &caller.user.id, body.into(), Timestamp::now()).await?;
    Ok(Created(ApiKeyCreated { api_key: key.into(), plain_key: Revealed(plain) }))
}

/// `GET /api/v1/api-keys/stats`: totals over the caller's keys.
#[utoipa::path(
    get, path = "/api/v1/api-keys/stats", operation_id = "getApiKeyStats", tag = "api-keys",
    responses((status = 200, body = Data<ApiKeyStats>))
)]
async fn get_api_key_stats(State(app): State<App>, caller: Caller) -> ApiResult<Data<ApiKeyStats>> {
    Ok(Data { data: api_keys::stats(&app.db, &caller.user.id).await?.into() })
}

/// `GET /api/v1/api-keys/{id}`: one of the caller's keys; 404 for those of others.
#[utoipa::path(
    get, path = "/api/v1/api-keys/{id}", operation_id = "getApiKey", tag = "api-keys", params(OpaqueIdPath),
    responses((status = 200, body = Data<ApiKeyResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_api_key(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<ApiKeyResponse>> {
    let found = api_keys::find_owned(&app.db, &caller.user.id, &path.id).await?;
    Ok(Data { data: found.ok_or(ApiKeyError::NotFound)?.into() })
}

/// `PUT /api/v1/api-keys/{id}`: gives a key another name and, if wanted, another end or limit; scopes cannot be changed.
#[utoipa::path(
    put, path = "/api/v1/api-keys/{id}", operation_id = "renameApiKey", tag = "api-keys", params(OpaqueIdPath),
    request_body = UpdateApiKeyRequest,
    responses(
        (status = 200, body = Data<ApiKeyResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn update_api_key(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
    Json(body): Json<UpdateApiKeyRequest>,
) -> ApiResult<Data<ApiKeyResponse>> {
    let key = api_keys::update(&app.db, &caller.user.id, &path.id, &body.into(), Timestamp::now()).await?;
    Ok(Data { data: key.into() })
}

/// `DELETE /api/v1/api-keys/{id}`: revokes a key for good; it stays listed, and doing so again changes nothing.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", operation_id = "revokeApiKey", tag = "api-keys", params(OpaqueIdPath),
    responses((status = 200, body = Data<ApiKeyResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn revoke_api_key(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<ApiKeyResponse>> {
    let key = api_keys::revoke(&app.db, &caller.user.id, &path.id, Timestamp::now()).await?;
    Ok(Data { data: key.into() })
}

/// `POST /api/v1/api-keys/{id}/rotate`: gives a key a new secret, shown only now. The one in force works beside it for
/// `grace_hours`; what worked before that ends at once. 400 for a key that was revoked or has expired.
#[utoipa::path(
    post, path = "/api/v1/api-keys/{id}/rotate", operation_id = "rotateApiKey", tag = "api-keys", params(OpaqueIdPath),
    request_body = Option<RotateApiKeyRequest>,
    responses(
        (status = 200, body = Data<ApiKeyCreated>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn rotate_api_key(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
    body: Option<Json<RotateApiKeyRequest>>,
) -> ApiResult<Data<ApiKeyCreated>> {
    let Json(body) = body.unwrap_or_default();
    let grace = Duration::from_secs(u64::from(body.grace_hours) * 3600);
    let (key, plain) = api_keys::rotate(&app.db, &caller.user.id, &path.id, grace, Timestamp::now()).await?;
    Ok(Data { data: ApiKeyCreated { api_key: key.into(), plain_key: Revealed(plain) } })
}

//! `/api/health`, `/api/json-schema` and `/api/v1/common`: the system about itself (contract 21).
//!
//! Its router also answers paths that no other function owns.

use std::{collections::HashMap, sync::LazyLock, time::Instant};

use axum::{
    Json as PlainJson,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use shared_core::{Timestamp, db::DbError, prompts, settings};
use shared_http::{ApiResult, App, Data, OpenApiRouter, routes};
use utoipa::ToSchema;

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get_health))
        .routes(routes!(get_json_schema))
        .routes(routes!(get_onboarding_status))
        .with_state(app)
}

/// The OpenAPI document of every function; `tests/` keeps it current.
pub const OPENAPI_DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// When this instance started.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Health {
    Healthy,
    Unhealthy,
}

#[derive(Serialize, ToSchema)]
struct HealthStatus {
    /// `unhealthy` when the database cannot be reached or used.
    #[schema(inline)]
    status: Health,
    timestamp: Timestamp,
    /// Seconds since this instance started.
    #[schema(minimum = 0)]
    uptime: f64,
    version: &'static str,
    /// `ok`, `unreachable`, or `outdated` while it waits for migrations.
    database: &'static str,
}

/// `GET /api/health`: 200 while the database answers and has the schema that this version needs, else 503.
#[utoipa::path(
    get, path = "/api/health", operation_id = "getHealth", tag = "system",
    responses((status = 200, body = HealthStatus), (status = 503, body = HealthStatus))
)]
async fn get_health(State(app): State<App>) -> Response {
    let uptime = STARTED.elapsed().as_secs_f64();
    let (code, status, database) = match app.db.read("SELECT 1 AS one", Vec::new()).await {
        Ok(_) => (StatusCode::OK, Health::Healthy, "ok"),
        Err(error) => {
            tracing::error!(%error, "the database cannot be used");
            let database = if let DbError::OldSchema { .. } = error { "outdated" } else { "unreachable" };
            (StatusCode::SERVICE_UNAVAILABLE, Health::Unhealthy, database)
        }
    };
    let body = HealthStatus { status, timestamp: Timestamp::now(), uptime, version: "1.0.0", database };
    (code, PlainJson(body)).into_response()
}

/// An OpenAPI document; only describes it, since the answer is a file.
#[derive(Serialize, ToSchema)]
struct OpenApiDocument {
    openapi: String,
    #[schema(value_type = Object)]
    info: Value,
    #[schema(value_type = Object)]
    paths: Value,
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

/// `GET /api/json-schema`: the OpenAPI document of every operation, not wrapped.
#[utoipa::path(
    get, path = "/api/json-schema", operation_id = "getJsonSchema", tag = "system",
    responses((status = 200, description = "Not wrapped.", body = OpenApiDocument))
)]
async fn get_json_schema() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI_DOCUMENT).into_response()
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OnboardingStatus {
    /// At least one prompt exists.
    prompt_available: bool,
    /// At least one active llm-api-key exists (defect S-07).
    llm_api_key_available: bool,
}

/// `GET /api/v1/common/onboarding-status`: what a newcomer has done already.
#[utoipa::path(
    get, path = "/api/v1/common/onboarding-status", operation_id = "getOnboardingStatus", tag = "common",
    responses((status = 200, body = Data<OnboardingStatus>))
)]
async fn get_onboarding_status(State(app): State<App>) -> ApiResult<Data<OnboardingStatus>> {
    let data = OnboardingStatus {
        prompt_available: prompts::any_exists(&app.db).await?,
        llm_api_key_available: settings::any_active_llm_key(&app.db).await?,
    };
    Ok(Data { data })
}

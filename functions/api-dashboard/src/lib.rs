//! `/api/v1/dashboard`: what completed executions used (contract 20).

mod wire;

use axum::extract::State;
use shared_core::{
    Timestamp,
    usage::{self, Range},
};
use shared_http::{App, DashboardFailure, DashboardFailureBody, OpenApiRouter, Query, routes};

use wire::{
    DailyModelTokenUsage, DailyQuery, DailyTokenUsage, DashboardData, DashboardStats, HourlyModelTokenUsage,
    HourlyQuery, HourlyTokenUsage, ModelTokenUsage, RangeQuery,
};

/// What handlers return.
type Answer<T> = Result<DashboardData<T>, DashboardFailure>;

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get_dashboard_stats))
        .routes(routes!(get_token_usage_by_model))
        .routes(routes!(get_daily_token_usage))
        .routes(routes!(get_hourly_token_usage))
        .routes(routes!(get_daily_token_usage_by_model))
        .routes(routes!(get_hourly_token_usage_by_model))
        .with_state(app)
}

/// `GET /api/v1/dashboard/stats`: headline figures.
#[utoipa::path(
    get, path = "/api/v1/dashboard/stats", operation_id = "getDashboardStats", tag = "dashboard", params(RangeQuery),
    responses((status = 200, body = DashboardData<DashboardStats>), (status = 500, body = DashboardFailureBody))
)]
async fn get_dashboard_stats(State(app): State<App>, Query(query): Query<RangeQuery>) -> Answer<DashboardStats> {
    let by_model = usage::by_model(&app.db, query.range()).await?;
    Ok(DashboardData::new(usage::stats(&by_model).into()))
}

/// `GET /api/v1/dashboard/token-usage/summary`: tokens by provider and model, largest total first.
#[utoipa::path(
    get, path = "/api/v1/dashboard/token-usage/summary", operation_id = "getTokenUsageByModel", tag = "dashboard",
    params(RangeQuery), responses((status = 200, body = DashboardData<Vec<ModelTokenUsage>>), (status = 500, body = DashboardFailureBody))
)]
async fn get_token_usage_by_model(
    State(app): State<App>,
    Query(query): Query<RangeQuery>,
) -> Answer<Vec<ModelTokenUsage>> {
    let found = usage::by_model(&app.db, query.range()).await?;
    Ok(DashboardData::new(found.into_iter().map(Into::into).collect()))
}

/// `GET /api/v1/dashboard/token-usage/daily`: tokens by UTC day.
#[utoipa::path(
    get, path = "/api/v1/dashboard/token-usage/daily", operation_id = "getDailyTokenUsage", tag = "dashboard",
    params(DailyQuery), responses((status = 200, body = DashboardData<Vec<DailyTokenUsage>>), (status = 500, body = DashboardFailureBody))
)]
async fn get_daily_token_usage(
    State(app): State<App>,
    Query(query): Query<DailyQuery>,
) -> Answer<Vec<DailyTokenUsage>> {
    let found = usage::by_day(&app.db, query.range(Timestamp::now())).await?;
    Ok(DashboardData::new(found.into_iter().map(Into::into).collect()))
}

/// `GET /api/v1/dashboard/token-usage/hourly`: tokens by UTC hour of the day, over all days of the range.
#[utoipa::path(
    get, path = "/api/v1/dashboard/token-usage/hourly", operation_id = "getHourlyTokenUsage", tag = "dashboard",
    params(HourlyQuery), responses((status = 200, body = DashboardData<Vec<HourlyTokenUsage>>), (status = 500, body = DashboardFailureBody))
)]
async fn get_hourly_token_usage(
    State(app): State<App>,
    Query(query): Query<HourlyQuery>,
) -> Answer<Vec<HourlyTokenUsage>> {
    let found = usage::by_hour(&app.db, query.range(Timestamp::now())).await?;
    Ok(DashboardData::new(found.into_iter().map(Into::into).collect()))
}

/// `GET /api/v1/dashboard/token-usage/daily/grouped`: tokens by UTC day, provider and model.
#[utoipa::path(
    get, path = "/api/v1/dashboard/token-usage/daily/grouped", operation_id = "getDailyTokenUsageByModel",
    tag = "dashboard", params(DailyQuery), responses((status = 200, body = DashboardData<Vec<DailyModelTokenUsage>>), (status = 500, body = DashboardFailureBody))
)]
async fn get_daily_token_usage_by_model(
    State(app): State<App>,
    Query(query): Query<DailyQuery>,
) -> Answer<Vec<DailyModelTokenUsage>> {
    let found = usage::by_day_and_model(&app.db, query.range(Timestamp::now())).await?;
    Ok(DashboardData::new(found.into_iter().map(Into::into).collect()))
}

/// `GET /api/v1/dashboard/token-usage/hourly/grouped`: tokens by UTC hour of the day, provider and model.
#[utoipa::path(
    get, path = "/api/v1/dashboard/token-usage/hourly/grouped", operation_id = "getHourlyTokenUsageByModel",
    tag = "dashboard", params(HourlyQuery), responses((status = 200, body = DashboardData<Vec<HourlyModelTokenUsage>>), (status = 500, body = DashboardFailureBody))
)]
async fn get_hourly_token_usage_by_model(
    State(app): State<App>,
    Query(query): Query<HourlyQuery>,
) -> Answer<Vec<HourlyModelTokenUsage>> {
    let found = usage::by_hour_and_model(&app.db, query.range(Timestamp::now())).await?;
    Ok(DashboardData::new(found.into_iter().map(Into::into).collect()))
}

/// With a date the range that it gives, else the window that ends now (defect DB-03).
fn range_or(given: Range, window: Range) -> Range {
    if given == Range::default() { window } else { given }
}

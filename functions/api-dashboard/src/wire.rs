//! Queries and answers of `/api/v1/dashboard`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shared_core::{
    Timestamp,
    usage::{Model, Range, Share, Stats, Usage},
};
use shared_http::{Moment, RequestQuery};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use crate::range_or;

/// 200 with the envelope that only the dashboard has.
#[derive(Serialize, ToSchema)]
pub(crate) struct DashboardData<T> {
    #[schema(inline)]
    success: Always<true>,
    data: T,
    #[schema(inline)]
    err: Always<false>,
}

impl<T> DashboardData<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { success: Always(true), data, err: Always(false) }
    }
}

impl<T: Serialize> IntoResponse for DashboardData<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A flag that never changes.
#[derive(Serialize)]
struct Always<const FLAG: bool>(bool);

impl<const FLAG: bool> PartialSchema for Always<FLAG> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([FLAG])).into()
    }
}

impl<const FLAG: bool> ToSchema for Always<FLAG> {}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeQuery {
    /// Inclusive lower bound on completion; a day means its first instant.
    #[param(inline)]
    start_date: Option<Moment>,
    /// Inclusive upper bound on completion; a day means its last instant.
    #[param(inline)]
    end_date: Option<Moment>,
}

impl RequestQuery for RangeQuery {}

impl RangeQuery {
    pub(crate) fn range(&self) -> Range {
        range_of(self.start_date, self.end_date)
    }
}

fn range_of(start: Option<Moment>, end: Option<Moment>) -> Range {
    Range { from: start.map(|moment| moment.first), until: end.map(|moment| moment.last) }
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct DailyQuery {
    /// Inclusive lower bound on completion; a day means its first instant.
    #[param(inline)]
    start_date: Option<Moment>,
    /// Inclusive upper bound on completion; a day means its last instant.
    #[param(inline)]
    end_date: Option<Moment>,
    /// Without dates: the last so many UTC days, the present one included.
    #[param(minimum = 1, maximum = 90, default = 30)]
    days: Option<u32>,
}

impl RequestQuery for DailyQuery {}

impl DailyQuery {
    pub(crate) fn range(&self, now: Timestamp) -> Range {
        range_or(range_of(self.start_date, self.end_date), Range::last_days(self.days.unwrap_or(30), now))
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct HourlyQuery {
    /// Inclusive lower bound on completion; a day means its first instant.
    #[param(inline)]
    start_date: Option<Moment>,
    /// Inclusive upper bound on completion; a day means its last instant.
    #[param(inline)]
    end_date: Option<Moment>,
    /// Without dates: the last so many hours.
    #[param(minimum = 1, maximum = 168, default = 24)]
    hours: Option<u32>,
}

impl RequestQuery for HourlyQuery {}

impl HourlyQuery {
    pub(crate) fn range(&self, now: Timestamp) -> Range {
        range_or(range_of(self.start_date, self.end_date), Range::last_hours(self.hours.unwrap_or(24), now))
    }
}

/// `topProvider` and `topModel` are absent when no completed execution lies in the range.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DashboardStats {
    #[schema(value_type = f64, minimum = 0)]
    total_tokens_used: u64,
    #[schema(minimum = 0)]
    total_executions: u64,
    #[schema(minimum = 0)]
    active_providers: usize,
    /// Pairs of provider and model.
    #[schema(minimum = 0)]
    active_models: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_provider: Option<DashboardTop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_model: Option<DashboardTop>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DashboardTop {
    name: String,
    #[schema(value_type = f64, minimum = 0)]
    tokens: u64,
    /// Share of `totalTokensUsed` in percent, unrounded.
    #[schema(minimum = 0)]
    percentage: f64,
}

impl From<Share> for DashboardTop {
    fn from(share: Share) -> Self {
        Self { name: share.name, tokens: share.tokens, percentage: share.percentage }
    }
}

impl From<Stats> for DashboardStats {
    fn from(stats: Stats) -> Self {
        Self {
            total_tokens_used: stats.total_tokens,
            total_executions: stats.executions,
            active_providers: stats.providers,
            active_models: stats.models,
            top_provider: stats.top_provider.map(Into::into),
            top_model: stats.top_model.map(Into::into),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelTokenUsage {
    provider: String,
    model: String,
    /// `inputTokens + outputTokens`
    #[schema(value_type = f64, minimum = 0)]
    total_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    input_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    output_tokens: u64,
    #[schema(minimum = 0)]
    execution_count: u64,
}

impl From<(Model, Usage)> for ModelTokenUsage {
    fn from((model, usage): (Model, Usage)) -> Self {
        Self {
            provider: model.provider,
            model: model.model,
            total_tokens: usage.total_tokens(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            execution_count: usage.executions,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DailyTokenUsage {
    /// UTC day, YYYY-MM-DD.
    #[schema(format = Date)]
    date: String,
    /// `inputTokens + outputTokens`
    #[schema(value_type = f64, minimum = 0)]
    total_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    input_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    output_tokens: u64,
    #[schema(minimum = 0)]
    execution_count: u64,
}

impl From<(String, Usage)> for DailyTokenUsage {
    fn from((date, usage): (String, Usage)) -> Self {
        Self {
            date,
            total_tokens: usage.total_tokens(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            execution_count: usage.executions,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DailyModelTokenUsage {
    /// UTC day, YYYY-MM-DD.
    #[schema(format = Date)]
    date: String,
    provider: String,
    model: String,
    /// `inputTokens + outputTokens`
    #[schema(value_type = f64, minimum = 0)]
    total_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    input_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    output_tokens: u64,
    #[schema(minimum = 0)]
    execution_count: u64,
}

impl From<((String, Model), Usage)> for DailyModelTokenUsage {
    fn from(((date, model), usage): ((String, Model), Usage)) -> Self {
        Self {
            date,
            provider: model.provider,
            model: model.model,
            total_tokens: usage.total_tokens(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            execution_count: usage.executions,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HourlyTokenUsage {
    /// Hour of day in UTC.
    #[schema(minimum = 0, maximum = 23)]
    hour: u32,
    /// `inputTokens + outputTokens`
    #[schema(value_type = f64, minimum = 0)]
    total_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    input_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    output_tokens: u64,
    #[schema(minimum = 0)]
    execution_count: u64,
}

impl From<(u32, Usage)> for HourlyTokenUsage {
    fn from((hour, usage): (u32, Usage)) -> Self {
        Self {
            hour,
            total_tokens: usage.total_tokens(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            execution_count: usage.executions,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HourlyModelTokenUsage {
    /// Hour of day in UTC.
    #[schema(minimum = 0, maximum = 23)]
    hour: u32,
    provider: String,
    model: String,
    /// `inputTokens + outputTokens`
    #[schema(value_type = f64, minimum = 0)]
    total_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    input_tokens: u64,
    #[schema(value_type = f64, minimum = 0)]
    output_tokens: u64,
    #[schema(minimum = 0)]
    execution_count: u64,
}

impl From<((u32, Model), Usage)> for HourlyModelTokenUsage {
    fn from(((hour, model), usage): ((u32, Model), Usage)) -> Self {
        Self {
            hour,
            provider: model.provider,
            model: model.model,
            total_tokens: usage.total_tokens(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            execution_count: usage.executions,
        }
    }
}

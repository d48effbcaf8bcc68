//! Bodies and queries of `/api/v1/jobs`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{
    Timestamp,
    jobs::{JobFilter, JobOrder, JobStatus, JobView},
};
use shared_http::{DirectionParam, RequestBody, RequestQuery};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListJobsQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    #[param(inline)]
    status: Option<JobStatus>,
    /// Exact job type.
    job_name: Option<String>,
    /// Substring of the job id; matches come newest first.
    search: Option<String>,
    /// Sort key.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_by: OrderBy,
    /// Sort direction.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_direction: DirectionParam,
}

impl RequestQuery for ListJobsQuery {}

impl ListJobsQuery {
    pub(crate) fn filter(&self) -> JobFilter {
        JobFilter {
            status: self.status,
            kind: self.job_name.clone().filter(|name| !name.is_empty()),
            search: self.search.clone().unwrap_or_default(),
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
pub(crate) enum OrderBy {
    #[default]
    #[serde(rename = "created_at")]
    Created,
    #[serde(rename = "updated_at")]
    Updated,
    #[serde(rename = "scheduledAt")]
    Scheduled,
    #[serde(rename = "startedAt")]
    Started,
    #[serde(rename = "completedAt")]
    Completed,
}

impl From<OrderBy> for JobOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Created => Self::Created,
            OrderBy::Updated => Self::Updated,
            OrderBy::Scheduled => Self::Scheduled,
            OrderBy::Started => Self::Started,
            OrderBy::Completed => Self::Completed,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerJobRequest {
    #[schema(inline)]
    job: TestWebhook,
}

#[derive(Deserialize, ToSchema)]
struct TestWebhook {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: WebhookDeliveryType,
    #[schema(inline)]
    data: TestWebhookTarget,
}

/// The one type of job that can be triggered.
#[derive(Deserialize, ToSchema)]
enum WebhookDeliveryType {
    #[serde(rename = "webhook-delivery")]
    WebhookDelivery,
}

#[derive(Deserialize, ToSchema)]
struct TestWebhookTarget {
    /// Absolute https:// URL that does not lead into a private network, unless configuration allows more.
    #[schema(format = "uri")]
    url: String,
}

impl RequestBody for TriggerJobRequest {}

impl TriggerJobRequest {
    pub(crate) fn url(&self) -> &str {
        self.job.data.url.trim()
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
pub(crate) struct JobResponse {
    id: String,
    #[serde(rename = "type")]
    #[schema(examples("webhook-delivery", "generate-embedding"))]
    kind: String,
    /// Job input, as queued.
    data: Value,
    status: JobStatus,
    /// Job output, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    /// How far the present attempt has come, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<String>,
    /// What the other side answered to the last attempt: an HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<String>,
    /// Started attempts.
    #[schema(minimum = 0)]
    attempts: u32,
    #[schema(minimum = 1)]
    max_attempts: u32,
    scheduled_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_retry_at: Option<Timestamp>,
    /// The latest start.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    #[schema(value_type = f64, required = false)]
    retry_delay_ms: u64,
    #[schema(required = false)]
    retry_backoff_multiplier: f64,
    #[schema(value_type = f64, required = false)]
    max_retry_delay_ms: u64,
    #[serde(rename = "created_at")]
    created_at: Timestamp,
    #[serde(rename = "updated_at")]
    updated_at: Timestamp,
}

impl From<JobView> for JobResponse {
    fn from(view: JobView) -> Self {
        let job = view.data;
        Self {
            id: view.id,
            kind: job.kind,
            data: job.data,
            status: view.status,
            result: job.result,
            progress: job.progress,
            last_status: job.last_status,
            error: job.error,
            termination_reason: job.termination_reason,
            attempts: view.attempts,
            max_attempts: job.max_attempts,
            scheduled_at: view.scheduled_at,
            next_retry_at: view.next_retry_at,
            started_at: view.started_at,
            completed_at: view.completed_at,
            retry_delay_ms: job.retry_delay_ms,
            retry_backoff_multiplier: job.retry_backoff_multiplier,
            max_retry_delay_ms: job.max_retry_delay_ms,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

//! Bodies and queries of `/api/v1/executions`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{
    ProviderName, Timestamp,
    executions::{
        ExecutedPrompt, ExecutionFilter, ExecutionOrder, ExecutionStatus, ExecutionView, NewExecutions, Origin,
        ProviderCall, Source, Stats, Target, TokenUsage,
    },
};
use shared_http::{ApiError, DirectionParam, Issue, Part, RequestBody, RequestQuery, parse_body};
use utoipa::{IntoParams, ToSchema};

use crate::csv::Extent;

/// One execution per entry of `providerModel`. Give either `promptId` or `promptText`; with `promptId` also
/// `testDataGroupId` or a non-empty `userInput`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateExecutionRequest {
    #[schema(format = "uuid")]
    prompt_id: Option<String>,
    /// The current version when absent.
    #[schema(minimum = 1)]
    prompt_version: Option<u32>,
    /// Text to run instead of a stored prompt.
    prompt_text: Option<String>,
    user_input: Option<String>,
    /// Run every item of this group.
    test_data_group_id: Option<String>,
    /// The caller's own reference.
    trace_id: Option<String>,
    /// `provider:model`; the first colon separates, so models may contain colons.
    #[schema(inline, min_items = 1, max_items = 1000)]
    provider_model: Vec<ProviderModel>,
    /// Unknown members are kept.
    #[schema(value_type = Option<ExecutionOptions>)]
    options: Option<Value>,
    file_id: Option<String>,
}

/// `provider:model`.
#[derive(Deserialize, ToSchema)]
#[schema(value_type = String, pattern = "^[a-zA-Z0-9_-]+:.+$")]
struct ProviderModel(String);

/// Generation options. Unknown members are accepted, stored and returned unchanged.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the schema; stored options stay the JSON that the caller sent")]
#[schema(rename_all = "camelCase")]
struct ExecutionOptions {
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    schema: Option<Value>,
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    #[schema(minimum = 1)]
    max_tokens: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    #[schema(minimum = 1)]
    top_k: Option<f64>,
    web_search: Option<bool>,
}

/// The options that the frontend sends as empty text when their field was emptied.
const NUMERIC_OPTIONS: [&str; 4] = ["temperature", "maxTokens", "topP", "topK"];

impl RequestBody for CreateExecutionRequest {
    /// An emptied number field counts as absent (frontend-use 2.4).
    fn read(mut value: Value) -> Result<Self, ApiError> {
        if let Some(options) = value.get_mut("options").and_then(Value::as_object_mut) {
            options.retain(|name, option| !(NUMERIC_OPTIONS.contains(&name.as_str()) && option == ""));
        }
        let body: Self = parse_body(value)?;
        let issues = body.cross_field_issues();
        if issues.is_empty() { Ok(body) } else { Err(ApiError::Validation(issues)) }
    }

    fn cross_field_issues(&self) -> Vec<Issue> {
        let is_given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let (has_prompt, has_text) = (self.prompt_id.is_some(), is_given(&self.prompt_text));
        let message = if has_prompt && has_text {
            "give either promptId or promptText, not both"
        } else if !has_prompt && !has_text {
            "promptId or promptText is required"
        } else if has_prompt && !is_given(&self.user_input) && !is_given(&self.test_data_group_id) {
            "with promptId, userInput or testDataGroupId is required"
        } else {
            return Vec::new();
        };
        vec![Issue::whole(Part::Body, message)]
    }
}

impl CreateExecutionRequest {
    pub(crate) fn test_data_group_id(&self) -> Option<&str> {
        self.test_data_group_id.as_deref().filter(|id| !id.is_empty())
    }

    pub(crate) fn into_new(self, origin: Origin) -> NewExecutions {
        let target = |ProviderModel(text): ProviderModel| {
            let (provider, model) = text.split_once(':').unwrap_or((&text, ""));
            Target { provider: provider.to_owned(), model: model.to_owned() }
        };
        let source = match self.prompt_id {
            Some(id) => Source::Prompt { id, version: self.prompt_version },
            None => Source::Text(self.prompt_text.unwrap_or_default()),
        };
        NewExecutions {
            source,
            user_input: self.user_input.unwrap_or_default(),
            targets: self.provider_model.into_iter().map(target).collect(),
            options: self.options,
            trace_id: self.trace_id,
            file_id: self.file_id.filter(|id| !id.is_empty()),
            origin,
            webhook_destination_ids: Vec::new(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecutionsCreated {
    /// In the order of `providerModel`; within one of them the newest item of a group first.
    pub(crate) execution_ids: Vec<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListExecutionsQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    #[param(inline)]
    status: Option<ExecutionStatus>,
    #[param(inline)]
    provider: Option<ProviderName>,
    #[param(format = "uuid")]
    prompt_id: Option<String>,
    /// Exactly `true` or `false`.
    starred: Option<bool>,
    /// Comma-separated ids; unknown ones are ignored, an empty list shows nothing.
    ids: Option<String>,
    /// Sort key.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_by: OrderBy,
    /// Sort direction.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_direction: DirectionParam,
    /// `true` switches to CSV and ignores page and limit.
    pub(crate) download_csv: Option<bool>,
    /// With CSV: asks for a part of at most some megabytes, for exports that one answer cannot hold. Empty for the first part,
    /// then what the header `X-Next-Csv-Cursor` of the part before says; that of the last part has none. The parts put
    /// together are the export.
    csv_cursor: Option<String>,
}

impl RequestQuery for ListExecutionsQuery {}

impl ListExecutionsQuery {
    /// What of an export is wanted.
    pub(crate) fn extent(&self) -> Result<Extent, ApiError> {
        let issue =
            || ApiError::invalid(Issue::new(Part::Query, "csvCursor", "must be empty or a cursor of an earlier part"));
        Extent::of_cursor(self.csv_cursor.as_deref()).ok_or_else(issue)
    }

    pub(crate) fn filter(&self) -> ExecutionFilter {
        let listed =
            |ids: &String| ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        ExecutionFilter {
            status: self.status,
            provider: self.provider,
            prompt_id: self.prompt_id.clone(),
            starred: self.starred,
            ids: self.ids.as_ref().map(listed),
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
    #[serde(rename = "started_at")]
    Started,
    #[serde(rename = "completed_at")]
    Completed,
}

impl From<OrderBy> for ExecutionOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Created => Self::Created,
            OrderBy::Updated => Self::Updated,
            OrderBy::Started => Self::Started,
            OrderBy::Completed => Self::Completed,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct UpdateExecutionFieldsRequest {
    pub(crate) starred: Option<bool>,
    /// Stored, never returned.
    pub(crate) user_status: Option<String>,
}

impl RequestBody for UpdateExecutionFieldsRequest {}

/// At least one of `prompt_id` and `prompt_text` is present.
#[derive(Serialize, ToSchema)]
#[schema(as = Execution)]
pub(crate) struct ExecutionResponse {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_text: Option<String>,
    /// Absent for direct text, and when the prompt or the version no longer exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    prompt: Option<ExecutedPrompt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_data_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_data_item_id: Option<String>,
    /// Empty when none was given.
    user_input: String,
    provider: ProviderName,
    model: String,
    status: ExecutionStatus,
    /// Provider output; for versions with a response schema and a valid answer JSON indented with tabs.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_validation_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens_used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// Why the model stopped, in the vendor's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<String>,
    /// Options that the vendor does not take.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored_options: Option<Vec<String>>,
    /// What the vendor told about the call; of completed executions only.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_call: Option<ProviderCallResponse>,
    /// How often it was tried so far; absent before the first try.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "traceId", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[schema(inline)]
    origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    starred: Option<bool>,
    #[serde(rename = "fileId", skip_serializing_if = "Option::is_none")]
    file_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ExecutionOptions>)]
    options: Option<Value>,
}

impl ExecutionResponse {
    /// As lists show it: `result_valid` only when stored.
    pub(crate) fn in_list(view: ExecutionView) -> Self {
        let data = view.data;
        Self {
            id: view.id,
            prompt_id: data.prompt_id,
            prompt_version: data.prompt_version,
            prompt_text: data.prompt_text,
            prompt: view.prompt,
            test_data_group_id: data.test_data_group_id,
            test_data_item_id: data.test_data_item_id,
            user_input: data.user_input,
            provider: data.provider,
            model: data.model,
            status: view.status,
            result: data.result,
            result_valid: data.result_valid,
            result_validation_message: data.result_validation_message,
            input_tokens_used: data.input_tokens_used,
            output_tokens_used: data.output_tokens_used,
            error_message: data.error_message,
            stop_reason: data.stop_reason,
            ignored_options: data.ignored_options,
            provider_call: data.provider_call.map(ProviderCallResponse::from),
            attempts: Some(view.attempts).filter(|attempts| *attempts > 0),
            started_at: view.started_at,
            completed_at: view.completed_at,
            created_at: view.created_at,
            updated_at: view.updated_at,
            trace_id: data.trace_id,
            origin: data.origin,
            starred: data.starred,
            file_id: data.file_id,
            options: data.options,
        }
    }

    /// As the single read shows it: `result_valid` is false unless stored (defect E-15).
    pub(crate) fn alone(view: ExecutionView) -> Self {
        let mut response = Self::in_list(view);
        response.result_valid.get_or_insert(false);
        response
    }
}

/// What a vendor told about the call that answered an execution.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderCall)]
pub(crate) struct ProviderCallResponse {
    #[schema(inline)]
    tokens: TokenUsage,
    /// The vendor's usage block as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    usage: Option<Value>,
    /// The vendor's own name for the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// From the request to the end of the answer.
    #[schema(minimum = 0)]
    duration_ms: u64,
    /// The vendor stopped before the model was done.
    truncated: bool,
    /// What was sent otherwise than asked for, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    notes: Vec<String>,
}

impl From<ProviderCall> for ProviderCallResponse {
    fn from(call: ProviderCall) -> Self {
        Self {
            tokens: call.tokens,
            usage: call.usage.and_then(|text| serde_json::from_str(&text).ok()),
            request_id: call.request_id,
            duration_ms: call.duration_ms,
            truncated: call.truncated,
            notes: call.notes,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecutionStats {
    #[schema(minimum = 0)]
    total: u64,
    #[schema(minimum = 0)]
    pending: u64,
    #[schema(minimum = 0)]
    running: u64,
    #[schema(minimum = 0)]
    completed: u64,
    #[schema(minimum = 0)]
    failed: u64,
    /// Only providers with executions.
    #[schema(value_type = HashMap<ProviderName, u64>)]
    by_provider: BTreeMap<String, u64>,
}

impl From<Stats> for ExecutionStats {
    fn from(stats: Stats) -> Self {
        let of = |status: ExecutionStatus| stats.by_status.get(status.as_str()).copied().unwrap_or_default();
        Self {
            total: stats.by_status.values().sum(),
            pending: of(ExecutionStatus::Pending),
            running: of(ExecutionStatus::Running),
            completed: of(ExecutionStatus::Completed),
            failed: of(ExecutionStatus::Failed),
            by_provider: stats.by_provider,
        }
    }
}

//! Bodies and queries of `/api/v1/prompts`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use shared_core::{
    Document, Timestamp,
    calibration::{Adjustment, Task},
    prompts::{
        NewPrompt, Prompt, PromptEdit, PromptOptions, PromptOrder, PromptOutline, PromptText, PromptVersion,
        VersionOutline,
    },
    schemas::Schema,
};
use shared_http::{DirectionParam, Issue, Part, RequestBody, RequestQuery};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePromptRequest {
    /// Unique (case-sensitive).
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(min_length = 1)]
    prompt: String,
    #[schema(value_type = Option<HashMap<String, Value>>)]
    json_schema_response: Option<Value>,
    #[schema(value_type = Option<HashMap<String, Value>>)]
    json_schema_input: Option<Value>,
    options: Option<PromptOptions>,
}

impl RequestBody for CreatePromptRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        broken_schemas(self.json_schema_input.as_ref(), self.json_schema_response.as_ref())
    }
}

/// A broken schema is refused when the prompt is saved, not when it runs (decision P-14).
fn broken_schemas(input: Option<&Value>, response: Option<&Value>) -> Vec<Issue> {
    let given = [("json_schema_input", input), ("json_schema_response", response)];
    let broken = given.into_iter().filter_map(|(field, schema)| {
        let error = Schema::compile(schema?).err()?;
        Some(Issue::new(Part::Body, field, error.to_string()))
    });
    broken.collect()
}

impl From<CreatePromptRequest> for NewPrompt {
    fn from(body: CreatePromptRequest) -> Self {
        Self {
            name: body.name,
            prompt: body.prompt,
            json_schema_response: body.json_schema_response,
            json_schema_input: body.json_schema_input,
            options: body.options,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdatePromptRequest {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// With a prompt, both schemas are replaced: an absent one is removed. Without, they stay.
    #[schema(min_length = 1)]
    prompt: Option<String>,
    #[schema(value_type = Option<HashMap<String, Value>>)]
    json_schema_response: Option<Value>,
    #[schema(value_type = Option<HashMap<String, Value>>)]
    json_schema_input: Option<Value>,
    options: Option<PromptOptions>,
}

impl RequestBody for UpdatePromptRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        broken_schemas(self.json_schema_input.as_ref(), self.json_schema_response.as_ref())
    }
}

impl From<UpdatePromptRequest> for PromptEdit {
    fn from(body: UpdatePromptRequest) -> Self {
        Self {
            name: body.name,
            prompt: body.prompt,
            json_schema_response: body.json_schema_response,
            json_schema_input: body.json_schema_input,
            options: body.options,
        }
    }
}

/// Exactly one of `promptId` and a non-empty `promptText`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PreviewPromptRequest {
    #[schema(format = "uuid")]
    pub(crate) prompt_id: Option<String>,
    /// Version of `promptId`; the current one when absent.
    #[schema(minimum = 1)]
    pub(crate) version: Option<u32>,
    pub(crate) prompt_text: Option<String>,
    /// JSON text that holds the template's data.
    #[schema(min_length = 1)]
    pub(crate) user_input: String,
}

impl RequestBody for PreviewPromptRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        let has_text = self.prompt_text.as_deref().is_some_and(|text| !text.is_empty());
        if self.prompt_id.is_some() == has_text {
            let message = "give exactly one of promptId and promptText";
            return vec![Issue::new(Part::Body, "promptId.promptText", message)];
        }
        Vec::new()
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PreviewPromptResult {
    pub(crate) compiled_prompt: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPromptsQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Substring of name or text; ASCII letters match in either case.
    pub(crate) search: Option<String>,
    /// Sort key.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_by: OrderBy,
    /// Sort direction.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_direction: DirectionParam,
}

impl RequestQuery for ListPromptsQuery {}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderBy {
    Name,
    #[default]
    CreatedAt,
    UpdatedAt,
}

impl From<OrderBy> for PromptOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Name => Self::Name,
            OrderBy::CreatedAt => Self::Created,
            OrderBy::UpdatedAt => Self::Updated,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecentPromptsQuery {
    #[param(minimum = 1, maximum = 50, default = 10)]
    pub(crate) limit: Option<u32>,
}

impl RequestQuery for RecentPromptsQuery {}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PatternPath {
    /// Percent-encoded text.
    #[param(min_length = 1)]
    pub(crate) pattern: String,
}

/// A prompt; name, text, schemas and options mirror the current version.
#[derive(Serialize, ToSchema)]
#[schema(as = Prompt)]
pub(crate) struct PromptResponse {
    id: String,
    #[schema(value_type = String)]
    name: Box<RawValue>,
    /// Mustache template text.
    #[schema(value_type = String)]
    prompt: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    json_schema_response: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    json_schema_input: Option<Box<RawValue>>,
    #[schema(minimum = 1)]
    current_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PromptOptions>)]
    options: Option<Box<RawValue>>,
    /// All versions, oldest first.
    #[schema(value_type = Vec<PromptVersion>, min_items = 1)]
    versions: Box<RawValue>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Document<PromptText>> for PromptResponse {
    fn from(found: Document<PromptText>) -> Self {
        let prompt = found.data;
        Self {
            id: found.id,
            name: prompt.name,
            prompt: prompt.prompt,
            json_schema_response: prompt.json_schema_response,
            json_schema_input: prompt.json_schema_input,
            current_version: prompt.current_version,
            options: prompt.options,
            versions: prompt.versions,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

impl From<Document<Prompt>> for PromptResponse {
    fn from(saved: Document<Prompt>) -> Self {
        saved.map(|prompt| PromptText::from(&prompt)).into()
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PromptSelectList {
    /// Newest prompt first.
    #[schema(inline)]
    pub(crate) items: Vec<PromptChoice>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PromptChoice {
    id: String,
    name: String,
    /// Newest version first.
    #[schema(inline)]
    versions: Vec<VersionChoice>,
}

#[derive(Serialize, ToSchema)]
struct VersionChoice {
    #[schema(minimum = 1)]
    version: u32,
    date: Timestamp,
    name: String,
}

impl From<Document<PromptOutline>> for PromptChoice {
    fn from(found: Document<PromptOutline>) -> Self {
        let choice = |version: VersionOutline| VersionChoice {
            version: version.version,
            date: version.created_at,
            name: version.name,
        };
        let versions = found.data.versions.into_iter().rev().map(choice).collect();
        Self { id: found.id, name: found.data.name, versions }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct GenerateAdjustmentRequest {
    /// An empty list is refused with 400; a comment that is named twice counts once.
    #[schema(inline)]
    comment_ids: Vec<CommentId>,
    /// Ask for a consolidated list of changes first.
    #[serde(default)]
    #[schema(default = false)]
    summarize: bool,
}

#[derive(Deserialize, ToSchema)]
#[schema(format = "uuid")]
struct CommentId(String);

impl RequestBody for GenerateAdjustmentRequest {}

impl GenerateAdjustmentRequest {
    pub(crate) fn task(&self) -> Task {
        if self.summarize { Task::Summarize } else { Task::Revise }
    }

    pub(crate) fn into_comment_ids(self) -> Vec<String> {
        self.comment_ids.into_iter().map(|CommentId(id)| id).collect()
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdjustmentResult {
    adjustment_prompt: String,
    /// Text of the prompt's current version.
    original_prompt: String,
    #[schema(minimum = 1)]
    comments_processed: usize,
}

impl From<Adjustment> for AdjustmentResult {
    fn from(adjustment: Adjustment) -> Self {
        Self {
            adjustment_prompt: adjustment.adjustment_prompt,
            original_prompt: adjustment.original_prompt,
            comments_processed: adjustment.comments_processed,
        }
    }
}

//! Bodies and queries of `/api/v1/test-data`.

use serde::{Deserialize, Serialize};
use shared_core::{
    Document, Timestamp,
    prompts::CompileError,
    test_data::{GroupEdit, ItemEdit, NewItem, TestDataGroup, TestDataItem, TestDataMode, TestDataOrder},
};
use shared_http::{DirectionParam, RequestBody, RequestQuery};
use utoipa::{IntoParams, ToSchema};

/// No parameters: nearly all operations of this family refuse unknown ones.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoQuery {}

impl RequestQuery for NoQuery {}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct GroupIdPath {
    /// 422 when it is not a UUID.
    #[param(format = "uuid")]
    pub(crate) group_id: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Substring of the name, or of a group's description or an item's content; ASCII letters match in either case.
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

impl RequestQuery for ListQuery {}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderBy {
    Name,
    #[default]
    CreatedAt,
    UpdatedAt,
}

impl From<OrderBy> for TestDataOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Name => Self::Name,
            OrderBy::CreatedAt => Self::Created,
            OrderBy::UpdatedAt => Self::Updated,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTestDataGroupRequest {
    /// Unique (case-sensitive).
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    description: Option<String>,
    /// In `json` groups every item must be JSON text.
    mode: TestDataMode,
}

impl RequestBody for CreateTestDataGroupRequest {}

impl From<CreateTestDataGroupRequest> for TestDataGroup {
    fn from(body: CreateTestDataGroupRequest) -> Self {
        Self { name: body.name, description: body.description, mode: body.mode }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateTestDataGroupRequest {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    description: Option<String>,
    /// The mode from now on.
    mode: TestDataMode,
}

impl RequestBody for UpdateTestDataGroupRequest {}

impl From<UpdateTestDataGroupRequest> for GroupEdit {
    fn from(body: UpdateTestDataGroupRequest) -> Self {
        Self { name: body.name, description: body.description, mode: body.mode }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTestDataItemRequest {
    name: Option<String>,
    #[schema(min_length = 1)]
    content: String,
}

impl RequestBody for CreateTestDataItemRequest {}

impl From<CreateTestDataItemRequest> for NewItem {
    fn from(body: CreateTestDataItemRequest) -> Self {
        Self { name: body.name, content: body.content }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkCreateItemsRequest {
    #[schema(inline, min_items = 1, max_items = 1000)]
    pub(crate) items: Vec<BulkItem>,
}

impl RequestBody for BulkCreateItemsRequest {}

/// An item of a bulk request; unknown members are dropped.
#[derive(Deserialize, ToSchema)]
pub(crate) struct BulkItem {
    name: Option<String>,
    #[schema(min_length = 1)]
    content: String,
}

impl From<BulkItem> for NewItem {
    fn from(item: BulkItem) -> Self {
        Self { name: item.name, content: item.content }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BulkCreateItemsResult {
    /// In request order.
    created: Vec<TestDataItemResponse>,
    /// Always empty: all items are stored, or none.
    #[schema(inline)]
    errors: Vec<BulkItemError>,
}

#[derive(Serialize, ToSchema)]
struct BulkItemError {
    #[schema(minimum = 0)]
    index: u32,
    error: String,
}

impl BulkCreateItemsResult {
    pub(crate) fn all(created: Vec<Document<TestDataItem>>) -> Self {
        Self { created: created.into_iter().map(Into::into).collect(), errors: Vec::new() }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateTestDataItemRequest {
    name: Option<String>,
    #[schema(min_length = 1)]
    content: Option<String>,
}

impl RequestBody for UpdateTestDataItemRequest {}

impl From<UpdateTestDataItemRequest> for ItemEdit {
    fn from(body: UpdateTestDataItemRequest) -> Self {
        Self { name: body.name, content: body.content }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CompilePromptRequest {
    #[schema(format = "uuid")]
    pub(crate) prompt_id: String,
    #[schema(format = "uuid")]
    pub(crate) test_data_item_id: String,
    /// The current version when absent.
    #[schema(minimum = 1)]
    pub(crate) prompt_version: Option<u32>,
}

impl RequestBody for CompilePromptRequest {}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompilePromptResult {
    success: bool,
    /// Present when success is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    compiled_prompt: Option<String>,
    /// Present when success is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Result<String, CompileError>> for CompilePromptResult {
    fn from(compiled: Result<String, CompileError>) -> Self {
        match compiled {
            Ok(text) => Self { success: true, compiled_prompt: Some(text), error: None },
            Err(error) => Self { success: false, compiled_prompt: None, error: Some(error.to_string()) },
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = TestDataGroup)]
pub(crate) struct TestDataGroupResponse {
    id: String,
    name: String,
    mode: TestDataMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Document<TestDataGroup>> for TestDataGroupResponse {
    fn from(found: Document<TestDataGroup>) -> Self {
        let group = found.data;
        Self {
            id: found.id,
            name: group.name,
            mode: group.mode,
            description: group.description,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = TestDataItem)]
pub(crate) struct TestDataItemResponse {
    id: String,
    group_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    content: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Document<TestDataItem>> for TestDataItemResponse {
    fn from(found: Document<TestDataItem>) -> Self {
        let item = found.data;
        Self {
            id: found.id,
            group_id: item.group_id,
            name: item.name,
            content: item.content,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TestDataSelectList {
    /// Newest first.
    #[schema(inline)]
    pub(crate) items: Vec<GroupChoice>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct GroupChoice {
    id: String,
    name: String,
}

impl From<Document<TestDataGroup>> for GroupChoice {
    fn from(found: Document<TestDataGroup>) -> Self {
        Self { id: found.id, name: found.data.name }
    }
}

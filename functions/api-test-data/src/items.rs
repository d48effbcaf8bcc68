//! The operations on items.

use axum::{extract::State, http::StatusCode};
use shared_core::{
    Timestamp,
    test_data::{self, TestDataError},
};
use shared_http::{ApiResult, App, Created, Data, ErrorEnvelope, Json, PageOf, Path, Query, UuidPath, page_request};

use crate::wire::{
    BulkCreateItemsRequest, BulkCreateItemsResult, CreateTestDataItemRequest, GroupIdPath, ListQuery, NoQuery,
    TestDataItemResponse, UpdateTestDataItemRequest,
};

/// `GET /api/v1/test-data/groups/{groupId}/items`: one page of a group's items.
#[utoipa::path(
    get, path = "/api/v1/test-data/groups/{groupId}/items", operation_id = "listTestDataItems", tag = "test-data",
    params(GroupIdPath, ListQuery),
    responses((status = 200, body = Data<PageOf<TestDataItemResponse>>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn list_test_data_items(
    State(app): State<App>,
    Path(path): Path<GroupIdPath>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Data<PageOf<TestDataItemResponse>>> {
    let group = test_data::find_group(&app.db, &path.group_id).await?.ok_or(TestDataError::GroupNotFound)?;
    let (order, direction) = (query.order_by.into(), query.order_direction.into());
    let search = query.search.unwrap_or_default();
    let page = page_request(query.page, query.limit);
    let page = test_data::list_items(&app.db, &group.id, &search, order, direction, page).await?;
    Ok(Data { data: page.map(Into::into).into() })
}

/// `POST /api/v1/test-data/groups/{groupId}/items`: stores an item; 400 when a `json` group is given something else.
#[utoipa::path(
    post, path = "/api/v1/test-data/groups/{groupId}/items", operation_id = "createTestDataItem", tag = "test-data",
    params(GroupIdPath), request_body = CreateTestDataItemRequest,
    responses(
        (status = 201, body = Data<TestDataItemResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn create_test_data_item(
    State(app): State<App>,
    Path(path): Path<GroupIdPath>,
    Query(NoQuery {}): Query<NoQuery>,
    Json(body): Json<CreateTestDataItemRequest>,
) -> ApiResult<Created<TestDataItemResponse>> {
    let item = test_data::create_item(&app.db, &path.group_id, body.into(), Timestamp::now()).await?;
    Ok(Created(item.into()))
}

/// `POST /api/v1/test-data/groups/{groupId}/items/bulk`: stores all items or none; the message of a 400 starts with
/// the place of the offending item.
#[utoipa::path(
    post, path = "/api/v1/test-data/groups/{groupId}/items/bulk", operation_id = "bulkCreateTestDataItems",
    tag = "test-data", params(GroupIdPath), request_body = BulkCreateItemsRequest,
    responses(
        (status = 201, body = Data<BulkCreateItemsResult>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn bulk_create_test_data_items(
    State(app): State<App>,
    Path(path): Path<GroupIdPath>,
    Query(NoQuery {}): Query<NoQuery>,
    Json(body): Json<BulkCreateItemsRequest>,
) -> ApiResult<Created<BulkCreateItemsResult>> {
    let new = body.items.into_iter().map(Into::into).collect();
    let created = test_data::create_items(&app.db, &path.group_id, new, Timestamp::now()).await?;
    Ok(Created(BulkCreateItemsResult::all(created)))
}

/// `GET /api/v1/test-data/items/{id}`: one item.
#[utoipa::path(
    get, path = "/api/v1/test-data/items/{id}", operation_id = "getTestDataItem", tag = "test-data", params(UuidPath),
    responses((status = 200, body = Data<TestDataItemResponse>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn get_test_data_item(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Query(NoQuery {}): Query<NoQuery>,
) -> ApiResult<Data<TestDataItemResponse>> {
    let item = test_data::find_item(&app.db, &path.id).await?.ok_or(TestDataError::ItemNotFound)?;
    Ok(Data { data: item.into() })
}

/// `PUT /api/v1/test-data/items/{id}`: changes an item; in a `json` group it stays JSON.
#[utoipa::path(
    put, path = "/api/v1/test-data/items/{id}", operation_id = "updateTestDataItem", tag = "test-data",
    params(UuidPath), request_body = UpdateTestDataItemRequest,
    responses(
        (status = 200, body = Data<TestDataItemResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn update_test_data_item(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Query(NoQuery {}): Query<NoQuery>,
    Json(body): Json<UpdateTestDataItemRequest>,
) -> ApiResult<Data<TestDataItemResponse>> {
    let item = test_data::update_item(&app.db, &path.id, &body.into(), Timestamp::now()).await?;
    Ok(Data { data: item.into() })
}

/// `DELETE /api/v1/test-data/items/{id}`: deletes an item; its executions stay.
#[utoipa::path(
    delete, path = "/api/v1/test-data/items/{id}", operation_id = "deleteTestDataItem", tag = "test-data",
    params(UuidPath),
    responses((status = 204, description = "Done. The body is empty."), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn delete_test_data_item(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Query(NoQuery {}): Query<NoQuery>,
) -> ApiResult<StatusCode> {
    test_data::delete_item(&app.db, &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

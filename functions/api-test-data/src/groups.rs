//! The operations on groups.

use axum::{extract::State, http::StatusCode};
use shared_core::{
    Timestamp,
    test_data::{self, TestDataError},
};
use shared_http::{ApiResult, App, Created, Data, ErrorEnvelope, Json, PageOf, Path, Query, UuidPath, page_request};

use crate::wire::{CreateTestDataGroupRequest, ListQuery, NoQuery, TestDataGroupResponse, UpdateTestDataGroupRequest};

/// `GET /api/v1/test-data/groups`: one page of groups.
#[utoipa::path(
    get, path = "/api/v1/test-data/groups", operation_id = "listTestDataGroups", tag = "test-data", params(ListQuery),
    responses((status = 200, body = Data<PageOf<TestDataGroupResponse>>))
)]
pub(crate) async fn list_test_data_groups(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Data<PageOf<TestDataGroupResponse>>> {
    let (order, direction) = (query.order_by.into(), query.order_direction.into());
    let search = query.search.unwrap_or_default();
    let page = page_request(query.page, query.limit);
    let page = test_data::list_groups(&app.db, &search, order, direction, page).await?;
    Ok(Data { data: page.map(Into::into).into() })
}

/// `POST /api/v1/test-data/groups`: stores a group; 400 when the name is taken.
#[utoipa::path(
    post, path = "/api/v1/test-data/groups", operation_id = "createTestDataGroup", tag = "test-data",
    request_body = CreateTestDataGroupRequest,
    responses((status = 201, body = Data<TestDataGroupResponse>), (status = 400, body = ErrorEnvelope))
)]
pub(crate) async fn create_test_data_group(
    State(app): State<App>,
    Query(NoQuery {}): Query<NoQuery>,
    Json(body): Json<CreateTestDataGroupRequest>,
) -> ApiResult<Created<TestDataGroupResponse>> {
    let group = test_data::create_group(&app.db, body.into(), Timestamp::now()).await?;
    Ok(Created(group.into()))
}

/// `GET /api/v1/test-data/groups/{id}`: one group.
#[utoipa::path(
    get, path = "/api/v1/test-data/groups/{id}", operation_id = "getTestDataGroup", tag = "test-data",
    params(UuidPath),
    responses((status = 200, body = Data<TestDataGroupResponse>), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn get_test_data_group(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Query(NoQuery {}): Query<NoQuery>,
) -> ApiResult<Data<TestDataGroupResponse>> {
    let group = test_data::find_group(&app.db, &path.id).await?.ok_or(TestDataError::GroupNotFound)?;
    Ok(Data { data: group.into() })
}

/// `PUT /api/v1/test-data/groups/{id}`: changes a group; 400 when it would become a `json` group with other items.
#[utoipa::path(
    put, path = "/api/v1/test-data/groups/{id}", operation_id = "updateTestDataGroup", tag = "test-data",
    params(UuidPath), request_body = UpdateTestDataGroupRequest,
    responses(
        (status = 200, body = Data<TestDataGroupResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
pub(crate) async fn update_test_data_group(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Query(NoQuery {}): Query<NoQuery>,
    Json(body): Json<UpdateTestDataGroupRequest>,
) -> ApiResult<Data<TestDataGroupResponse>> {
    let group = test_data::update_group(&app.db, &path.id, &body.into(), Timestamp::now()).await?;
    Ok(Data { data: group.into() })
}

/// `DELETE /api/v1/test-data/groups/{id}`: deletes a group with its items; executions and bundles stay.
#[utoipa::path(
    delete, path = "/api/v1/test-data/groups/{id}", operation_id = "deleteTestDataGroup", tag = "test-data",
    params(UuidPath),
    responses((status = 204, description = "Done. The body is empty."), (status = 404, body = ErrorEnvelope))
)]
pub(crate) async fn delete_test_data_group(
    State(app): State<App>,
    Path(path): Path<UuidPath>,
    Query(NoQuery {}): Query<NoQuery>,
) -> ApiResult<StatusCode> {
    test_data::delete_group(&app.db, &path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v1/test-data`: groups of items that prompts are tried out on (contract 13).

mod groups;
mod items;
mod wire;

use axum::extract::State;
use shared_core::test_data;
use shared_http::{ApiResult, App, Data, ErrorEnvelope, Json, OpenApiRouter, Query, routes};

use wire::{CompilePromptRequest, CompilePromptResult, NoQuery, TestDataSelectList};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_test_data_group_choices))
        .routes(routes!(groups::list_test_data_groups, groups::create_test_data_group))
        .routes(routes!(groups::get_test_data_group, groups::update_test_data_group, groups::delete_test_data_group))
        .routes(routes!(items::list_test_data_items, items::create_test_data_item))
        .routes(routes!(items::bulk_create_test_data_items))
        .routes(routes!(items::get_test_data_item, items::update_test_data_item, items::delete_test_data_item))
        .routes(routes!(compile_prompt_with_item))
        .with_state(app)
}

/// `GET /api/v1/test-data/select-list`: all groups for drop-downs, newest first.
#[utoipa::path(
    get, path = "/api/v1/test-data/select-list", operation_id = "listTestDataGroupChoices", tag = "test-data",
    responses((status = 200, body = Data<TestDataSelectList>))
)]
async fn list_test_data_group_choices(State(app): State<App>) -> ApiResult<Data<TestDataSelectList>> {
    let items = test_data::list_group_choices(&app.db).await?.into_iter().map(Into::into).collect();
    Ok(Data { data: TestDataSelectList { items } })
}

/// `POST /api/v1/test-data/compile-prompt`: puts an item into a prompt; what does not fit is an answer too.
#[utoipa::path(
    post, path = "/api/v1/test-data/compile-prompt", operation_id = "compilePromptWithItem", tag = "test-data",
    request_body = CompilePromptRequest,
    responses((status = 200, body = Data<CompilePromptResult>), (status = 404, body = ErrorEnvelope))
)]
async fn compile_prompt_with_item(
    State(app): State<App>,
    Query(NoQuery {}): Query<NoQuery>,
    Json(body): Json<CompilePromptRequest>,
) -> ApiResult<Data<CompilePromptResult>> {
    let (prompt, item) = (&body.prompt_id, &body.test_data_item_id);
    let compiled = test_data::compile_with_item(&app.db, prompt, body.prompt_version, item).await?;
    Ok(Data { data: compiled.into() })
}

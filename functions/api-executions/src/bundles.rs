//! `/api/v1/execution-bundles`: what group runs left behind (contract 10).

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared_core::{
    Document, Timestamp,
    execution_bundles::{self, BundleFilter, ExecutionBundle},
};
use shared_http::{ApiError, ApiResult, Data, Issue, Part, Query, RequestQuery};
use utoipa::{IntoParams, ToSchema};

use crate::ExecutionsState;

/// `GET /api/v1/execution-bundles`: the bundles of a group, a prompt or both, newest first.
#[utoipa::path(
    get, path = "/api/v1/execution-bundles", operation_id = "listExecutionBundles", tag = "execution-bundles",
    params(ListBundlesQuery),
    responses((status = 200, body = Data<Vec<ExecutionBundleResponse>>))
)]
pub(crate) async fn list_execution_bundles(
    State(state): State<ExecutionsState>,
    Query(query): Query<ListBundlesQuery>,
) -> ApiResult<Data<Vec<ExecutionBundleResponse>>> {
    let bundles = execution_bundles::list(&state.app.db, &query.filter()?).await?;
    Ok(Data { data: bundles.into_iter().map(Into::into).collect() })
}

/// At least one is required.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListBundlesQuery {
    #[param(format = "uuid")]
    test_group_id: Option<String>,
    #[param(format = "uuid")]
    prompt_id: Option<String>,
}

impl RequestQuery for ListBundlesQuery {}

impl ListBundlesQuery {
    fn filter(self) -> ApiResult<BundleFilter> {
        match (self.test_group_id, self.prompt_id) {
            (Some(group), Some(prompt)) => Ok(BundleFilter::GroupAndPrompt(group, prompt)),
            (Some(group), None) => Ok(BundleFilter::Group(group)),
            (None, Some(prompt)) => Ok(BundleFilter::Prompt(prompt)),
            (None, None) => Err(ApiError::invalid(Issue::whole(Part::Query, "test_group_id or prompt_id is required"))),
        }
    }
}

/// The executions of one group run.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecutionBundle)]
pub(crate) struct ExecutionBundleResponse {
    id: String,
    test_group_id: String,
    /// In the order in which they were created.
    execution_ids: Vec<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Document<ExecutionBundle>> for ExecutionBundleResponse {
    fn from(found: Document<ExecutionBundle>) -> Self {
        Self {
            id: found.id,
            test_group_id: found.data.test_group_id,
            execution_ids: found.data.execution_ids,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

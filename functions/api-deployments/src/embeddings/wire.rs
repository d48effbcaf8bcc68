//! Bodies and queries of `/api/v1/deployment-embeddings`.

use serde::{Deserialize, Deserializer, Serialize};
use shared_core::{
    Document, Timestamp,
    embeddings::{
        EmbeddingDeployment, EmbeddingEdit, EmbeddingInputType, EmbeddingInputs, EmbeddingModel, EmbeddingOrder,
    },
};
use shared_http::{DirectionParam, RequestBody, RequestQuery};
use utoipa::{IntoParams, ToSchema};

use crate::without_empty;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateDeploymentEmbeddingRequest {
    /// Unique; cannot be changed.
    #[schema(min_length = 1, max_length = 255, pattern = "^[a-z0-9_-]+$")]
    name: String,
    model: EmbeddingModel,
    input_type: Option<EmbeddingInputType>,
    /// Ids of webhook-destination settings; empty texts are dropped.
    webhook_destination_ids: Option<Vec<String>>,
}

impl RequestBody for CreateDeploymentEmbeddingRequest {}

impl From<CreateDeploymentEmbeddingRequest> for EmbeddingDeployment {
    fn from(body: CreateDeploymentEmbeddingRequest) -> Self {
        Self {
            name: body.name,
            model: body.model,
            input_type: body.input_type,
            webhook_destination_ids: without_empty(body.webhook_destination_ids.unwrap_or_default()),
        }
    }
}

/// Absent members stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct UpdateDeploymentEmbeddingRequest {
    model: Option<EmbeddingModel>,
    /// Null clears it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<EmbeddingInputType>)]
    input_type: Option<Option<EmbeddingInputType>>,
    /// Ids of webhook-destination settings; empty texts are dropped.
    webhook_destination_ids: Option<Vec<String>>,
}

impl RequestBody for UpdateDeploymentEmbeddingRequest {}

/// A member that is there, null or not.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<UpdateDeploymentEmbeddingRequest> for EmbeddingEdit {
    fn from(body: UpdateDeploymentEmbeddingRequest) -> Self {
        Self {
            model: body.model,
            input_type: body.input_type,
            webhook_destination_ids: body.webhook_destination_ids.map(without_empty),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunEmbeddingRequest {
    #[schema(inline)]
    pub(crate) inputs: EmbeddingInputs,
}

impl RequestBody for RunEmbeddingRequest {}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunEmbeddingResult {
    /// Id of the job that will deliver the embeddings.
    pub(crate) job_id: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDeploymentEmbeddingsQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Substring of name or model; ASCII letters match in either case.
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

impl RequestQuery for ListDeploymentEmbeddingsQuery {}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderBy {
    Name,
    Model,
    /// There is no such member; the order is that of creation (defect EM-06).
    Status,
    #[default]
    CreatedAt,
    UpdatedAt,
}

impl From<OrderBy> for EmbeddingOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Name => Self::Name,
            OrderBy::Model => Self::Model,
            OrderBy::Status | OrderBy::CreatedAt => Self::Created,
            OrderBy::UpdatedAt => Self::Updated,
        }
    }
}

/// `inputType` is null and `webhookDestinationIds` empty when they were not given.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeploymentEmbedding)]
pub(crate) struct DeploymentEmbeddingResponse {
    id: String,
    name: String,
    model: EmbeddingModel,
    input_type: Option<EmbeddingInputType>,
    #[schema(required = false)]
    webhook_destination_ids: Vec<String>,
    #[serde(rename = "created_at")]
    created_at: Timestamp,
    #[serde(rename = "updated_at")]
    updated_at: Timestamp,
}

impl From<Document<EmbeddingDeployment>> for DeploymentEmbeddingResponse {
    fn from(found: Document<EmbeddingDeployment>) -> Self {
        let deployment = found.data;
        Self {
            id: found.id,
            name: deployment.name,
            model: deployment.model,
            input_type: deployment.input_type,
            webhook_destination_ids: deployment.webhook_destination_ids,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

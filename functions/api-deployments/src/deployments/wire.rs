//! Bodies and queries of `/api/v1/deployments`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{
    Document, ProviderName, Timestamp,
    deployments::{Deployment, DeploymentEdit, DeploymentOptions, DeploymentOrder, Run},
    executions::Origin,
};
use shared_http::{ApiError, DirectionParam, RequestBody, RequestQuery, parse_body};
use utoipa::{IntoParams, ToSchema};

use crate::without_empty;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateDeploymentRequest {
    /// Unique; cannot be changed.
    #[schema(min_length = 1, max_length = 255, pattern = "^[a-z0-9_-]+$")]
    name: String,
    #[schema(format = "uuid")]
    prompt_id: String,
    #[schema(minimum = 1)]
    prompt_version: u32,
    provider: ProviderName,
    /// One that the provider offers. A name that lacks what follows a colon is completed when that is unambiguous.
    #[schema(min_length = 1)]
    model: String,
    options: Option<DeploymentOptions>,
    /// Ids of webhook-destination settings; empty texts are dropped.
    webhook_destination_ids: Option<Vec<String>>,
}

impl RequestBody for CreateDeploymentRequest {
    fn read(mut value: Value) -> Result<Self, ApiError> {
        drop_emptied_options(&mut value);
        parse_body(value)
    }
}

/// An emptied number field arrives as an empty text and counts as absent (frontend-use 2.9).
fn drop_emptied_options(body: &mut Value) {
    if let Some(options) = body.get_mut("options").and_then(Value::as_object_mut) {
        options.retain(|name, option| !(["temperature", "topP", "topK"].contains(&name.as_str()) && option == ""));
    }
}

impl CreateDeploymentRequest {
    pub(crate) fn into_deployment(self) -> Deployment {
        Deployment {
            name: self.name,
            prompt_id: self.prompt_id,
            prompt_version: self.prompt_version,
            provider: self.provider,
            model: self.model,
            options: self.options,
            webhook_destination_ids: self.webhook_destination_ids.map(without_empty),
        }
    }
}

/// Absent members stay as they are; `options` and `webhookDestinationIds` are replaced as a whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct UpdateDeploymentRequest {
    #[schema(format = "uuid")]
    prompt_id: Option<String>,
    /// 0 leaves the version as it is.
    #[schema(minimum = 0)]
    prompt_version: u32,
    provider: Option<ProviderName>,
    #[schema(min_length = 1)]
    model: Option<String>,
    options: Option<DeploymentOptions>,
    /// Ids of webhook-destination settings; empty texts are dropped.
    webhook_destination_ids: Option<Vec<String>>,
}

impl RequestBody for UpdateDeploymentRequest {
    fn read(mut value: Value) -> Result<Self, ApiError> {
        drop_emptied_options(&mut value);
        parse_body(value)
    }
}

impl UpdateDeploymentRequest {
    pub(crate) fn into_edit(self) -> DeploymentEdit {
        DeploymentEdit {
            prompt_id: self.prompt_id,
            // The frontend's edit form empties its version selector and then sends 0 (defect DP-07).
            prompt_version: (self.prompt_version != 0).then_some(self.prompt_version),
            provider: self.provider,
            model: self.model,
            options: self.options,
            webhook_destination_ids: self.webhook_destination_ids.map(without_empty),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RunDeploymentRequest {
    #[schema(min_length = 1)]
    user_input: String,
    /// The caller's own reference.
    trace_id: Option<String>,
    #[schema(format = "uuid")]
    file_id: Option<String>,
}

impl RequestBody for RunDeploymentRequest {}

impl RunDeploymentRequest {
    pub(crate) fn into_run(self, origin: Origin) -> Run {
        Run { user_input: self.user_input, trace_id: self.trace_id, file_id: self.file_id, origin }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunDeploymentResult {
    pub(crate) execution_id: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDeploymentsQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Substring of name, provider or model; ASCII letters match in either case.
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

impl RequestQuery for ListDeploymentsQuery {}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderBy {
    Name,
    Provider,
    Model,
    #[default]
    CreatedAt,
    UpdatedAt,
}

impl From<OrderBy> for DeploymentOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Name => Self::Name,
            OrderBy::Provider => Self::Provider,
            OrderBy::Model => Self::Model,
            OrderBy::CreatedAt => Self::Created,
            OrderBy::UpdatedAt => Self::Updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Deployment)]
pub(crate) struct DeploymentResponse {
    id: String,
    name: String,
    prompt_id: String,
    #[schema(minimum = 1)]
    prompt_version: u32,
    provider: ProviderName,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<DeploymentOptions>,
    /// Ids of webhook-destination settings that are told when an execution ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_destination_ids: Option<Vec<String>>,
    #[serde(rename = "created_at")]
    created_at: Timestamp,
    #[serde(rename = "updated_at")]
    updated_at: Timestamp,
}

impl From<Document<Deployment>> for DeploymentResponse {
    fn from(found: Document<Deployment>) -> Self {
        let deployment = found.data;
        Self {
            id: found.id,
            name: deployment.name,
            prompt_id: deployment.prompt_id,
            prompt_version: deployment.prompt_version,
            provider: deployment.provider,
            model: deployment.model,
            options: deployment.options,
            webhook_destination_ids: deployment.webhook_destination_ids,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

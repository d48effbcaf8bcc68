//! Bodies of `/api/v1/auth`.

use serde::{Deserialize, Serialize};
use shared_core::{Revealed, Secret};
use shared_http::{LoginUser, RequestBody};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterFirstAdminRequest {
    #[schema(format = "email")]
    pub(crate) email: String,
    #[schema(min_length = 1)]
    pub(crate) name: String,
    #[schema(value_type = String, min_length = 8)]
    pub(crate) password: Secret,
}

impl RequestBody for RegisterFirstAdminRequest {}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    #[schema(format = "email")]
    pub(crate) email: String,
    #[schema(value_type = String, min_length = 1)]
    pub(crate) password: Secret,
}

impl RequestBody for LoginRequest {}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivateUserRequest {
    #[schema(value_type = String)]
    pub(crate) invitation_token: Secret,
    /// Required (defect A-13).
    #[schema(value_type = String, min_length = 8)]
    pub(crate) password: Secret,
}

impl RequestBody for ActivateUserRequest {}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuthSession {
    /// Opaque bearer token, cookie-safe.
    #[schema(value_type = String)]
    pub(crate) token: Revealed,
    pub(crate) user: LoginUser,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthCheck {
    /// True exactly while no user of any status exists.
    pub(crate) should_redirect_to_register_first_admin: bool,
}

//! Bodies of `/api/v1/auth`.

use serde::{Deserialize, Serialize};
use shared_core::users::{Role, User};
use shared_http::RequestBody;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterFirstAdminRequest {
    #[schema(format = "email")]
    pub(crate) email: String,
    #[schema(min_length = 1)]
    pub(crate) name: String,
    #[schema(min_length = 8)]
    pub(crate) password: String,
}

impl RequestBody for RegisterFirstAdminRequest {}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    #[schema(format = "email")]
    pub(crate) email: String,
    #[schema(min_length = 1)]
    pub(crate) password: String,
}

impl RequestBody for LoginRequest {}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivateUserRequest {
    pub(crate) invitation_token: String,
    /// Required (defect A-13).
    #[schema(min_length = 8)]
    pub(crate) password: String,
}

impl RequestBody for ActivateUserRequest {}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuthSession {
    /// Opaque bearer token, cookie-safe.
    pub(crate) token: String,
    pub(crate) user: LoginUser,
}

/// The signed-in user as the frontend knows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoginUser {
    email: String,
    name: String,
    role: Role,
}

impl From<User> for LoginUser {
    fn from(user: User) -> Self {
        Self { email: user.email, name: user.name, role: user.role }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthCheck {
    /// True exactly while no user of any status exists.
    pub(crate) should_redirect_to_register_first_admin: bool,
}

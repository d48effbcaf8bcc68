//! Bodies of `/api/v1/auth`.

use serde::{Deserialize, Serialize};
use shared_core::{Revealed, Secret, passwords};
use shared_http::{Issue, LoginUser, Part, RequestBody};
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPasswordRequest {
    /// From the reset link.
    #[schema(value_type = String, min_length = 1)]
    pub(crate) token: Secret,
    /// None of the most used passwords.
    #[schema(value_type = String, min_length = 8, max_length = 1024)]
    pub(crate) password: Secret,
}

impl RequestBody for ResetPasswordRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        common_password(&self.password, "password")
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePasswordRequest {
    #[schema(value_type = String, min_length = 1)]
    pub(crate) current_password: Secret,
    /// Another one, and none of the most used passwords.
    #[schema(value_type = String, min_length = 8, max_length = 1024)]
    pub(crate) new_password: Secret,
}

impl RequestBody for ChangePasswordRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        common_password(&self.new_password, "new_password")
    }
}

/// The contract's own operations take any password that is long enough; these two are ours.
fn common_password(password: &Secret, field: &str) -> Vec<Issue> {
    let message = "is among the passwords that everybody tries first: choose another one";
    let is_common = passwords::is_common(password.reveal());
    is_common.then(|| Issue::new(Part::Body, field, message)).into_iter().collect()
}

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

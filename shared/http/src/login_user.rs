//! The signed-in user as the frontend knows it; sign-in and `profile/me` answer with the same.

use serde::Serialize;
use shared_core::users::{Role, User};
use utoipa::ToSchema;

/// The signed-in user as the frontend knows it (no id).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LoginUser {
    /// Address in lower case.
    pub email: String,
    /// Name to show.
    pub name: String,
    /// What the person may do.
    pub role: Role,
}

impl From<User> for LoginUser {
    fn from(user: User) -> Self {
        Self { email: user.email, name: user.name, role: user.role }
    }
}

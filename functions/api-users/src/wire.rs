//! Bodies and queries of `/api/v1/users`.

use serde::{Deserialize, Serialize};
use shared_core::{
    Document, Revealed, Timestamp,
    secrets::Cipher,
    users::{Invitation, NewUser, Profile, Role, User, UserEdit, UserFilter, UserListed, UserStatus},
};
use shared_http::{EmptyObject, RequestBody, RequestQuery};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUsersQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Only this role.
    #[param(inline)]
    role: Option<Role>,
    /// Only this status.
    #[param(inline)]
    status: Option<UserStatus>,
    /// Substring of name or e-mail; ASCII letters match in either case.
    search: Option<String>,
}

impl RequestQuery for ListUsersQuery {}

impl From<ListUsersQuery> for UserFilter {
    fn from(query: ListUsersQuery) -> Self {
        Self { role: query.role, status: query.status, search: query.search.unwrap_or_default() }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteUserRequest {
    #[schema(format = "email")]
    email: String,
    #[schema(min_length = 1)]
    name: String,
    role: Role,
    profile: Option<Profile>,
}

impl RequestBody for InviteUserRequest {}

impl From<InviteUserRequest> for NewUser {
    fn from(body: InviteUserRequest) -> Self {
        Self { email: body.email, name: body.name, role: body.role, profile: body.profile }
    }
}

/// The e-mail address cannot be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateUserRequest {
    #[schema(min_length = 1)]
    name: Option<String>,
    role: Option<Role>,
    status: Option<UserStatus>,
    /// Replaces the stored profile as a whole.
    profile: Option<Profile>,
}

impl RequestBody for UpdateUserRequest {}

impl From<UpdateUserRequest> for UserEdit {
    fn from(body: UpdateUserRequest) -> Self {
        Self { name: body.name, role: body.role, status: body.status, profile: body.profile }
    }
}

/// Merged into the stored profile.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateUserProfileRequest {
    timezone: Option<String>,
}

impl RequestBody for UpdateUserProfileRequest {}

impl From<UpdateUserProfileRequest> for Profile {
    fn from(body: UpdateUserProfileRequest) -> Self {
        Self { timezone: body.timezone }
    }
}

/// User without any credential material.
#[derive(Serialize, ToSchema)]
pub(crate) struct PublicUser {
    id: String,
    #[schema(format = "email")]
    email: String,
    name: String,
    role: Role,
    status: UserStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<UserInvitation>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Present only while the user has not activated the account.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserInvitation {
    /// 64 lower-case hexadecimal characters; only admins see them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    token: Option<Revealed>,
    #[schema(required = false)]
    expires_at: Timestamp,
    /// Id of the inviting user.
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_by: Option<String>,
    #[schema(required = false)]
    invited_at: Timestamp,
}

impl UserInvitation {
    /// A token that can no longer be decrypted is left out; the person can be invited anew.
    fn showing(invitation: Invitation, invited_by: Option<String>, cipher: &Cipher, viewer: Role) -> Self {
        let token = match viewer {
            Role::Admin => cipher.decrypt(&invitation.token_encrypted).ok(),
            Role::User | Role::Viewer => None,
        };
        Self {
            token: token.map(Revealed),
            expires_at: invitation.expires_at,
            invited_by,
            invited_at: invitation.invited_at,
        }
    }
}

impl PublicUser {
    /// The account as somebody with the role `viewer` may see it.
    pub(crate) fn showing(found: Document<User>, cipher: &Cipher, viewer: Role) -> Self {
        let User { email, name, role, status, profile, invitation, invited_by, .. } = found.data;
        Self {
            id: found.id,
            email,
            name,
            role,
            status,
            profile,
            invitation: invitation.map(|open| UserInvitation::showing(open, invited_by, cipher, viewer)),
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserSummary {
    id: String,
    #[schema(format = "email")]
    email: String,
    name: String,
    role: Role,
    status: UserStatus,
    /// Empty object when the user has a profile; its contents are not exposed in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    profile: Option<EmptyObject>,
    /// Present once the user has signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<UserListed> for UserSummary {
    fn from(listed: UserListed) -> Self {
        let Document { id, data, created_at, updated_at, .. } = listed.user;
        Self {
            id,
            email: data.email,
            name: data.name,
            role: data.role,
            status: data.status,
            profile: data.profile.map(|_| EmptyObject {}),
            last_login: listed.last_login,
            created_at,
            updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserInvitationCreated {
    pub(crate) user: PublicUser,
    /// The same as `user.invitation.token`.
    #[schema(value_type = String)]
    pub(crate) invitation_token: Revealed,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PasswordResetLink {
    /// 64 lower-case hexadecimal characters, for `POST /api/v1/auth/reset-password`.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub(crate) reset_token: Revealed,
    pub(crate) expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeleteUserResult {
    pub(crate) success: bool,
    pub(crate) message: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationCleanupResult {
    #[schema(minimum = 0)]
    pub(crate) deleted_count: u64,
    pub(crate) message: String,
}

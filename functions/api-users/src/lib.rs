//! `/api/v1/users`: accounts, invitations and profiles (contract 4).

mod wire;

use axum::extract::State;
use shared_core::{
    Document, Revealed, Timestamp, config,
    limits::Take,
    secrets::Cipher,
    users::{self, User, UserError},
};
use shared_http::{
    ApiConfig, ApiResult, App, Caller, Created, Data, ErrorEnvelope, Json, LoginUser, OpaqueIdPath, OpenApiRouter,
    PageOf, Path, Query, page_request, routes,
};

use wire::{
    DeleteUserResult, InvitationCleanupResult, InviteUserRequest, ListUsersQuery, PasswordResetLink, PublicUser,
    UpdateUserProfileRequest, UpdateUserRequest, UserInvitationCreated, UserSummary,
};

/// What this function holds while it lives.
#[derive(Clone)]
pub struct UsersState {
    /// What every API function holds.
    pub app: App,
    /// Encrypts invitation tokens at rest.
    pub cipher: Cipher,
}

impl UsersState {
    /// Reads the configuration and prepares the state; nothing is connected yet.
    pub fn read(env: &mut config::Env) -> Option<Self> {
        let (api, keys) = (ApiConfig::read(env), env.encryption_keys());
        Some(Self { app: App::new(&api?), cipher: Cipher::with_keys(&keys?) })
    }

    /// The account as this caller may see it.
    fn show(&self, user: Document<User>, caller: &Caller) -> Data<PublicUser> {
        Data { data: PublicUser::showing(user, &self.cipher, caller.role()) }
    }

    /// One invitation or reset link out of those that this admin may make.
    fn link_by(&self, caller: &Caller) -> Take {
        Take::new("links", &caller.user.id, 1, self.app.limits.invitations)
    }
}

/// The routes of this function.
pub fn routes(state: UsersState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_users))
        .routes(routes!(get_current_user))
        .routes(routes!(invite_user))
        .routes(routes!(cleanup_invitations))
        .routes(routes!(get_user, update_user, delete_user))
        .routes(routes!(update_user_profile))
        .routes(routes!(open_password_reset))
        .with_state(state)
}

/// `GET /api/v1/users`: one page, newest first; of a search, matches of the name come before those of the address.
#[utoipa::path(
    get, path = "/api/v1/users", operation_id = "listUsers", tag = "users", params(ListUsersQuery),
    responses((status = 200, body = Data<PageOf<UserSummary>>))
)]
async fn list_users(
    State(state): State<UsersState>,
    Query(query): Query<ListUsersQuery>,
) -> ApiResult<Data<PageOf<UserSummary>>> {
    let page = page_request(query.page, query.limit);
    let found = users::list(&state.app.db, &query.into(), page).await?;
    Ok(Data { data: found.map(Into::into).into() })
}

/// `GET /api/v1/users/profile/me`: who calls; open to every working API key.
#[utoipa::path(
    get, path = "/api/v1/users/profile/me", operation_id = "getCurrentUser", tag = "users",
    responses((status = 200, body = Data<LoginUser>))
)]
async fn get_current_user(caller: Caller) -> Data<LoginUser> {
    Data { data: caller.user.data.into() }
}

/// `POST /api/v1/users/invite`: makes a pending account; the answer holds the token for the invitation link.
#[utoipa::path(
    post, path = "/api/v1/users/invite", operation_id = "inviteUser", tag = "users",
    request_body = InviteUserRequest,
    responses((status = 201, body = Data<UserInvitationCreated>), (status = 400, body = ErrorEnvelope))
)]
async fn invite_user(
    State(state): State<UsersState>,
    caller: Caller,
    Json(body): Json<InviteUserRequest>,
) -> ApiResult<Created<UserInvitationCreated>> {
    let (inviter, take, now) = (&caller.user.id, state.link_by(&caller), Timestamp::now());
    let invited = users::invite(&state.app.db, &state.cipher, body.into(), inviter, &take, now).await?;
    Ok(Created(UserInvitationCreated {
        user: PublicUser::showing(invited.user, &state.cipher, caller.role()),
        invitation_token: Revealed(invited.token),
    }))
}

/// `POST /api/v1/users/cleanup`: deletes pending accounts whose invitation has expired.
#[utoipa::path(
    post, path = "/api/v1/users/cleanup", operation_id = "cleanupInvitations", tag = "users",
    responses((status = 200, body = Data<InvitationCleanupResult>))
)]
async fn cleanup_invitations(State(state): State<UsersState>) -> ApiResult<Data<InvitationCleanupResult>> {
    let deleted_count = users::delete_expired_invitations(&state.app.db, Timestamp::now()).await?;
    let message = match deleted_count {
        1 => "1 expired invitation was deleted".to_owned(),
        n => format!("{n} expired invitations were deleted"),
    };
    Ok(Data { data: InvitationCleanupResult { deleted_count, message } })
}

/// `GET /api/v1/users/{id}`: one account; admins also see the token of an open invitation (decision A-04).
#[utoipa::path(
    get, path = "/api/v1/users/{id}", operation_id = "getUser", tag = "users", params(OpaqueIdPath),
    responses((status = 200, body = Data<PublicUser>), (status = 404, body = ErrorEnvelope))
)]
async fn get_user(
    State(state): State<UsersState>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<PublicUser>> {
    let user = users::find(&state.app.db, &path.id).await?.ok_or(UserError::NotFound)?;
    Ok(state.show(user, &caller))
}

/// `PUT /api/v1/users/{id}`: changes name, role, status or the whole profile; 422 when the last active admin would go.
#[utoipa::path(
    put, path = "/api/v1/users/{id}", operation_id = "updateUser", tag = "users", params(OpaqueIdPath),
    request_body = UpdateUserRequest,
    responses(
        (status = 200, body = Data<PublicUser>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn update_user(
    State(state): State<UsersState>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
    Json(body): Json<UpdateUserRequest>,
) -> ApiResult<Data<PublicUser>> {
    let user = users::update(&state.app.db, &path.id, &body.into(), Timestamp::now()).await?;
    Ok(state.show(user, &caller))
}

/// `DELETE /api/v1/users/{id}`: deletes an account with its API keys; 422 for the last active admin.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", operation_id = "deleteUser", tag = "users", params(OpaqueIdPath),
    responses((status = 200, body = Data<DeleteUserResult>), (status = 404, body = ErrorEnvelope))
)]
async fn delete_user(
    State(state): State<UsersState>,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<DeleteUserResult>> {
    users::delete(&state.app.db, &path.id).await?;
    Ok(Data { data: DeleteUserResult { success: true, message: "the user was deleted".to_owned() } })
}

/// `PUT /api/v1/users/{id}/profile`: takes over the given members of the profile.
#[utoipa::path(
    put, path = "/api/v1/users/{id}/profile", operation_id = "updateUserProfile", tag = "users", params(OpaqueIdPath),
    request_body = UpdateUserProfileRequest,
    responses(
        (status = 200, body = Data<PublicUser>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn update_user_profile(
    State(state): State<UsersState>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
    Json(body): Json<UpdateUserProfileRequest>,
) -> ApiResult<Data<PublicUser>> {
    let user = users::merge_profile(&state.app.db, &path.id, &body.into(), Timestamp::now()).await?;
    Ok(state.show(user, &caller))
}

/// `POST /api/v1/users/{id}/reset-link`: makes a link with which an active person sets a new password, once.
///
/// Only this answer holds the token of the link, which is good for a day. An earlier link ends.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/reset-link", operation_id = "createPasswordResetLink", tag = "users",
    params(OpaqueIdPath),
    responses(
        (status = 201, body = Data<PasswordResetLink>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn open_password_reset(
    State(state): State<UsersState>,
    caller: Caller,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Created<PasswordResetLink>> {
    let reset = users::open_reset(&state.app.db, &path.id, &state.link_by(&caller), Timestamp::now()).await?;
    Ok(Created(PasswordResetLink { reset_token: Revealed(reset.token), expires_at: reset.expires_at }))
}

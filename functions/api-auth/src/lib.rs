//! `/api/v1/auth`: the first admin, sign-in, invitations, passwords (contract 2 and 4).

mod wire;

use axum::extract::State;
use axum::http::StatusCode;
use shared_core::{Document, Revealed, Timestamp, limits::Take, users};
use shared_http::{
    ApiResult, App, Caller, Created, Data, ErrorEnvelope, Json, LoginUser, OpenApiRouter, SourceAddress, routes,
};

use wire::{
    ActivateUserRequest, AuthCheck, AuthSession, ChangePasswordRequest, LoginRequest, RegisterFirstAdminRequest,
    ResetPasswordRequest,
};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register_first_admin))
        .routes(routes!(login))
        .routes(routes!(check))
        .routes(routes!(activate))
        .routes(routes!(reset_password))
        .routes(routes!(change_password))
        .routes(routes!(logout_all))
        .with_state(app)
}

/// `POST /api/v1/auth/register-first-admin`: creates the very first account; 409 as soon as any exists.
#[utoipa::path(
    post, path = "/api/v1/auth/register-first-admin", operation_id = "registerFirstAdmin", tag = "auth",
    request_body = RegisterFirstAdminRequest,
    responses((status = 201, body = Data<AuthSession>), (status = 409, body = ErrorEnvelope))
)]
async fn register_first_admin(
    State(app): State<App>,
    Json(body): Json<RegisterFirstAdminRequest>,
) -> ApiResult<Created<AuthSession>> {
    let now = Timestamp::now();
    let user = users::register_first_admin(&app.db, &body.email, &body.name, body.password, now).await?;
    Ok(Created(session_of(&app, user, now)))
}

/// `POST /api/v1/auth/login`: every refusal is the same 401.
#[utoipa::path(
    post, path = "/api/v1/auth/login", operation_id = "login", tag = "auth",
    request_body = LoginRequest,
    responses((status = 200, body = Data<AuthSession>), (status = 401, body = ErrorEnvelope))
)]
async fn login(
    State(app): State<App>,
    SourceAddress(address): SourceAddress,
    Json(body): Json<LoginRequest>,
) -> ApiResult<Data<AuthSession>> {
    let now = Timestamp::now();
    let guess = Take::guess(&address, app.limits.guesses);
    let user = users::sign_in(&app.db, &body.email, body.password, &guess, now).await?;
    Ok(Data { data: session_of(&app, user, now) })
}

/// `GET /api/v1/auth/check`: tells whether the first-admin screen must be shown.
#[utoipa::path(
    get, path = "/api/v1/auth/check", operation_id = "checkAuth", tag = "auth",
    responses((status = 200, body = Data<AuthCheck>))
)]
async fn check(State(app): State<App>) -> ApiResult<Data<AuthCheck>> {
    let should_redirect_to_register_first_admin = !users::any_exists(&app.db).await?;
    Ok(Data { data: AuthCheck { should_redirect_to_register_first_admin } })
}

/// `POST /api/v1/auth/activate`: accepts an invitation; gives no session.
#[utoipa::path(
    post, path = "/api/v1/auth/activate", operation_id = "activateUser", tag = "auth",
    request_body = ActivateUserRequest,
    responses((status = 200, body = Data<LoginUser>), (status = 404, body = ErrorEnvelope))
)]
async fn activate(
    State(app): State<App>,
    SourceAddress(address): SourceAddress,
    Json(body): Json<ActivateUserRequest>,
) -> ApiResult<Data<LoginUser>> {
    let guess = Take::guess(&address, app.limits.guesses);
    let user = users::activate(&app.db, &body.invitation_token, body.password, &guess, Timestamp::now()).await?;
    Ok(Data { data: user.into() })
}

/// `POST /api/v1/auth/reset-password`: sets a password with the token of a reset link, once; ends every session.
#[utoipa::path(
    post, path = "/api/v1/auth/reset-password", operation_id = "resetPassword", tag = "auth",
    request_body = ResetPasswordRequest,
    responses(
        (status = 200, body = Data<LoginUser>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn reset_password(
    State(app): State<App>,
    SourceAddress(address): SourceAddress,
    Json(body): Json<ResetPasswordRequest>,
) -> ApiResult<Data<LoginUser>> {
    let guess = Take::guess(&address, app.limits.guesses);
    let user = users::reset_password(&app.db, &body.token, body.password, &guess, Timestamp::now()).await?;
    Ok(Data { data: user.into() })
}

/// `POST /api/v1/auth/change-password`: gives the caller another password; ends every session and gives a new one.
#[utoipa::path(
    post, path = "/api/v1/auth/change-password", operation_id = "changePassword", tag = "auth",
    request_body = ChangePasswordRequest,
    responses((status = 200, body = Data<AuthSession>), (status = 400, body = ErrorEnvelope))
)]
async fn change_password(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ChangePasswordRequest>,
) -> ApiResult<Data<AuthSession>> {
    let now = Timestamp::now();
    let user = users::change_password(&app.db, caller.user, body.current_password, body.new_password, now).await?;
    Ok(Data { data: session_of(&app, user, now) })
}

/// `POST /api/v1/auth/logout-all`: ends every session of the caller, this one included (decision A-12).
#[utoipa::path(
    post, path = "/api/v1/auth/logout-all", operation_id = "logoutAll", tag = "auth",
    responses((status = 204, description = "Done. The body is empty."))
)]
async fn logout_all(State(app): State<App>, caller: Caller) -> ApiResult<StatusCode> {
    users::end_sessions(&app.db, &caller.user.id, Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn session_of(app: &App, user: Document<users::User>, now: Timestamp) -> AuthSession {
    AuthSession { token: Revealed(app.sessions.issue(&user, now)), user: user.data.into() }
}

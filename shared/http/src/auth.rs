//! Recognises the caller and lets only those through whom the access table admits (contract 2).

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use lambda_http::request::RequestContext;
use shared_core::{
    Document, Timestamp,
    api_keys::{self, ApiKey},
    audit::{self, Actor},
    executions::Origin,
    users::{self, Role, User, UserStatus},
};

use crate::{
    access::{Access, Keys, access},
    app::App,
    error::ApiError,
    server::RequestId,
};

const COOKIE: &str = "auth-token";

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The person, or the owner of the API key.
    pub user: Document<User>,
    /// Id of the API key, when one was used.
    pub api_key_id: Option<String>,
}

impl Caller {
    /// What executions record about who created them.
    pub fn origin(&self) -> Origin {
        if self.api_key_id.is_some() { Origin::Api } else { Origin::App }
    }

    /// What the caller may do.
    pub fn role(&self) -> Role {
        self.user.data.role
    }

    /// Who that is for the audit log.
    fn actor(&self) -> Actor {
        let (user_id, role) = (self.user.id.clone(), self.role());
        match self.api_key_id.clone() {
            None => Actor::User { id: user_id, role },
            Some(id) => Actor::ApiKey { id, owner_id: user_id, role },
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::unauthorized("this operation needs a signed-in caller"))
    }
}

/// The layer that guards every route.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let rule = access(request.method().as_str(), path);
    let (least, keys) = match rule {
        None => return Err(ApiError::forbidden("this operation is open to nobody")),
        Some(Access::Public) => {
            let caller = audited(Actor::Anonymous, request.extensions());
            return Ok(audit::scope(caller, next.run(request)).await);
        }
        Some(Access::SignedIn { least, keys }) => (least, keys),
    };
    let address = source_address(request.extensions());
    let now = Timestamp::now();
    let caller = match (api_key_of(request.headers()), keys) {
        (Some(key), Keys::Refused) => {
            recognise_key(&app, key).await?;
            return Err(ApiError::forbidden("this operation is not open to API keys"));
        }
        (Some(key), Keys::Scope(scope)) => {
            let (key, owner) = recognise_key(&app, key).await?;
            if !key.data.scopes.contains(&scope) {
                return Err(ApiError::forbidden(format!("the API key lacks the scope {}", scope.as_str())));
            }
            Caller { user: owner, api_key_id: Some(key.id) }
        }
        (Some(key), Keys::AnyScope) => {
            let (key, owner) = recognise_key(&app, key).await?;
            Caller { user: owner, api_key_id: Some(key.id) }
        }
        (_, Keys::Ignored) | (None, _) => {
            let user = recognise_session(&app, request.method(), request.headers(), now).await?;
            Caller { user, api_key_id: None }
        }
    };
    if caller.role() < least {
        return Err(ApiError::forbidden(format!(
            "this operation needs the role {}, and yours is {}",
            least.as_str(),
            caller.role().as_str()
        )));
    }
    if let Some(id) = &caller.api_key_id {
        app.db.write(vec![api_keys::record_use(id, &address, now)]).await?;
    }
    request.extensions_mut().insert(caller.clone());
    let acting = audited(caller.actor(), request.extensions());
    let mut response = audit::scope(acting, next.run(request)).await;
    response.extensions_mut().insert(caller);
    Ok(response)
}

/// Who acts in this request, as the audit log tells it.
fn audited(actor: Actor, extensions: &Extensions) -> audit::Caller {
    let address = Some(source_address(extensions)).filter(|address| !address.is_empty());
    audit::Caller { actor, address, request_id: extensions.get().map(|RequestId(id)| id.clone()) }
}

/// The `X-API-Key` header; an empty one counts as absent. One that is no text is a wrong key.
fn api_key_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-api-key").map(|value| value.to_str().unwrap_or("?")).filter(|key| !key.is_empty())
}

async fn recognise_key(app: &App, key: &str) -> Result<(Document<ApiKey>, Document<User>), ApiError> {
    let found = api_keys::authenticate(&app.db, key).await?;
    found
        .ok_or_else(|| ApiError::unauthorized("the API key is unknown, revoked or expired, or its owner is not active"))
}

async fn recognise_session(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Document<User>, ApiError> {
    let token = token_of(method, headers)?;
    let refused = || ApiError::unauthorized("the session is invalid or has expired; sign in again");
    let claims = app.sessions.verify(token, now).ok_or_else(refused)?;
    let user = users::find(&app.db, &claims.sub).await?.ok_or_else(refused)?;
    // A locked account keeps its sessions: a lock stops password guessing only (defect A-07).
    let is_current = user.data.status == UserStatus::Active && user.data.session_version == claims.ver;
    if is_current { Ok(user) } else { Err(refused()) }
}

/// The bearer token or, for reading requests of our own pages, the cookie (decision A-15). An `Authorization` header
/// decides even when it is wrong.
fn token_of<'a>(method: &Method, headers: &'a HeaderMap) -> Result<&'a str, ApiError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        return token
            .ok_or_else(|| ApiError::unauthorized("the Authorization header is not of the form Bearer <token>"));
    }
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    let is_foreign = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    let cookie = if is_reading && !is_foreign { cookie_token(headers) } else { None };
    cookie.ok_or_else(|| ApiError::unauthorized("sign in first: this operation needs a session or an API key"))
}

fn cookie_token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
}

/// The caller's network address as API Gateway saw it.
fn source_address(extensions: &Extensions) -> String {
    match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The caller's network address.
#[derive(Debug, Clone)]
pub struct SourceAddress(pub String);

impl<S: Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(source_address(&parts.extensions)))
    }
}

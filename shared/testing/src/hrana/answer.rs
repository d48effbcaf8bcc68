//! From an HTTP request to an HTTP answer, with the faults that a test asked for.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Router,
    extract::{Request, State as Shared},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    Cut, Fault, State, lock, run,
    wire::{CursorBody, PipelineBody},
};

/// Larger requests are refused, as sqld refuses them.
const MAX_REQUEST_BYTES: usize = 10 << 20;

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/health", get(async || StatusCode::OK))
        .route("/v2/pipeline", post(pipeline))
        .route("/v3/pipeline", post(pipeline))
        .route("/v3/cursor", post(cursor))
        .with_state(state)
}

/// A request that fails as a whole.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    code: Option<&'static str>,
}

impl Refusal {
    /// A request that breaks the protocol. sqld says so in plain text.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), code: None }
    }

    pub(super) fn stream_expired() -> Self {
        let message = "The stream has expired due to inactivity".to_owned();
        Self { status: StatusCode::BAD_REQUEST, message, code: Some("STREAM_EXPIRED") }
    }

    pub(super) fn too_many(what: &str) -> Self {
        let message = format!("Too many {what}");
        Self { status: StatusCode::TOO_MANY_REQUESTS, message, code: Some("TOO_MANY_REQUESTS") }
    }

    pub(super) fn internal(cause: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: cause.to_string(), code: Some("INTERNAL") }
    }

    fn unauthorized(given: &str) -> Self {
        let message = format!("Unauthorized: `{given}` is no valid token");
        Self { status: StatusCode::UNAUTHORIZED, message, code: Some("AUTH_JWT_INVALID") }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, message, code } = self;
        match code {
            Some(code) => (status, axum::Json(json!({"message": message, "code": code}))).into_response(),
            None => (status, message).into_response(),
        }
    }
}

async fn pipeline(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, Refusal> {
    let Admitted { body, cut } = admit::<PipelineBody>(&state, request).await?;
    let answer = in_background(run::pipeline(state, body)).await;
    break_off(cut, Cut::AfterExecuting);
    Ok(axum::Json(answer?).into_response())
}

async fn cursor(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, Refusal> {
    let Admitted { body, cut } = admit::<CursorBody>(&state, request).await?;
    let answer = in_background(run::cursor(state, body)).await;
    break_off(cut, Cut::AfterExecuting);
    let lines: String = answer?.iter().map(|line| format!("{line}\n")).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain")], lines).into_response())
}

/// A request that is going to be executed, and what happens to it afterwards.
struct Admitted<T> {
    body: T,
    cut: Option<Cut>,
}

/// Counts the request, makes it wait, and plays the faults that come before executing.
async fn admit<T: DeserializeOwned>(state: &State, request: Request) -> Result<Admitted<T>, Refusal> {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let latency = *lock(&state.latency);
    tokio::time::sleep(latency).await;
    let (head, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_REQUEST_BYTES).await;
    check_token(state, &head.headers)?;
    let cut = match lock(&state.faults).pop_front() {
        Some(Fault::Refused) => return Err(Refusal::too_many("requests")),
        Some(Fault::Cut(cut)) => Some(cut),
        None => None,
    };
    break_off(cut, Cut::BeforeExecuting);
    let bytes = bytes.map_err(|error| Refusal::protocol(format!("Could not read the request body: {error}")))?;
    let body = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::protocol(format!("Cannot deserialize client message from JSON: {error}")))?;
    Ok(Admitted { body, cut })
}

fn check_token(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    let wanted = lock(&state.token).clone();
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match wanted {
        Some(token) if given.strip_prefix("Bearer ") != Some(&token) => Err(Refusal::unauthorized(given)),
        _ => Ok(()),
    }
}

/// Closes the connection if it is to break at this moment. Unwinding ends the task that holds the socket, and this form
/// of it tells no panic hook.
fn break_off(planned: Option<Cut>, now: Cut) {
    if planned == Some(now) {
        std::panic::resume_unwind(Box::new("the test breaks this connection"));
    }
}

/// Runs work that blocks, on a thread where it may, and to its end also when the client goes away.
async fn in_background<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let runtime = tokio::runtime::Handle::current();
    let working = tokio::task::spawn_blocking(move || runtime.block_on(work));
    working.await.unwrap_or_else(|stopped| Err(Refusal::internal(stopped)))
}

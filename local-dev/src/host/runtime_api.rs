//! The HTTP side of one instance: what Lambda's Runtime API offers to a function process.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{Response, StatusCode},
    routing::{get, post},
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::invoke::InvokeError;

/// Lambda's limit for an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024 + 100;

/// Takes the answer of one call.
pub(super) type Reply = oneshot::Sender<Result<Bytes, InvokeError>>;

/// One call on its way to a process.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) timeout: Duration,
    /// Set once the process has asked for the call.
    pub(super) taken: Arc<AtomicBool>,
    pub(super) reply: Reply,
}

/// What the handlers of one instance share.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    function: String,
    work: tokio::sync::Mutex<mpsc::Receiver<Work>>,
    current: Mutex<Option<(String, Reply)>>,
    /// When the first request for work came.
    ready: watch::Sender<Option<Instant>>,
    init_error: Mutex<Option<String>>,
}

impl RuntimeApi {
    pub(super) fn new(function: &str, work: mpsc::Receiver<Work>) -> Self {
        Self {
            function: function.to_owned(),
            work: tokio::sync::Mutex::new(work),
            current: Mutex::default(),
            ready: watch::Sender::new(None),
            init_error: Mutex::default(),
        }
    }

    pub(super) fn ready(&self) -> watch::Receiver<Option<Instant>> {
        self.ready.subscribe()
    }

    /// Whether the process has taken a call that it has not answered yet.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.current).is_some()
    }

    /// What the process said about a failed start.
    pub(super) fn init_error(&self) -> Option<String> {
        lock(&self.init_error).clone()
    }

    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .route("/2020-01-01/extension/register", post(register_extension))
            .route("/2020-01-01/extension/event/next", get(next_extension_event))
            .with_state(self)
    }

    fn finish(&self, id: &str, result: Result<Bytes, InvokeError>) -> StatusCode {
        match lock(&self.current).take_if(|(current, _)| current == id) {
            Some((_, reply)) => {
                // Nobody listens any more when the call ran out of time.
                let _ = reply.send(result);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response<Body> {
    let now = Instant::now();
    api.ready.send_if_modified(|ready| {
        let is_first = ready.is_none();
        ready.get_or_insert(now);
        is_first
    });
    let Some(work) = api.work.lock().await.recv().await else {
        return status(StatusCode::GONE);
    };
    work.taken.store(true, Ordering::Release);
    let deadline = SystemTime::now() + work.timeout;
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &work.request_id)
        .header("lambda-runtime-deadline-ms", deadline_ms.to_string())
        .header(
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:us-east-1:123456789012:function:{}", api.function),
        )
        .body(Body::from(work.payload));
    *lock(&api.current) = Some((work.request_id, work.reply));
    answer.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn response(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Body) -> Response<Body> {
    match axum::body::to_bytes(body, MAX_ANSWER_BYTES).await {
        Ok(answer) => status(api.finish(&id, Ok(answer))),
        Err(_) => {
            let message = format!("the answer is larger than {MAX_ANSWER_BYTES} bytes or broke off");
            api.finish(&id, Err(InvokeError::FunctionError(message)));
            status(StatusCode::PAYLOAD_TOO_LARGE)
        }
    }
}

async fn error(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response<Body> {
    status(api.finish(&id, Err(InvokeError::FunctionError(error_text(&body)))))
}

/// Functions register an extension without events, so that Lambda sends them SIGTERM before it ends them.
async fn register_extension(State(api): State<Arc<RuntimeApi>>) -> Response<Body> {
    let about = json!({ "functionName": api.function, "functionVersion": "$LATEST", "handler": "bootstrap" });
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-extension-identifier", uuid::Uuid::new_v4().to_string())
        .body(Body::from(about.to_string()));
    answer.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

/// There never is one.
async fn next_extension_event() -> Response<Body> {
    std::future::pending().await
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response<Body> {
    *lock(&api.init_error) = Some(error_text(&body));
    status(StatusCode::ACCEPTED)
}

/// The message of an error report, or the report itself.
pub(crate) fn error_text(body: &[u8]) -> String {
    let report: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = report.as_ref().and_then(|report| report["errorMessage"].as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from("{}"));
    *response.status_mut() = status;
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

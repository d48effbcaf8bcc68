//! The HTTP side: does for the functions what an API Gateway HTTP API does in the cloud.
//!
//! A request line may be 64 KiB long (long lists of ids occur in query strings); more than that
//! the HTTP library refuses with 414.

mod answer;
mod event;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, Response, StatusCode, request::Parts},
    serve::ListenerExt,
};
use chrono::Utc;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    invoke::{InvokeError, Invoker},
    report::{Event, Reporter},
    template::Template,
    ui::Ui,
};

/// How long API Gateway waits for a function.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Largest body that API Gateway takes, in bytes.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// A listening gateway. Dropping it stops it.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    server: JoinHandle<()>,
}

struct Server {
    template: Arc<Template>,
    invoker: Arc<dyn Invoker>,
    reporter: Reporter,
    ui: Option<Ui>,
    port: u16,
}

impl Gateway {
    /// Answers requests on `listener`: pages from `ui`, if given, and the API from the functions.
    pub fn start(
        listener: TcpListener,
        template: Arc<Template>,
        invoker: Arc<dyn Invoker>,
        ui: Option<Ui>,
        reporter: Reporter,
    ) -> Result<Self> {
        let address = listener.local_addr().context("the gateway has no address")?;
        let server = Arc::new(Server { template, invoker, reporter, ui, port: address.port() });
        let router = Router::new().fallback(serve).with_state(server);
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let server = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, server })
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let (response, started, function) = server.answer(request).await;
    server.reporter.report(&Event::Request {
        method,
        path,
        status: response.status().as_u16(),
        duration: started.elapsed(),
        function,
    });
    response
}

impl Server {
    /// The response, since when it was worked on, and by which function.
    async fn answer(&self, request: Request) -> (Response<Body>, Instant, Option<String>) {
        let (parts, body) = request.into_parts();
        if let Some(ui) = self.ui.as_ref().filter(|_| !is_api_path(parts.uri.path())) {
            let started = Instant::now();
            return (ui.respond(&parts.method, parts.uri.path()).await, started, None);
        }
        let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await;
        let started = Instant::now();
        let Ok(body) = body else {
            return (answer::gateway_error(StatusCode::PAYLOAD_TOO_LARGE), started, None);
        };
        let Some(path) = event::decode_path(parts.uri.path()) else {
            return (answer::bad_path(), started, None);
        };
        let (response, function) = self.call_function(&parts, &path, &body).await;
        (response, started, function)
    }

    async fn call_function(&self, parts: &Parts, path: &str, body: &[u8]) -> (Response<Body>, Option<String>) {
        let Some((function, event)) = event_for(&self.template, parts, path, body, self.port) else {
            return (answer::gateway_error(StatusCode::NOT_FOUND), None);
        };
        if event.len() > event::MAX_EVENT_BYTES {
            return (answer::gateway_error(StatusCode::PAYLOAD_TOO_LARGE), None);
        }
        let limit = self.template.function(&function).map_or(ANSWER_LIMIT, |function| function.timeout);
        let invoked = tokio::time::timeout(ANSWER_LIMIT, self.invoker.invoke(&function, event.into(), limit)).await;
        let response = match invoked {
            Ok(Ok(answer)) => answer::response(&answer, parts.method == Method::HEAD).unwrap_or_else(|| {
                self.reporter.note(format!("{function} gave an answer that is no HTTP response."));
                answer::gateway_error(StatusCode::INTERNAL_SERVER_ERROR)
            }),
            Err(_) | Ok(Err(InvokeError::Timeout(_))) => answer::gateway_error(StatusCode::SERVICE_UNAVAILABLE),
            Ok(Err(error @ InvokeError::Unreachable(_))) => {
                self.reporter.note(format!("{function}: {error}"));
                answer::gateway_error(StatusCode::SERVICE_UNAVAILABLE)
            }
            Ok(Err(error @ (InvokeError::FunctionError(_) | InvokeError::Crashed(_)))) => {
                self.reporter.note(format!("{function}: {error}"));
                answer::gateway_error(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        (response, Some(function))
    }
}

/// The function that serves a request, and the event that it gets. `path` is the decoded path.
pub(crate) fn event_for(
    template: &Template,
    parts: &Parts,
    path: &str,
    body: &[u8],
    port: u16,
) -> Option<(String, String)> {
    let route = template.route(parts.method.as_str(), parts.uri.path())?;
    let request_id = uuid::Uuid::new_v4().to_string();
    let call = event::Call { route: &route, request_id: &request_id, at: Utc::now(), port };
    Some((route.route.function.clone(), event::build(parts, path, body, &call).to_string()))
}

/// Whether a path belongs to the API, whatever else is served beside it.
fn is_api_path(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    percent_encoding::percent_decode_str(first).decode_utf8_lossy().eq_ignore_ascii_case("api")
}

//! From routes to a running Lambda function: the layers around every route, in one place.

use std::{
    any::Any,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    http::{HeaderName, HeaderValue, Request, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use futures::future::BoxFuture;
use lambda_http::request::RequestContext;
use shared_core::{
    ids,
    logging::panic_text,
    trace::{self, TraceId},
};
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::{
    app::App,
    auth::{self, Caller},
    body,
    error::{ApiError, UNEXPECTED, failure},
    lambda,
    paths::Paths,
    routes::OpenApiRouter,
};

/// Headers of every answer (contract 1.5).
const SECURITY_HEADERS: [(&str, &str); 12] = [
    ("content-security-policy", "default-src 'self'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-xss-protection", "0"),
];

/// The routes with everything that stands around them: path spelling, log line, headers, body, credentials.
pub fn service(routes: OpenApiRouter, app: &App) -> Edge {
    let paths = Paths::new(routes.paths().iter().map(String::as_str));
    let router = routes
        .router
        .route_layer(from_fn_with_state(app.clone(), auth::guard))
        .route_layer(from_fn(body::read))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observe));
    Edge { router, paths: Arc::new(paths) }
}

/// Serves the routes as a Lambda function until the process ends.
pub async fn serve(routes: OpenApiRouter, app: &App) -> Result<(), lambda_http::Error> {
    lambda::run(service(routes, app)).await
}

/// What stands outside the router, because the router itself would be in the way: paths are respelled before it chooses
/// a route, and answers without content lose the length that it adds.
#[derive(Debug, Clone)]
pub struct Edge {
    router: Router,
    paths: Arc<Paths>,
}

impl<B> Service<Request<B>> for Edge
where
    Router: Service<Request<B>, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.router.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answering = self.router.call(self.paths.normalise(request));
        Box::pin(async move {
            let mut response = answering.await?;
            if response.status() == StatusCode::NO_CONTENT {
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            Ok(response)
        })
    }
}

async fn not_found(request: Request<Body>) -> ApiError {
    ApiError::gate(StatusCode::NOT_FOUND, format!("there is nothing at {}", request.uri().path()))
}

async fn method_not_allowed(request: Request<Body>) -> ApiError {
    ApiError::gate(StatusCode::METHOD_NOT_ALLOWED, format!("{} is not possible here", request.method()))
}

/// A panic becomes a failed call with its line in the log, never a dead process.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(panic = panic_text(&*panic), "a handler panicked");
    failure(StatusCode::INTERNAL_SERVER_ERROR, UNEXPECTED)
}

/// What the answer has as `x-request-id`.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Gives every request and its answer their id and headers, and writes one line about it.
async fn observe(mut request: Request<Body>, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let trace = trace_id(&request);
    let span = tracing::info_span!("request", request_id = %id, trace.id = %trace);
    request.extensions_mut().insert(RequestId(id.clone()));

    let mut response = trace::scope(trace, next.run(request)).instrument(span.clone()).await;

    let caller = response.extensions().get::<Caller>();
    let kind = caller.map_or("nobody", |caller| if caller.api_key_id.is_some() { "api-key" } else { "user" });
    let caller_id = caller.map_or("-", |caller| caller.api_key_id.as_deref().unwrap_or(&caller.user.id));
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    let status = response.status().as_u16();
    span.in_scope(|| {
        tracing::info!(%method, route, status, duration_ms, caller.kind = kind, caller.id = caller_id, "request served");
    });

    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Whatever an answer holds is for the one who asked.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// The trace that the caller or Lambda names, or a new one.
fn trace_id(request: &Request<Body>) -> TraceId {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    header("traceparent")
        .and_then(TraceId::of_traceparent)
        .or_else(|| header("x-amzn-trace-id").and_then(TraceId::of_amazon))
        .unwrap_or_else(TraceId::random)
}

/// API Gateway's id of the request, or one of our own.
fn request_id(request: &Request<Body>) -> String {
    let given = match request.extensions().get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    given.unwrap_or_else(ids::new_id)
}

//! One request to the routers and its answer.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use lambda_http::{aws_lambda_events::apigw::ApiGatewayV2httpRequestContext, request::RequestContext};
use serde_json::Value;
use shared_http::Edge;
use tower::ServiceExt;

use crate::documented::assert_documented;

/// A request in the making.
pub struct Call {
    edge: Edge,
    request: http::request::Builder,
    body: Body,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text; what is no text in it is replaced.
    pub text: String,
    /// Body as it came.
    pub bytes: Vec<u8>,
}

impl Call {
    /// A request to these routes.
    pub fn new(edge: Edge, method: &str, path: &str) -> Self {
        Self { edge, request: Request::builder().method(method).uri(path), body: Body::empty() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Signs the request in with a session token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends an API key.
    #[must_use]
    pub fn api_key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// Sends the request from this network address, as API Gateway tells it.
    #[must_use]
    pub fn from_address(mut self, address: &str) -> Self {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.source_ip = Some(address.to_owned());
        self.request = self.request.extension(RequestContext::ApiGatewayV2(context));
        self
    }

    /// Sends a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    /// Sends any body.
    #[must_use]
    pub fn text(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// Sends the request and reads the whole answer, which must be one that the OpenAPI document knows.
    pub async fn send(self) -> Answer {
        let request = self.request.body(self.body).expect("the request is well-formed");
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.edge.oneshot(request).await.expect("routers answer everything");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("the body can be read").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let answer = Answer { status: parts.status, headers: parts.headers, text, bytes: bytes.to_vec() };
        assert_documented(&method, &path, &answer);
        answer
    }
}

impl Answer {
    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// `data` of the body, after checking the status.
    #[track_caller]
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let body = self.json();
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "an envelope has one member: {body}");
        body["data"].clone()
    }

    /// Fields of the issues of a 422, all of the given type.
    #[track_caller]
    pub fn issues(&self, part: &str) -> Vec<String> {
        assert_eq!(self.status.as_u16(), 422, "{}", self.text);
        let body = self.json();
        assert!(body.get("data").is_none(), "a 422 has no data: {body}");
        let issues = body["error"].as_array().expect("a list of issues").clone();
        assert!(issues.iter().all(|issue| issue["type"] == part && issue["message"].is_string()), "{body}");
        issues.iter().map(|issue| issue["field"].as_str().expect("a field").to_owned()).collect()
    }

    /// `error` of a bare refusal, after checking the status.
    #[track_caller]
    pub fn bare(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let body = self.json();
        assert!(body.get("data").is_none() && body["message"].is_string(), "{body}");
        body["error"].as_str().expect("a label").to_owned()
    }

    /// `data.error` of an operation's refusal, after checking the status and that it explains itself.
    #[track_caller]
    pub fn refusal(&self, status: u16) -> String {
        let data = self.data(status);
        assert!(data["message"].is_string(), "{data}");
        data["error"].as_str().expect("a label").to_owned()
    }
}

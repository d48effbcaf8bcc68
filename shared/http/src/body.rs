//! Reads the body before anything else looks at the request (contract 1.2): a malformed one fails even without
//! credentials.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use crate::{
    error::ApiError,
    issue::{Issue, Part},
};

/// Largest request body in bytes (contract 1.5).
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Deepest nesting of a request body. What is stored from it travels in answers some levels deeper, and JSON readers,
/// ours included, commonly stop at 128.
const MAX_DEPTH: usize = 100;

/// The decoded body, put into the request's extensions. Absent when there was none.
#[derive(Clone)]
pub(crate) struct ParsedBody(pub(crate) Value);

/// The layer that reads the body.
pub(crate) async fn read(request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let bytes = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(refused(format!("the body is larger than {MAX_BODY_BYTES} bytes")));
        }
        Err(error) => return Err(refused(format!("the body could not be read: {error}"))),
    };
    // Other content types count as no body; so does a JSON header without one.
    if is_json(&parts.headers) && !bytes.is_empty() {
        parts.extensions.insert(ParsedBody(parse(&bytes)?));
    }
    Ok(next.run(Request::from_parts(parts, Body::empty())).await)
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| refused(format!("the body is not valid JSON: {error}")))?;
    if !value.is_object() && !value.is_array() {
        return Err(refused("the body must be a JSON object or array"));
    }
    if depth(&value) > MAX_DEPTH {
        return Err(refused(format!("the body is nested more than {MAX_DEPTH} levels deep")));
    }
    match nul_position(&value) {
        Some(field) => Err(ApiError::invalid(Issue::new(Part::Body, field, "must not contain a NUL character"))),
        None => Ok(value),
    }
}

fn refused(message: impl Into<String>) -> ApiError {
    ApiError::invalid(Issue::whole(Part::Body, message))
}

/// How many objects and arrays stand inside each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Where a text with a NUL character stands: the store would cut such a text.
fn nul_position(value: &Value) -> Option<String> {
    let within = |step: String, value: &Value| {
        nul_position(value).map(|rest| if rest == "request" { step.clone() } else { format!("{step}.{rest}") })
    };
    match value {
        Value::String(text) => text.contains('\0').then(|| "request".to_owned()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| within(index.to_string(), item)),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') { Some("request".to_owned()) } else { within(name.clone(), member) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

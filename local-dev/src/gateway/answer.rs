//! From a function's answer to an HTTP response.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

/// Turns what a function answered into a response; `None` when it makes no sense.
///
/// An answer without `statusCode` is the body of a 200, as API Gateway has it.
pub(super) fn response(answer: &[u8], is_head: bool) -> Option<Response<Body>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let Some(status) = answer.get("statusCode") else {
        return Some(json_response(StatusCode::OK, &answer));
    };
    let status = status.as_u64().and_then(|status| u16::try_from(status).ok())?;
    let status = StatusCode::from_u16(status).ok()?;
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let is_base64 = answer.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
    let body = if is_base64 { BASE64.decode(body).ok()? } else { body.as_bytes().to_vec() };

    let mut response = Response::new(if body.is_empty() { Body::empty() } else { Body::from(body) });
    *response.status_mut() = status;
    let no_headers = Map::new();
    for (name, value) in answer.get("headers").and_then(Value::as_object).unwrap_or(&no_headers) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        // The gateway counts for itself, except where there is no body to count.
        if name == header::CONTENT_LENGTH && !is_head {
            continue;
        }
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        response.headers_mut().append(name, HeaderValue::from_str(&value).ok()?);
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        let cookie = HeaderValue::from_str(cookie.as_str()?).ok()?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Some(response)
}

/// What API Gateway itself says when it has no answer of a function.
pub(super) fn gateway_error(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or("Error"),
    };
    json_response(status, &json!({ "message": message }))
}

/// A path that no decoder understands. Bare, like the other answers given before any operation.
pub(super) fn bad_path() -> Response<Body> {
    let body = json!({ "error": "Bad Request", "message": "The path contains a malformed percent-escape." });
    json_response(StatusCode::BAD_REQUEST, &body)
}

fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn body(response: Response<Body>) -> Vec<u8> {
        response.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn status_headers_cookies_and_body_arrive() {
        let answer = json!({
            "statusCode": 201,
            "headers": { "content-type": "text/plain", "x-count": 3, "content-length": "99" },
            "multiValueHeaders": { "x-ignored": ["1"] },
            "cookies": ["a=1; Path=/", "b=2"],
            "body": "hello",
            "isBase64Encoded": false,
        });
        let response = response(answer.to_string().as_bytes(), false).unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert_eq!(response.headers()["x-count"], "3");
        assert!(!response.headers().contains_key("content-length"));
        assert!(!response.headers().contains_key("x-ignored"));
        let cookies: Vec<&HeaderValue> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
        assert_eq!(body(response).await, b"hello");
    }

    #[tokio::test]
    async fn base64_is_decoded() {
        let answer = json!({ "statusCode": 200, "body": BASE64.encode([0, 255]), "isBase64Encoded": true });
        let response = response(answer.to_string().as_bytes(), false).unwrap();
        assert_eq!(body(response).await, [0, 255]);
    }

    #[tokio::test]
    async fn an_answer_without_status_is_a_body() {
        let response = response(br#"{"hello":1}"#, false).unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(body(response).await, br#"{"hello":1}"#);
    }

    #[test]
    fn nonsense_is_no_response() {
        for answer in [
            "",
            "nonsense",
            r#"{"statusCode":"many"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"headers":{"bad name":"x"}}"#,
            r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#,
        ] {
            assert!(response(answer.as_bytes(), false).is_none(), "{answer}");
        }
    }
}

//! From an HTTP request to the event that API Gateway sends (payload version 2.0).

use std::{collections::BTreeMap, fmt::Write};

use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::template::RouteMatch;

/// Largest event that Lambda takes, in bytes.
pub(super) const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Headers that concern one connection only and end at the gateway.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What the event says about the call besides the request itself.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) route: &'a RouteMatch<'a>,
    pub(super) request_id: &'a str,
    pub(super) at: DateTime<Utc>,
    pub(super) port: u16,
}

/// Decodes the percent-escapes of a path; `None` when one is malformed or the result is no UTF-8.
pub(super) fn decode_path(raw_path: &str) -> Option<String> {
    let bytes = raw_path.as_bytes();
    let escape_is_complete =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if !escapes.into_iter().all(|(at, _)| escape_is_complete(at)) {
        return None;
    }
    percent_decode_str(raw_path).decode_utf8().ok().map(|path| path.into_owned())
}

/// Builds the event.
pub(super) fn build(request: &Parts, path: &str, body: &[u8], call: &Call<'_>) -> Value {
    let raw_query = request.uri.query().unwrap_or_default();
    let header = |name: HeaderName| text(&request.headers, &name);
    let host = header(header::HOST);
    let (body, is_base64) = body_text(&request.headers, body);

    let mut event = json!({
        "version": "2.0",
        "routeKey": call.route.route.key,
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": headers(request, &host, call.port),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split(['.', ':']).next().unwrap_or_default(),
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": header(header::USER_AGENT),
            },
            "requestId": call.request_id,
            "routeKey": call.route.route.key,
            "stage": "$default",
            "time": call.at.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": call.at.timestamp_millis(),
        },
        "isBase64Encoded": is_base64,
    });
    // What a request does not have is absent from its event.
    let cookies = cookies(&request.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !raw_query.is_empty() {
        event["queryStringParameters"] = json!(query_parameters(raw_query));
    }
    if !call.route.parameters.is_empty() {
        event["pathParameters"] = json!(call.route.parameters);
    }
    if let Some(body) = body {
        event["body"] = json!(body);
    }
    event
}

fn headers(request: &Parts, host: &str, port: u16) -> Map<String, Value> {
    let mut headers = Map::new();
    for name in request.headers.keys() {
        if *name != header::COOKIE && !HOP_BY_HOP.contains(name) {
            headers.insert(name.as_str().to_owned(), json!(text(&request.headers, name)));
        }
    }
    headers.insert("host".to_owned(), json!(host));
    let forwarded_for = HeaderName::from_static("x-forwarded-for");
    let forwarded_for = match text(&request.headers, &forwarded_for) {
        before if before.is_empty() => "127.0.0.1".to_owned(),
        before => format!("{before}, 127.0.0.1"),
    };
    headers.insert("x-forwarded-for".to_owned(), json!(forwarded_for));
    headers.insert("x-forwarded-port".to_owned(), json!(port.to_string()));
    headers.insert("x-forwarded-proto".to_owned(), json!("http"));
    headers
}

/// All values of a header, joined by commas.
fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let mut joined = String::new();
    for value in headers.get_all(name) {
        let separator = if joined.is_empty() { "" } else { "," };
        let _ = write!(joined, "{separator}{}", String::from_utf8_lossy(value.as_bytes()));
    }
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| String::from_utf8_lossy(value.as_bytes()).split(';').map(str::to_owned).collect::<Vec<_>>())
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

fn query_parameters(raw_query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    for (name, value) in form_urlencoded::parse(raw_query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    parameters
}

/// The body as the event carries it, and whether that is base64.
fn body_text(headers: &HeaderMap, body: &[u8]) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_textual(headers) => (Some(text.to_owned()), false),
        _ => (Some(BASE64.encode(body)), true),
    }
}

fn is_textual(headers: &HeaderMap) -> bool {
    let content_type = text(headers, &header::CONTENT_TYPE).to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || ["application/json", "application/xml", "application/javascript"].contains(&essence)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use axum::http::Request;

    use super::*;
    use crate::template::Template;

    fn event(request: Request<()>, body: &[u8]) -> Value {
        let template = Template::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let (parts, ()) = request.into_parts();
        let route = template.route(parts.method.as_str(), parts.uri.path()).unwrap();
        let at = "2026-01-31T09:15:00.042Z".parse().unwrap();
        let path = decode_path(parts.uri.path()).unwrap();
        build(&parts, &path, body, &Call { route: &route, request_id: "r-1", at, port: 3000 })
    }

    #[test]
    fn a_request_becomes_the_documented_event() {
        let request = Request::post("/api/v1/Prompts/a%20b%2Fc/?search=x%20y&ids=1&ids=2,3&empty")
            .header("Host", "127.0.0.1:3000")
            .header("User-Agent", "test/1")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Twice", "one")
            .header("X-Twice", "two")
            .header("Cookie", "auth-token=t; theme=dark")
            .header("Cookie", "third=3")
            .header("Connection", "keep-alive")
            .header("X-Forwarded-For", "10.0.0.1")
            .body(())
            .unwrap();
        assert_eq!(
            event(request, "{\"ü\":1}".as_bytes()),
            json!({
                "version": "2.0",
                "routeKey": "ANY /api/v1/prompts/{proxy+}",
                "rawPath": "/api/v1/Prompts/a b/c/",
                "rawQueryString": "search=x%20y&ids=1&ids=2,3&empty",
                "cookies": ["auth-token=t", "theme=dark", "third=3"],
                "headers": {
                    "content-type": "application/json; charset=utf-8",
                    "host": "127.0.0.1:3000",
                    "user-agent": "test/1",
                    "x-forwarded-for": "10.0.0.1, 127.0.0.1",
                    "x-forwarded-port": "3000",
                    "x-forwarded-proto": "http",
                    "x-twice": "one,two",
                },
                "queryStringParameters": { "search": "x y", "ids": "1,2,3", "empty": "" },
                "pathParameters": { "proxy": "a b/c/" },
                "requestContext": {
                    "accountId": "123456789012",
                    "apiId": "local",
                    "domainName": "127.0.0.1:3000",
                    "domainPrefix": "127",
                    "http": {
                        "method": "POST",
                        "path": "/api/v1/Prompts/a b/c/",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "test/1",
                    },
                    "requestId": "r-1",
                    "routeKey": "ANY /api/v1/prompts/{proxy+}",
                    "stage": "$default",
                    "time": "31/Jan/2026:09:15:00 +0000",
                    "timeEpoch": 1_769_850_900_042_i64,
                },
                "body": "{\"ü\":1}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn what_a_request_lacks_is_absent() {
        let event = event(Request::get("/nowhere").body(()).unwrap(), b"");
        assert_eq!(event["routeKey"], "$default");
        for name in ["body", "cookies", "queryStringParameters", "pathParameters"] {
            assert!(event.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn only_textual_bodies_travel_as_text() {
        for (content_type, body, is_base64) in [
            (Some("application/json"), &b"{}"[..], false),
            (Some("text/csv"), b"a,b", false),
            (Some("application/problem+json"), b"{}", false),
            (Some("application/json"), b"\xff", true),
            (Some("application/octet-stream"), b"abc", true),
            (Some("application/x-www-form-urlencoded"), b"a=b", true),
            (None, b"abc", true),
        ] {
            let mut request = Request::post("/api/v1/prompts");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            let event = event(request.body(()).unwrap(), body);
            assert_eq!(event["isBase64Encoded"], is_base64, "{content_type:?}");
            let expected = if is_base64 { BASE64.encode(body) } else { String::from_utf8(body.to_vec()).unwrap() };
            assert_eq!(event["body"], expected.as_str());
        }
    }

    #[test]
    fn malformed_escapes_are_found() {
        for path in ["/a%", "/a%2", "/a%zz", "/%ff", "/%C3"] {
            assert_eq!(decode_path(path), None, "{path}");
        }
        assert_eq!(decode_path("/%C3%BC%25/+").as_deref(), Some("/ü%/+"));
    }
}

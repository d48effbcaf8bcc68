//! What the fake vendor heard.

use axum::body::Bytes;
use http::{HeaderMap, request::Parts};
use serde_json::Value;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// The method, in capitals.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent, without the question mark; empty when there is none.
    pub query: String,
    /// The headers; names in lower case.
    pub headers: HeaderMap,
    /// The body as sent.
    pub body: Bytes,
}

impl ReceivedRequest {
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        Self {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
        }
    }

    /// A header's value; `None` when it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A query member as sent, not decoded.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

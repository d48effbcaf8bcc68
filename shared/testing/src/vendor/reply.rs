//! What the fake vendor says.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures::stream::{self, StreamExt};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::ReceivedRequest;

/// How long the first part of an answer gets to leave the machine before its connection breaks.
const FLUSH_TIME: Duration = Duration::from_millis(20);

/// A scripted reply: status 200 and an empty body unless said otherwise.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    delay: Duration,
    end: End,
}

/// How an answer ends.
#[derive(Clone)]
enum End {
    /// As it should.
    Whole,
    /// The connection breaks after so many bytes of the body.
    BrokenAfter(usize),
    /// Head and so many bytes of the body, then nothing more, with the connection open.
    StalledAfter(usize),
    /// No answer, with the connection open.
    Hanging,
    /// No answer, and the connection closes.
    Closed,
    /// Made from the request.
    Computed(Arc<dyn Fn(&ReceivedRequest) -> Reply + Send + Sync>),
}

impl Reply {
    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO, end: End::Whole }
    }

    /// A JSON body.
    pub fn json(body: &Value) -> Self {
        Self::bytes("application/json", body.to_string())
    }

    /// A plain-text body.
    pub fn text(body: &str) -> Self {
        Self::bytes("text/plain; charset=utf-8", body.to_owned())
    }

    /// Any body.
    pub fn bytes(content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::status(200).with_header(CONTENT_TYPE.as_str(), content_type);
        reply.body = body.into();
        reply
    }

    /// No answer, ever: the connection stays open until the caller gives up or the server is dropped.
    pub fn hang() -> Self {
        Self { end: End::Hanging, ..Self::status(200) }
    }

    /// No answer: the connection closes once the request has been read.
    pub fn close() -> Self {
        Self { end: End::Closed, ..Self::status(200) }
    }

    /// A reply made from the request, for vendors that answer what they were asked.
    pub fn computed(make: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self { end: End::Computed(Arc::new(make)), ..Self::status(200) }
    }

    /// The same reply with this status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same reply with one more header; a `content-type` replaces the one there was.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()) {
            self.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same reply, `delay` after the request.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same reply, whose connection breaks after `bytes` of the body.
    pub fn broken_after(mut self, bytes: usize) -> Self {
        self.end = End::BrokenAfter(bytes);
        self
    }

    /// The same reply, of which nothing more comes after `bytes` of the body.
    pub fn stalled_after(mut self, bytes: usize) -> Self {
        self.end = End::StalledAfter(bytes);
        self
    }

    /// Answers, or fails to, as scripted.
    pub(super) async fn play(self, request: &ReceivedRequest) -> Response {
        tokio::time::sleep(self.delay).await;
        let body = match &self.end {
            End::Whole => Body::from(self.body.clone()),
            End::BrokenAfter(bytes) => {
                let broken = stream::once(async {
                    tokio::time::sleep(FLUSH_TIME).await;
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                });
                Body::from_stream(stream::iter([Ok(self.first(*bytes))]).chain(broken))
            }
            End::StalledAfter(bytes) => {
                let started = stream::iter([Ok::<_, Infallible>(self.first(*bytes))]);
                Body::from_stream(started.chain(stream::pending()))
            }
            End::Hanging => std::future::pending().await,
            // Unwinding ends the connection's task and so closes the socket. This form tells no panic hook.
            End::Closed => std::panic::resume_unwind(Box::new("the script closes this connection")),
            End::Computed(make) => return Box::pin(make(request).play(request)).await,
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a scripted status between 100 and 999");
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name).expect("a scripted header has a valid name");
            response
                .headers_mut()
                .append(name, HeaderValue::try_from(value).expect("a scripted header has a valid value"));
        }
        response
    }

    /// The first `bytes` of the body.
    fn first(&self, bytes: usize) -> Bytes {
        self.body.slice(..bytes.min(self.body.len()))
    }
}

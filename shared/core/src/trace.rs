//! Trace ids: what happened because of one request, from its arrival through queues and retries to the calls that we
//! make (W3C Trace Context).
//!
//! The id travels with the task that works, not through signatures: [`scope`] sets it, [`current`] reads it, and stores
//! keep it in the row so that whoever takes the row later goes on with it.

use std::{fmt, future::Future};

use crate::secrets::random_bytes;

/// A trace: 32 lower-case hex digits, not all zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(String);

tokio::task_local! {
    static CURRENT: TraceId;
}

/// Runs a future as part of a trace.
pub async fn scope<F: Future>(id: TraceId, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// The trace of the work that is going on here, if any.
pub fn current() -> Option<TraceId> {
    CURRENT.try_with(Clone::clone).ok()
}

impl TraceId {
    /// A fresh random trace.
    pub fn random() -> Self {
        Self(hex::encode(random_bytes::<16>()))
    }

    /// The trace with this id; `None` unless it has 32 lower-case hex digits that are not all zero.
    pub fn parse(id: &str) -> Option<Self> {
        let is_hex = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && id.bytes().any(|byte| byte != b'0')).then(|| Self(id.to_owned()))
    }

    /// The trace named by a `traceparent` header: version, trace id, parent id and flags, joined by hyphens.
    pub fn of_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, id) = (parts.next()?, parts.next()?);
        (version.len() == 2 && version != "ff").then(|| Self::parse(id)).flatten()
    }

    /// The trace named by an `X-Amzn-Trace-Id` header, whose root is `1-`, eight digits, `-`, 24 digits (AWS X-Ray,
    /// "Tracing header").
    pub fn of_amazon(header: &str) -> Option<Self> {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root=1-"))?;
        Self::parse(&root.replacen('-', "", 1))
    }

    /// The header that hands this trace on, with a fresh parent id.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.0, hex::encode(random_bytes::<8>()))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn headers_of_both_kinds_name_the_trace() {
        let expected = TraceId::parse(ID);
        assert!(expected.is_some());
        assert_eq!(TraceId::of_traceparent(&format!("00-{ID}-00f067aa0ba902b7-01")), expected);
        assert_eq!(TraceId::of_amazon("Self=1-x;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1"), expected);
        assert_eq!(TraceId::of_traceparent(&TraceId(ID.into()).traceparent()), expected);
    }

    #[test]
    fn nothing_else_does() {
        for header in ["", "00", ID, "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4BF9-1-1"] {
            assert_eq!(TraceId::of_traceparent(header), None, "{header}");
        }
        assert_eq!(TraceId::parse(&"0".repeat(32)), None);
        assert_eq!(TraceId::of_amazon("Root=2-4bf92f35-77b34da6a3ce929d0e0e4736"), None);
    }

    #[tokio::test]
    async fn a_trace_reaches_as_far_as_its_future() {
        let id = TraceId::random();
        assert_eq!(scope(id.clone(), async { current() }).await, Some(id));
        assert_eq!(current(), None);
    }
}

//! What travels through the queues.

use serde::{Deserialize, Serialize};

/// An announcement: the row with this id may have something to do. The row holds the facts; which table it stands in
/// follows from the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobMessage {
    /// Id of the execution or job.
    pub id: String,
    /// The trace of whoever announced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl JobMessage {
    /// An announcement from the work that is going on here.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), trace_id: shared_core::trace::current().map(|id| id.to_string()) }
    }
}

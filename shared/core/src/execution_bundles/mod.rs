//! Execution bundles: the executions of one group run (contract 10). Nothing ever changes or deletes one.

mod store;

use serde::{Deserialize, Serialize};

pub(crate) use store::insert;
pub use store::{BundleFilter, list};

/// The stored document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionBundle {
    /// The group that ran.
    pub test_group_id: String,
    /// The prompt that ran.
    pub prompt_id: String,
    /// In the order in which they were created.
    pub execution_ids: Vec<String>,
}

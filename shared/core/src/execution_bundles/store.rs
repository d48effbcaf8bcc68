//! All SQL of execution bundles.

use super::ExecutionBundle;
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter},
    instant::Timestamp,
    params,
};

const BUNDLES: Collection = Collection::new("execution_bundles");
/// How many bundles a list shows at most (defect C-02): their ids alone fill an answer.
const MOST_LISTED: &str = "created_at DESC, id DESC LIMIT 1000";

/// Which bundles a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleFilter {
    /// Runs of this group.
    Group(String),
    /// Runs of this prompt.
    Prompt(String),
    /// Runs of this group with this prompt.
    GroupAndPrompt(String, String),
}

/// The matching bundles, newest first.
pub async fn list(db: &Db, filter: &BundleFilter) -> Result<Vec<Document<ExecutionBundle>>, DbError> {
    let filter = match filter {
        BundleFilter::Group(group) => Filter { condition: "test_group_id = ?1", params: params![group] },
        BundleFilter::Prompt(prompt) => Filter { condition: "prompt_id = ?1", params: params![prompt] },
        BundleFilter::GroupAndPrompt(group, prompt) => {
            Filter { condition: "test_group_id = ?1 AND prompt_id = ?2", params: params![group, prompt] }
        }
    };
    BUNDLES.list(db, filter, MOST_LISTED).await
}

/// Records a bundle, in the write that creates its executions.
pub(crate) fn insert(id: &str, bundle: &ExecutionBundle, now: Timestamp) -> Statement {
    BUNDLES.insert(id, bundle, now)
}

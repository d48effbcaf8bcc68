//! Comments of reviewers on prompts and on executions (contract 12, defects C-01 and C-02).

mod store;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

pub(crate) use store::delete_on_execution;
pub use store::{find_many, list};

use crate::{
    audit::{self, Action},
    db::{Db, DbError},
    documents::Document,
    ids,
    instant::Timestamp,
};

/// A stored comment. It refers to a prompt, an execution, or both, and outlives either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// What the reviewer says.
    pub text: String,
    /// What it is about.
    pub data: CommentData,
    /// The prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// The execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// Who wrote it; absent in imported comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_id: Option<String>,
}

/// What a comment is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CommentData {
    /// Part of an execution's result.
    Execution(ExecutionCommentData),
    /// The whole.
    Generic(GenericCommentData),
}

impl CommentData {
    /// The quoted part of a result; empty for comments on the whole.
    pub fn selected_text(&self) -> &str {
        match self {
            Self::Execution(selection) => &selection.selected_text,
            Self::Generic(_) => "",
        }
    }
}

/// A comment on the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GenericCommentData {
    // Not a doc comment: beside `inline` it would become a second schema that the value has to satisfy.
    #[serde(rename = "type")]
    #[schema(inline)]
    kind: GenericType,
}

/// Selection inside an execution result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionCommentData {
    // Not a doc comment: beside `inline` it would become a second schema that the value has to satisfy.
    #[serde(rename = "type")]
    #[schema(inline)]
    kind: ExecutionType,
    /// The selected part.
    pub selected_text: String,
    /// Offset into the execution result, in UTF-16 code units.
    #[schema(value_type = f64)]
    pub start_offset: Number,
    /// Exclusive end, in UTF-16 code units.
    #[schema(value_type = f64)]
    pub end_offset: Number,
}

/// The one value of `type` in [`GenericCommentData`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GenericType {
    /// About the whole.
    Generic,
}

/// The one value of `type` in [`ExecutionCommentData`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionType {
    /// About a selection.
    Execution,
}

/// What a list is about; exactly one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Comments that carry this prompt's id.
    Prompt(String),
    /// Comments that carry this execution's id.
    Execution(String),
}

/// Why an operation on comments was refused.
#[derive(Debug, thiserror::Error)]
pub enum CommentError {
    /// There is no such comment, or the caller may not delete it.
    #[error("there is no such comment, or it is not yours to delete")]
    NotFound,
    /// The prompt that a new comment refers to does not exist.
    #[error("the comment refers to a prompt that does not exist")]
    PromptNotFound,
    /// The execution that a new comment refers to does not exist.
    #[error("the comment refers to an execution that does not exist")]
    ExecutionNotFound,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Stores a comment whose prompt and execution exist at that moment.
pub async fn create(db: &Db, comment: Comment, now: Timestamp) -> Result<Document<Comment>, CommentError> {
    let id = ids::new_id();
    let view = audit::View::new()
        .id("promptId", comment.prompt_id.as_deref())
        .id("executionId", comment.execution_id.as_deref())
        .withhold("text", &comment.text);
    let entry = audit::entry(Action::CommentCreated).on(&id).after(view);
    match db.write(vec![store::insert_if_subject_exists(&id, &comment, now), entry.record()]).await {
        Ok(_) => Ok(Document { id, data: comment, revision: 0, created_at: now, updated_at: now }),
        Err(DbError::Guard) => match &comment.prompt_id {
            Some(prompt_id) if !store::prompt_exists(db, prompt_id).await? => Err(CommentError::PromptNotFound),
            _ => Err(CommentError::ExecutionNotFound),
        },
        Err(error) => Err(error.into()),
    }
}

/// Deletes a comment that this user wrote; admins delete any.
pub async fn delete(db: &Db, id: &str, user_id: &str, is_admin: bool) -> Result<(), CommentError> {
    let entry = audit::entry(Action::CommentDeleted).on(id);
    match db.write(vec![store::delete(id, user_id, is_admin), entry.record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => Err(CommentError::NotFound),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;

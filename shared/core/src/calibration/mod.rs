//! Calibration: a text that asks a model to improve a prompt in the light of reviewers' comments (contract 12, defects
//! P-11 and P-12).

mod text;

use std::collections::{HashMap, HashSet};

pub use text::{Material, Remark, ReviewedExecution, Task, calibration_text};

use crate::{
    comments::{self, Comment},
    db::{Db, DbError},
    documents::Document,
    executions::{self, ExecutionFilter, ExecutionOrder, ExecutionStatus, ExecutionView},
    pagination::{Direction, PageRequest},
    prompts,
};

/// A finished text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// The text for a model.
    pub adjustment_prompt: String,
    /// Text of the prompt's current version.
    pub original_prompt: String,
    /// How many different comments went in.
    pub comments_processed: usize,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// No prompt with this id.
    #[error("there is no such prompt")]
    PromptNotFound,
    /// The list of comments is empty.
    #[error("name at least one comment")]
    NoComments,
    /// A comment does not exist.
    #[error("there is no comment {0}")]
    CommentNotFound(String),
    /// A comment does not carry this prompt's id.
    #[error("the comment {0} is not about this prompt")]
    ForeignComment(String),
    /// A comment refers to an execution that does not exist any more.
    #[error("the execution {0}, which a comment refers to, does not exist")]
    ExecutionNotFound(String),
    /// A comment refers to an execution without a result.
    #[error("the execution {0}, which a comment refers to, has no result")]
    NoResult(String),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Writes the text for the current version of a prompt. A comment that is named twice counts once.
pub async fn adjust(
    db: &Db,
    prompt_id: &str,
    comment_ids: Vec<String>,
    task: Task,
) -> Result<Adjustment, CalibrationError> {
    let prompt = prompts::find(db, prompt_id).await?.ok_or(CalibrationError::PromptNotFound)?;
    let comments = comments_of_prompt(db, &prompt.id, comment_ids).await?;
    let executions = finished_executions(db, &comments).await?;
    let material = Material {
        prompt: &prompt.data.prompt,
        executions: grouped(&comments, &executions),
        remarks: comments
            .iter()
            .filter(|comment| comment.data.execution_id.is_none())
            .map(|comment| comment.data.text.as_str())
            .collect(),
    };
    Ok(Adjustment {
        adjustment_prompt: calibration_text(&material, task),
        original_prompt: prompt.data.prompt,
        comments_processed: comments.len(),
    })
}

/// The comments in the order in which they were first named, all of them about this prompt.
async fn comments_of_prompt(
    db: &Db,
    prompt_id: &str,
    comment_ids: Vec<String>,
) -> Result<Vec<Document<Comment>>, CalibrationError> {
    let mut named = HashSet::new();
    let ids: Vec<String> = comment_ids.into_iter().filter(|id| named.insert(id.clone())).collect();
    if ids.is_empty() {
        return Err(CalibrationError::NoComments);
    }
    let found = comments::find_many(db, &ids).await?;
    let mut by_id: HashMap<String, Document<Comment>> =
        found.into_iter().map(|comment| (comment.id.clone(), comment)).collect();
    let in_order = ids.into_iter().map(|id| match by_id.remove(&id) {
        None => Err(CalibrationError::CommentNotFound(id)),
        Some(comment) if comment.data.prompt_id.as_deref() != Some(prompt_id) => {
            Err(CalibrationError::ForeignComment(id))
        }
        Some(comment) => Ok(comment),
    });
    in_order.collect()
}

/// The executions that the comments refer to, all of them with a result, in order of first mention.
async fn finished_executions(db: &Db, comments: &[Document<Comment>]) -> Result<Vec<ExecutionView>, CalibrationError> {
    let mut mentioned = HashSet::new();
    let ids: Vec<String> = comments
        .iter()
        .filter_map(|comment| comment.data.execution_id.clone())
        .filter(|id| mentioned.insert(id.clone()))
        .collect();
    let filter = ExecutionFilter { ids: Some(ids.clone()), ..ExecutionFilter::default() };
    let page = PageRequest { page: 1, limit: u32::try_from(ids.len()).unwrap_or(u32::MAX).max(1) };
    let found = executions::list(db, &filter, ExecutionOrder::Created, Direction::Descending, page).await?.data;
    let mut by_id: HashMap<String, ExecutionView> =
        found.into_iter().map(|execution| (execution.id.clone(), execution)).collect();
    let in_order = ids.into_iter().map(|id| match by_id.remove(&id) {
        None => Err(CalibrationError::ExecutionNotFound(id)),
        Some(execution) if result_of(&execution).is_empty() => Err(CalibrationError::NoResult(id)),
        Some(execution) => Ok(execution),
    });
    in_order.collect()
}

/// The result of a completed execution; empty for others.
fn result_of(execution: &ExecutionView) -> &str {
    match execution.status {
        ExecutionStatus::Completed => execution.data.result.as_deref().unwrap_or_default(),
        ExecutionStatus::Pending | ExecutionStatus::Running | ExecutionStatus::Failed => "",
    }
}

/// Each execution with its comments.
fn grouped<'a>(comments: &'a [Document<Comment>], executions: &'a [ExecutionView]) -> Vec<ReviewedExecution<'a>> {
    let with_comments = executions.iter().map(|execution| ReviewedExecution {
        user_input: &execution.data.user_input,
        result: result_of(execution),
        remarks: comments
            .iter()
            .filter(|comment| comment.data.execution_id.as_ref() == Some(&execution.id))
            .map(|comment| Remark { selected: comment.data.data.selected_text(), text: &comment.data.text })
            .collect(),
    });
    with_comments.collect()
}

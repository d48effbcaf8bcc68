//! All SQL of comments.

use super::{Comment, Subject};
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter, to_json},
    instant::Timestamp,
    pagination::PageRequest,
    params,
};

const COMMENTS: Collection = Collection::new("comments");
/// How many comments one list shows (defect C-02).
const MOST_LISTED: u32 = 1000;

/// The newest comments on something, newest first.
pub async fn list(db: &Db, subject: &Subject) -> Result<Vec<Document<Comment>>, DbError> {
    let filter = match subject {
        Subject::Prompt(id) => Filter { condition: "prompt_id = ?1", params: params![id] },
        Subject::Execution(id) => Filter { condition: "execution_id = ?1", params: params![id] },
    };
    let page = PageRequest { page: 1, limit: MOST_LISTED };
    Ok(COMMENTS.page(db, filter, "created_at DESC, id DESC", page).await?.data)
}

/// The comments with these ids, in no particular order; unknown ids are left out.
pub async fn find_many(db: &Db, ids: &[String]) -> Result<Vec<Document<Comment>>, DbError> {
    let condition = "id IN (SELECT value FROM json_each(?1))";
    COMMENTS.list(db, Filter { condition, params: params![to_json(&ids)] }, "id").await
}

pub(super) fn insert_if_subject_exists(id: &str, comment: &Comment, now: Timestamp) -> Statement {
    let sql = "INSERT INTO comments (id, data, created_at, updated_at) SELECT ?1, ?2, ?3, ?3
        WHERE (?4 IS NULL OR EXISTS (SELECT 1 FROM prompts WHERE id = ?4))
            AND (?5 IS NULL OR EXISTS (SELECT 1 FROM executions WHERE id = ?5))";
    let params = params![id, to_json(comment), now, comment.prompt_id.as_deref(), comment.execution_id.as_deref()];
    Statement::new(sql, params).expecting_one()
}

pub(super) async fn prompt_exists(db: &Db, id: &str) -> Result<bool, DbError> {
    Ok(db.read("SELECT 1 AS one FROM prompts WHERE id = ?1", params![id]).await?.first().is_some())
}

/// Deletes all comments on an execution.
pub(crate) fn delete_on_execution(id: &str) -> Statement {
    Statement::new("DELETE FROM comments WHERE execution_id = ?1", params![id])
}

pub(super) fn delete(id: &str, user_id: &str, is_admin: bool) -> Statement {
    let sql = "DELETE FROM comments WHERE id = ?1 AND (?3 OR author_id = ?2)";
    Statement::new(sql, params![id, user_id, is_admin]).expecting_one()
}

//! All SQL of prompts.

use super::{Prompt, PromptOutline, PromptText};
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter, ordering},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
};

const PROMPTS: Collection = Collection::new("prompts");
const NEWEST_FIRST: &str = "created_at DESC, id DESC";

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptOrder {
    /// By name, code point by code point.
    Name,
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
}

/// Whether any prompt exists.
pub async fn any_exists(db: &Db) -> Result<bool, DbError> {
    Ok(db.read("SELECT 1 AS one FROM prompts LIMIT 1", params![]).await?.first().is_some())
}

/// Asks for the prompt with this id, together with other questions.
pub(crate) fn query(id: &str) -> Statement {
    PROMPTS.query(Filter { condition: "id = ?1", params: params![id] })
}

/// The prompt with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Document<Prompt>>, DbError> {
    PROMPTS.find(db, id).await
}

/// The same, to be handed on.
pub async fn find_text(db: &Db, id: &str) -> Result<Option<Document<PromptText>>, DbError> {
    PROMPTS.find(db, id).await
}

/// One page of the prompts whose name or text contains `search`.
pub async fn list(
    db: &Db,
    search: &str,
    order: PromptOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<Document<PromptText>>, DbError> {
    let column = match order {
        PromptOrder::Name => "name",
        PromptOrder::Created => "created_at",
        PromptOrder::Updated => "updated_at",
    };
    let order = ordering(column, direction);
    PROMPTS.page(db, containing(search), &order, page).await
}

/// `instr` over `lower` finds literal text and folds ASCII letters only, as the contract wants (section 3).
fn containing(search: &str) -> Filter {
    if search.is_empty() {
        return Filter { condition: "true", params: params![] };
    }
    let condition = "(instr(lower(name), lower(?1)) > 0 OR instr(lower(prompt), lower(?1)) > 0)";
    Filter { condition, params: params![search] }
}

/// All prompts whose name contains `pattern`, newest first.
pub async fn search_by_name(db: &Db, pattern: &str) -> Result<Vec<Document<PromptText>>, DbError> {
    let filter = Filter { condition: "instr(lower(name), lower(?1)) > 0", params: params![pattern] };
    PROMPTS.list(db, filter, NEWEST_FIRST).await
}

/// The newest prompts.
pub async fn list_newest(db: &Db, limit: u32) -> Result<Vec<Document<PromptText>>, DbError> {
    let filter = Filter { condition: "true", params: params![] };
    let page = PageRequest { page: 1, limit };
    Ok(PROMPTS.page(db, filter, NEWEST_FIRST, page).await?.data)
}

/// All prompts, newest first, for drop-downs.
pub async fn list_choices(db: &Db) -> Result<Vec<Document<PromptOutline>>, DbError> {
    PROMPTS.list(db, Filter { condition: "true", params: params![] }, NEWEST_FIRST).await
}

pub(super) fn insert(id: &str, prompt: &Prompt, now: Timestamp) -> Statement {
    PROMPTS.insert(id, prompt, now)
}

pub(super) fn replace(id: &str, prompt: &Prompt, revision: i64, now: Timestamp) -> Statement {
    PROMPTS.replace(id, prompt, revision, now)
}

/// Deletes a prompt with all its versions unless a deployment uses it.
pub(super) fn delete_unused(id: &str) -> Statement {
    let sql = "DELETE FROM prompts
        WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deployments WHERE deployments.prompt_id = ?1)";
    Statement::new(sql, params![id]).expecting_one()
}

/// Names of the deployments that use an existing prompt.
pub(super) async fn list_users(db: &Db, id: &str) -> Result<Vec<String>, DbError> {
    let sql = "SELECT name FROM deployments
        WHERE prompt_id = ?1 AND EXISTS (SELECT 1 FROM prompts WHERE prompts.id = ?1) ORDER BY name";
    db.read(sql, params![id]).await?.rows.iter().map(|row| row.get("name")).collect()
}

//! All SQL of embedding deployments.

use super::EmbeddingDeployment;
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
};

const EMBEDDINGS: Collection = Collection::new("deployment_embeddings");

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmbeddingOrder {
    /// By name, code point by code point.
    Name,
    /// By model.
    Model,
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
}

/// The embedding deployment with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Document<EmbeddingDeployment>>, DbError> {
    EMBEDDINGS.find(db, id).await
}

/// The embedding deployment with this name.
pub async fn find_by_name(db: &Db, name: &str) -> Result<Option<Document<EmbeddingDeployment>>, DbError> {
    EMBEDDINGS.find_where(db, Filter { condition: "name = ?1", params: params![name] }).await
}

/// One page of those whose name or model contains `search`.
pub async fn list(
    db: &Db,
    search: &str,
    order: EmbeddingOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<Document<EmbeddingDeployment>>, DbError> {
    let column = match order {
        EmbeddingOrder::Name => "name",
        EmbeddingOrder::Model => "model",
        EmbeddingOrder::Created => "created_at",
        EmbeddingOrder::Updated => "updated_at",
    };
    let direction = direction.sql();
    let order = format!("{column} {direction}, id {direction}");
    EMBEDDINGS.page(db, containing(search), &order, page).await
}

fn containing(search: &str) -> Filter {
    if search.is_empty() {
        return Filter { condition: "true", params: params![] };
    }
    let condition = "(instr(lower(name), lower(?1)) > 0 OR instr(lower(model), lower(?1)) > 0)";
    Filter { condition, params: params![search] }
}

pub(super) fn insert(id: &str, deployment: &EmbeddingDeployment, now: Timestamp) -> Statement {
    EMBEDDINGS.insert(id, deployment, now)
}

pub(super) fn replace(id: &str, deployment: &EmbeddingDeployment, revision: i64, now: Timestamp) -> Statement {
    EMBEDDINGS.replace(id, deployment, revision, now)
}

/// Deletes an embedding deployment; the answer's `affected` tells whether it was there.
pub fn delete(id: &str) -> Statement {
    EMBEDDINGS.delete(id)
}

/// Takes a destination out of every embedding deployment (defect W-05).
pub(crate) fn forget_destination(id: &str) -> Statement {
    let sql =
        "UPDATE deployment_embeddings SET revision = revision + 1, data = json_set(data, '$.webhookDestinationIds',
            json((SELECT json_group_array(value) FROM json_each(data, '$.webhookDestinationIds') WHERE value <> ?1)))
        WHERE EXISTS (SELECT 1 FROM json_each(data, '$.webhookDestinationIds') WHERE value = ?1)";
    Statement::new(sql, params![id])
}

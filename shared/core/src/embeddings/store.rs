//! All SQL of embedding deployments and of what their jobs computed.

use super::EmbeddingDeployment;
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter, ordering},
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
    let order = ordering(column, direction);
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

/// Deletes an embedding deployment.
pub(super) fn delete(id: &str) -> Statement {
    EMBEDDINGS.delete(id).expecting_one()
}

/// Takes a destination out of every embedding deployment (defect W-05).
pub(crate) fn forget_destination(id: &str) -> Statement {
    let sql =
        "UPDATE deployment_embeddings SET revision = revision + 1, data = json_set(data, '$.webhookDestinationIds',
            json((SELECT json_group_array(value) FROM json_each(data, '$.webhookDestinationIds') WHERE value <> ?1)))
        WHERE EXISTS (SELECT 1 FROM json_each(data, '$.webhookDestinationIds') WHERE value = ?1)";
    Statement::new(sql, params![id])
}

/// Writes one part of a job's vectors, given as JSON.
pub(super) fn insert_part(job_id: &str, part: u32, vectors: &str, expires_at: Timestamp) -> Statement {
    let sql = "INSERT INTO embedding_results (job_id, part, bytes, expires_at, vectors) VALUES (?1, ?2, ?3, ?4, ?5)";
    Statement::new(sql, params![job_id, part, i64::try_from(vectors.len()).unwrap_or(i64::MAX), expires_at, vectors])
}

/// Deletes the vectors of a job.
pub(super) fn delete_result(job_id: &str) -> Statement {
    Statement::new("DELETE FROM embedding_results WHERE job_id = ?1", params![job_id])
}

/// The sizes of a job's parts in their order; only if they are kept beyond `valid_at`, when that is given.
pub(super) async fn list_parts(db: &Db, job_id: &str, valid_at: Option<Timestamp>) -> Result<Vec<u64>, DbError> {
    let sql = "SELECT bytes FROM embedding_results WHERE job_id = ?1 AND (?2 IS NULL OR expires_at > ?2) ORDER BY part";
    db.read(sql, params![job_id, valid_at]).await?.rows.iter().map(|row| row.get("bytes")).collect()
}

/// One part of a job's vectors.
pub(super) async fn find_part(db: &Db, job_id: &str, part: u32) -> Result<Option<Vec<Vec<f64>>>, DbError> {
    let sql = "SELECT vectors FROM embedding_results WHERE job_id = ?1 AND part = ?2";
    db.read(sql, params![job_id, part]).await?.first().map(|row| row.json("vectors")).transpose()
}

/// Deletes the vectors of the `limit` jobs whose time has been over for longest; tells of how many. All parts of a job
/// go together.
pub(super) async fn delete_expired_results(db: &Db, limit: u32, now: Timestamp) -> Result<u64, DbError> {
    let sql = "DELETE FROM embedding_results WHERE job_id IN (
            SELECT job_id FROM embedding_results WHERE part = 0 AND expires_at <= ?1 ORDER BY expires_at, job_id LIMIT +?2)
        RETURNING part";
    let deleted = db.write(vec![Statement::new(sql, params![now, limit])]).await?.remove(0);
    let mut jobs = 0;
    for row in &deleted.rows {
        jobs += u64::from(row.get::<u32>("part")? == 0);
    }
    Ok(jobs)
}

//! All SQL of deployments.

use super::Deployment;
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter, to_json},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
};

const DEPLOYMENTS: Collection = Collection::new("deployments");

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeploymentOrder {
    /// By name, code point by code point.
    Name,
    /// By provider.
    Provider,
    /// By model.
    Model,
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
}

/// The deployment with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Document<Deployment>>, DbError> {
    DEPLOYMENTS.find(db, id).await
}

/// The deployment with this name.
pub async fn find_by_name(db: &Db, name: &str) -> Result<Option<Document<Deployment>>, DbError> {
    DEPLOYMENTS.find_where(db, Filter { condition: "name = ?1", params: params![name] }).await
}

/// One page of the deployments whose name, provider or model contains `search`.
pub async fn list(
    db: &Db,
    search: &str,
    order: DeploymentOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<Document<Deployment>>, DbError> {
    let column = match order {
        DeploymentOrder::Name => "name",
        DeploymentOrder::Provider => "provider",
        DeploymentOrder::Model => "model",
        DeploymentOrder::Created => "created_at",
        DeploymentOrder::Updated => "updated_at",
    };
    let direction = direction.sql();
    let order = format!("{column} {direction}, id {direction}");
    DEPLOYMENTS.page(db, containing(search), &order, page).await
}

fn containing(search: &str) -> Filter {
    if search.is_empty() {
        return Filter { condition: "true", params: params![] };
    }
    let condition = "(instr(lower(name), lower(?1)) > 0 OR instr(lower(provider), lower(?1)) > 0
        OR instr(lower(model), lower(?1)) > 0)";
    Filter { condition, params: params![search] }
}

/// True while the prompt `?5` is there: who deletes a prompt looks for deployments in the same way, so neither overtakes
/// the other (decision P-09).
const PROMPT_EXISTS: &str = "EXISTS (SELECT 1 FROM prompts WHERE prompts.id = ?5)";

/// Inserts a deployment unless its prompt is gone.
pub(super) fn insert(id: &str, deployment: &Deployment, now: Timestamp) -> Statement {
    let sql = format!(
        "INSERT INTO deployments (id, data, revision, created_at, updated_at)
        SELECT ?1, ?2, ?3, ?4, ?4 WHERE {PROMPT_EXISTS}"
    );
    let params = params![id, to_json(deployment), 0_i64, now, &deployment.prompt_id];
    Statement::new(sql, params).expecting_one()
}

/// Replaces a deployment that is still at `revision`, unless its prompt is gone.
pub(super) fn replace(id: &str, deployment: &Deployment, revision: i64, now: Timestamp) -> Statement {
    let sql = format!(
        "UPDATE deployments SET data = ?2, revision = revision + 1, updated_at = ?4
        WHERE id = ?1 AND revision = ?3 AND {PROMPT_EXISTS}"
    );
    let params = params![id, to_json(deployment), revision, now, &deployment.prompt_id];
    Statement::new(sql, params).expecting_one()
}

/// Deletes a deployment.
pub(super) fn delete(id: &str) -> Statement {
    DEPLOYMENTS.delete(id).expecting_one()
}

/// Takes a destination out of every deployment (defect W-05).
pub(crate) fn forget_destination(id: &str) -> Statement {
    let sql = "UPDATE deployments SET revision = revision + 1, data = json_set(data, '$.webhookDestinationIds',
            json((SELECT json_group_array(value) FROM json_each(data, '$.webhookDestinationIds') WHERE value <> ?1)))
        WHERE EXISTS (SELECT 1 FROM json_each(data, '$.webhookDestinationIds') WHERE value = ?1)";
    Statement::new(sql, params![id])
}

//! All SQL of test data.

use super::{TestDataGroup, TestDataItem, TestDataMode};
use crate::{
    db::{Db, DbError, Statement},
    documents::{Collection, Document, Filter, ordering, to_json},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
};

const GROUPS: Collection = Collection::new("test_data_groups");
const ITEMS: Collection = Collection::new("test_data_items");

/// Sort keys of groups and items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TestDataOrder {
    /// By name, code point by code point; without a name first.
    Name,
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
}

/// The group with this id.
pub async fn find_group(db: &Db, id: &str) -> Result<Option<Document<TestDataGroup>>, DbError> {
    GROUPS.find(db, id).await
}

/// One page of the groups whose name or description contains `search`.
pub async fn list_groups(
    db: &Db,
    search: &str,
    order: TestDataOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<Document<TestDataGroup>>, DbError> {
    let filter = match search {
        "" => Filter { condition: "true", params: params![] },
        text => Filter {
            condition: "(instr(lower(name), lower(?1)) > 0 OR instr(lower(description), lower(?1)) > 0)",
            params: params![text],
        },
    };
    let column = match order {
        TestDataOrder::Name => "name",
        TestDataOrder::Created => "created_at",
        TestDataOrder::Updated => "updated_at",
    };
    GROUPS.page(db, filter, &ordering(column, direction), page).await
}

/// All groups, newest first, for drop-downs.
pub async fn list_group_choices(db: &Db) -> Result<Vec<Document<TestDataGroup>>, DbError> {
    GROUPS.list(db, Filter { condition: "true", params: params![] }, "created_at DESC, id DESC").await
}

pub(super) fn insert_group(id: &str, group: &TestDataGroup, now: Timestamp) -> Statement {
    GROUPS.insert(id, group, now)
}

/// Replaces a group that is still at `revision` and, if it becomes a `json` group, holds nothing but JSON.
pub(super) fn replace_group(
    id: &str,
    group: &TestDataGroup,
    revision: i64,
    becomes_json: bool,
    now: Timestamp,
) -> Statement {
    let sql = "UPDATE test_data_groups SET data = ?2, revision = revision + 1, updated_at = ?5
        WHERE id = ?1 AND revision = ?3 AND (NOT ?4 OR NOT EXISTS (
            SELECT 1 FROM test_data_items WHERE group_id = ?1 AND NOT json_valid(content)))";
    Statement::new(sql, params![id, to_json(group), revision, becomes_json, now]).expecting_one()
}

/// Name and id of an item that is not JSON, if the group has one.
pub(super) async fn find_other_than_json(db: &Db, group_id: &str) -> Result<Option<String>, DbError> {
    let sql = "SELECT id, COALESCE(name, '') AS name FROM test_data_items
        WHERE group_id = ?1 AND NOT json_valid(content) ORDER BY created_at, position, id LIMIT 1";
    let rows = db.read(sql, params![group_id]).await?;
    rows.first().map(|row| Ok(format!("\"{}\" ({})", row.get::<String>("name")?, row.get::<String>("id")?))).transpose()
}

/// Deletes a group with its items.
pub(super) fn delete_group(id: &str) -> Vec<Statement> {
    let items = Statement::new("DELETE FROM test_data_items WHERE group_id = ?1", params![id]);
    vec![items, GROUPS.delete(id).expecting_one()]
}

/// Fails the whole write unless the group exists and has this mode; keeps items from outliving their group.
pub(super) fn group_is(id: &str, mode: TestDataMode) -> Statement {
    let sql = "UPDATE test_data_groups SET revision = revision WHERE id = ?1 AND mode = ?2";
    Statement::new(sql, params![id, mode.as_str()]).expecting_one()
}

/// The item with this id.
pub async fn find_item(db: &Db, id: &str) -> Result<Option<Document<TestDataItem>>, DbError> {
    ITEMS.find(db, id).await
}

/// One page of a group's items whose name or content contains `search`.
pub async fn list_items(
    db: &Db,
    group_id: &str,
    search: &str,
    order: TestDataOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<Document<TestDataItem>>, DbError> {
    let filter = match search {
        "" => Filter { condition: "group_id = ?1", params: params![group_id] },
        text => Filter {
            condition: "group_id = ?1
                AND (instr(lower(name), lower(?2)) > 0 OR instr(lower(content), lower(?2)) > 0)",
            params: params![group_id, text],
        },
    };
    let direction = direction.sql();
    let order = match order {
        TestDataOrder::Name => format!("name {direction}, id {direction}"),
        TestDataOrder::Created => format!("created_at {direction}, position {direction}, id {direction}"),
        TestDataOrder::Updated => format!("updated_at {direction}, position {direction}, id {direction}"),
    };
    ITEMS.page(db, filter, &order, page).await
}

/// Inserts all items with one statement.
pub(super) fn insert_items(items: &[Document<TestDataItem>], now: Timestamp) -> Statement {
    // The documents travel as text within the list, so that nothing in between rewrites them.
    let rows: Vec<(&str, String)> = items.iter().map(|item| (item.id.as_str(), to_json(&item.data))).collect();
    let sql = "INSERT INTO test_data_items (id, data, created_at, updated_at)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), ?2, ?2 FROM json_each(?1)";
    Statement::new(sql, params![to_json(&rows), now])
}

pub(super) fn replace_item(id: &str, item: &TestDataItem, revision: i64, now: Timestamp) -> Statement {
    ITEMS.replace(id, item, revision, now)
}

/// Deletes an item.
pub(super) fn delete_item(id: &str) -> Statement {
    ITEMS.delete(id).expecting_one()
}

/// An item as a group run needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunItem {
    /// Its id.
    pub id: String,
    /// Grows with every change.
    pub revision: i64,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The input, if it was asked for.
    pub content: Option<String>,
}

/// Up to `limit` items of a group, newest first. Contents are read only when somebody looks at them.
pub async fn list_run_items(db: &Db, group_id: &str, with_content: bool, limit: u32) -> Result<Vec<RunItem>, DbError> {
    let sql = "SELECT id, revision, name, CASE WHEN ?2 THEN content END AS content FROM test_data_items
        WHERE group_id = ?1 ORDER BY created_at DESC, position DESC, id DESC LIMIT +?3";
    let rows = db.read(sql, params![group_id, with_content, limit]).await?.rows;
    let item = |row: &crate::db::Row| {
        Ok(RunItem {
            id: row.get("id")?,
            revision: row.get("revision")?,
            name: row.get("name")?,
            content: row.get("content")?,
        })
    };
    rows.iter().map(item).collect()
}

/// Fails the whole write unless the group still has all these items as they were read.
pub fn unchanged_items(group_id: &str, items: &[RunItem]) -> Statement {
    let read: Vec<(&str, i64)> = items.iter().map(|item| (item.id.as_str(), item.revision)).collect();
    let sql = "UPDATE test_data_groups SET revision = revision WHERE id = ?1 AND json_array_length(?2) = (
        SELECT count(*) FROM json_each(?2) JOIN test_data_items i
            ON i.id = json_extract(value, '$[0]') AND i.revision = json_extract(value, '$[1]'))";
    Statement::new(sql, params![group_id, to_json(&read)]).expecting_one()
}

//! Test data: groups of items that prompts are tried out on (contract 13).

mod compile;
mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use compile::compile_with_item;
pub use store::{
    RunItem, TestDataOrder, find_group, find_item, list_group_choices, list_groups, list_items, list_run_items,
    unchanged_items,
};

use crate::{
    audit::{self, Action, View},
    db::{Db, DbError, Rows, Statement},
    documents::Document,
    ids,
    instant::Timestamp,
};

/// What the items of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TestDataMode {
    /// Any text.
    Raw,
    /// JSON text of any kind.
    Json,
}

impl TestDataMode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Json => "json",
        }
    }
}

/// A stored group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestDataGroup {
    /// Unique.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its items are.
    pub mode: TestDataMode,
}

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestDataItem {
    /// The group that it belongs to.
    pub group_id: String,
    /// Optional, and may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The input.
    pub content: String,
    /// Place among the items of one request, which were created at the same moment.
    #[serde(default)]
    pub position: u32,
}

impl TestDataGroup {
    fn audited(&self) -> View {
        let view = View::new().keep("mode", self.mode.as_str());
        view.withhold("name", &self.name).withhold("description", &self.description)
    }
}

impl TestDataItem {
    fn audited(&self) -> View {
        let view = View::new().id("groupId", self.group_id.as_str());
        view.withhold("name", &self.name).withhold("content", &self.content)
    }
}

/// Changes to a group; absent members stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEdit {
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// The mode from now on.
    pub mode: TestDataMode,
}

/// An item to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// Optional, and may be empty.
    pub name: Option<String>,
    /// The input.
    pub content: String,
}

/// Changes to an item; absent members stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemEdit {
    /// New name.
    pub name: Option<String>,
    /// New content.
    pub content: Option<String>,
}

/// Why an operation on test data was refused.
#[derive(Debug, thiserror::Error)]
pub enum TestDataError {
    /// No group with this id.
    #[error("there is no such test data group")]
    GroupNotFound,
    /// No item with this id.
    #[error("there is no such test data item")]
    ItemNotFound,
    /// No prompt with this id.
    #[error("there is no such prompt")]
    PromptNotFound,
    /// The prompt has no such version.
    #[error("the prompt has no version {0}")]
    VersionNotFound(u32),
    /// Another group has this name.
    #[error("a test data group named \"{0}\" exists already")]
    NameTaken(String),
    /// An item of a `json` group is not JSON.
    #[error("the content is not valid JSON: {0}")]
    NotJson(String),
    /// The same, for one of several items.
    #[error("items.{index}: the content is not valid JSON: {reason}")]
    ItemNotJson {
        /// Place of the item in the request, from 0.
        index: usize,
        /// What the parser complained about.
        reason: String,
    },
    /// A group cannot become a `json` group because of this item.
    #[error("the group has items that are not valid JSON, for example {0}")]
    HoldsOtherThanJson(String),
    /// Others kept changing the same thing at the same time.
    #[error("the test data was changed by somebody else at the same time; try again")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How often a change is tried when others make theirs in between.
const TRIES: u32 = 5;

/// Stores a new group.
pub async fn create_group(
    db: &Db,
    data: TestDataGroup,
    now: Timestamp,
) -> Result<Document<TestDataGroup>, TestDataError> {
    let id = ids::new_id();
    let entry = audit::entry(Action::TestDataGroupCreated).on(&id).after(data.audited());
    let write = db.write(vec![store::insert_group(&id, &data, now), entry.record()]).await;
    write.map_err(|error| name_taken(error, &data.name))?;
    Ok(Document { id, data, revision: 0, created_at: now, updated_at: now })
}

/// Changes a group. It becomes a `json` group only if all its items are JSON (defect T-01).
pub async fn update_group(
    db: &Db,
    id: &str,
    edit: &GroupEdit,
    now: Timestamp,
) -> Result<Document<TestDataGroup>, TestDataError> {
    for _ in 0..TRIES {
        let found = find_group(db, id).await?.ok_or(TestDataError::GroupNotFound)?;
        let data = TestDataGroup {
            name: edit.name.clone().unwrap_or_else(|| found.data.name.clone()),
            description: edit.description.clone().or_else(|| found.data.description.clone()),
            mode: edit.mode,
        };
        let becomes_json = data.mode == TestDataMode::Json && found.data.mode == TestDataMode::Raw;
        let entry =
            audit::entry(Action::TestDataGroupUpdated).on(id).before(found.data.audited()).after(data.audited());
        let replace = store::replace_group(id, &data, found.revision, becomes_json, now);
        match db.write(vec![replace, entry.record()]).await {
            Ok(_) => return Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found }),
            Err(DbError::Guard) if becomes_json => {
                if let Some(item) = store::find_other_than_json(db, id).await? {
                    return Err(TestDataError::HoldsOtherThanJson(item));
                }
            }
            Err(DbError::Guard) => {}
            Err(error) => return Err(name_taken(error, &data.name)),
        }
    }
    Err(TestDataError::Stale)
}

/// Deletes a group with its items.
pub async fn delete_group(db: &Db, id: &str) -> Result<(), TestDataError> {
    let mut writes = store::delete_group(id);
    writes.push(audit::entry(Action::TestDataGroupDeleted).on(id).record());
    deleted(db.write(writes).await, TestDataError::GroupNotFound)
}

/// Deletes an item.
pub async fn delete_item(db: &Db, id: &str) -> Result<(), TestDataError> {
    let entry = audit::entry(Action::TestDataItemDeleted).on(id);
    deleted(db.write(vec![store::delete_item(id), entry.record()]).await, TestDataError::ItemNotFound)
}

fn deleted(outcome: Result<Vec<Rows>, DbError>, missing: TestDataError) -> Result<(), TestDataError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => Err(missing),
        Err(error) => Err(error.into()),
    }
}

fn name_taken(error: DbError, name: &str) -> TestDataError {
    if error.is_unique_violation("test_data_groups.name") {
        return TestDataError::NameTaken(name.to_owned());
    }
    TestDataError::Db(error)
}

/// Stores one new item.
pub async fn create_item(
    db: &Db,
    group_id: &str,
    new: NewItem,
    now: Timestamp,
) -> Result<Document<TestDataItem>, TestDataError> {
    let mut created = create_items(db, group_id, vec![new], now).await.map_err(|error| match error {
        TestDataError::ItemNotJson { reason, .. } => TestDataError::NotJson(reason),
        other => other,
    })?;
    created.pop().ok_or(TestDataError::Stale)
}

/// Stores new items, all or none (defect T-04).
pub async fn create_items(
    db: &Db,
    group_id: &str,
    new: Vec<NewItem>,
    now: Timestamp,
) -> Result<Vec<Document<TestDataItem>>, TestDataError> {
    let items: Vec<Document<TestDataItem>> = (0..)
        .zip(new)
        .map(|(position, NewItem { name, content })| {
            let data = TestDataItem { group_id: group_id.to_owned(), name, content, position };
            Document { id: ids::new_id(), data, revision: 0, created_at: now, updated_at: now }
        })
        .collect();
    for _ in 0..TRIES {
        let group = find_group(db, group_id).await?.ok_or(TestDataError::GroupNotFound)?;
        if group.data.mode == TestDataMode::Json {
            for (index, item) in items.iter().enumerate() {
                let broken = |reason| TestDataError::ItemNotJson { index, reason };
                check_json(&item.data.content).map_err(broken)?;
            }
        }
        let writes = vec![
            store::group_is(group_id, group.data.mode),
            store::insert_items(&items, now),
            items_created(group_id, &items),
        ];
        match db.write(writes).await {
            Ok(_) => return Ok(items),
            Err(DbError::Guard) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(TestDataError::Stale)
}

/// The entry about one new item, or about several.
fn items_created(group_id: &str, items: &[Document<TestDataItem>]) -> Statement {
    let entry = audit::entry(Action::TestDataItemCreated);
    match items {
        [item] => entry.on(&item.id).after(item.data.audited()).record(),
        several => {
            let ids: Vec<String> = several.iter().map(|item| item.id.clone()).collect();
            entry.after(View::new().id("groupId", group_id).keep("count", ids.len()).ids("ids", &ids)).record()
        }
    }
}

/// Changes an item; in a `json` group it stays JSON (defect T-02).
pub async fn update_item(
    db: &Db,
    id: &str,
    edit: &ItemEdit,
    now: Timestamp,
) -> Result<Document<TestDataItem>, TestDataError> {
    for _ in 0..TRIES {
        let found = find_item(db, id).await?.ok_or(TestDataError::ItemNotFound)?;
        let group_id = found.data.group_id.as_str();
        let group = find_group(db, group_id).await?.ok_or(TestDataError::ItemNotFound)?;
        if let (TestDataMode::Json, Some(content)) = (group.data.mode, &edit.content) {
            check_json(content).map_err(TestDataError::NotJson)?;
        }
        let data = TestDataItem {
            name: edit.name.clone().or_else(|| found.data.name.clone()),
            content: edit.content.clone().unwrap_or_else(|| found.data.content.clone()),
            ..found.data.clone()
        };
        let entry = audit::entry(Action::TestDataItemUpdated).on(id).before(found.data.audited()).after(data.audited());
        let writes = vec![
            store::group_is(group_id, group.data.mode),
            store::replace_item(id, &data, found.revision, now),
            entry.record(),
        ];
        match db.write(writes).await {
            Ok(_) => return Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found }),
            Err(DbError::Guard) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(TestDataError::Stale)
}

fn check_json(content: &str) -> Result<(), String> {
    serde_json::from_str::<serde::de::IgnoredAny>(content).map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;

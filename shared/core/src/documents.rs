//! The document collection: a table of JSON documents with generated columns for what is searched, sorted or unique.
//!
//! Every such table has `id`, `data`, `revision`, `created_at` and `updated_at`. What is special to an aggregate
//! stands in its `store.rs`.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    db::{Db, DbError, Row, Rows, Statement, Value},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
};

/// A stored document with what the table keeps beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<T> {
    /// Primary key.
    pub id: String,
    /// The document.
    pub data: T,
    /// Grows with every replacement; guards against lost updates.
    pub revision: i64,
    /// When it was inserted.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl<T> Document<T> {
    /// The same document with its data converted.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Document<U> {
        let Self { id, data, revision, created_at, updated_at } = self;
        Document { id, data: convert(data), revision, created_at, updated_at }
    }
}

/// The columns of a document, for statements of one's own.
pub const COLUMNS: &str = "id, data, revision, created_at, updated_at";

impl<T: DeserializeOwned> Document<T> {
    /// Reads a row that has the columns [`COLUMNS`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            data: row.json("data")?,
            revision: row.get("revision")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }

    /// The document in the first row, if there is one.
    pub fn first(rows: &Rows) -> Result<Option<Self>, DbError> {
        rows.first().map(Self::from_row).transpose()
    }
}

/// A table of documents. The name is part of SQL text, hence `'static`.
#[derive(Debug, Clone, Copy)]
pub struct Collection {
    table: &'static str,
}

/// A filter as a condition over generated columns and its parameters, `?1` first.
#[derive(Debug, Clone)]
pub struct Filter {
    /// SQL condition.
    pub condition: &'static str,
    /// Its parameters.
    pub params: Vec<Value>,
}

impl Collection {
    /// The collection stored in `table`.
    pub const fn new(table: &'static str) -> Self {
        Self { table }
    }

    /// The document with this id.
    pub async fn find<T: DeserializeOwned>(&self, db: &Db, id: &str) -> Result<Option<Document<T>>, DbError> {
        self.find_where(db, Filter { condition: "id = ?1", params: params![id] }).await
    }

    /// The first document that matches.
    pub async fn find_where<T: DeserializeOwned>(
        &self,
        db: &Db,
        filter: Filter,
    ) -> Result<Option<Document<T>>, DbError> {
        Document::first(&db.read_many(vec![self.query(filter)]).await?.remove(0))
    }

    /// Asks for the first document that matches, for [`Db::read_many`]; [`Document::first`] reads the answer.
    pub fn query(&self, filter: Filter) -> Statement {
        let sql = format!("SELECT {COLUMNS} FROM {} WHERE {} LIMIT 1", self.table, filter.condition);
        Statement::new(sql, filter.params)
    }

    /// All matching documents in the given order (the text of an `ORDER BY`).
    pub async fn list<T: DeserializeOwned>(
        &self,
        db: &Db,
        filter: Filter,
        order: &str,
    ) -> Result<Vec<Document<T>>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM {} WHERE {} ORDER BY {order}", self.table, filter.condition);
        db.read(sql, filter.params).await?.rows.iter().map(Document::from_row).collect()
    }

    /// One page of the matching documents, counted and read in one round trip.
    pub async fn page<T: DeserializeOwned>(
        &self,
        db: &Db,
        filter: Filter,
        order: &str,
        request: PageRequest,
    ) -> Result<Page<Document<T>>, DbError> {
        let Self { table } = self;
        let Filter { condition, mut params } = filter;
        let count = format!("SELECT count(*) AS n FROM {table} WHERE {condition}");
        let (limit, offset) = (params.len() + 1, params.len() + 2);
        // The plus sign: SQLite plans a statement anew for each value of a bare parameter behind LIMIT.
        let select = format!(
            "SELECT {COLUMNS} FROM {table} WHERE {condition} ORDER BY {order} LIMIT +?{limit} OFFSET ?{offset}"
        );
        let counting = Statement::new(count, params.clone());
        params.extend(params![request.limit, request.offset()]);
        let answers = db.read_many(vec![counting, Statement::new(select, params)]).await?;
        let total = answers[0].first().map_or(Ok(0), |row| row.get("n"))?;
        let data = answers[1].rows.iter().map(Document::from_row).collect::<Result<_, _>>()?;
        Ok(Page::new(data, total, request))
    }

    /// Inserts a document.
    pub fn insert(&self, id: &str, data: &impl Serialize, now: Timestamp) -> Statement {
        let sql = format!("INSERT INTO {} (id, data, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)", self.table);
        Statement::new(sql, params![id, to_json(data), now])
    }

    /// Replaces a document that is still at `revision`; fails with [`DbError::Guard`] otherwise.
    pub fn replace(&self, id: &str, data: &impl Serialize, revision: i64, now: Timestamp) -> Statement {
        let sql = format!(
            "UPDATE {} SET data = ?2, revision = revision + 1, updated_at = ?4 WHERE id = ?1 AND revision = ?3",
            self.table
        );
        Statement::new(sql, params![id, to_json(data), revision, now]).expecting_one()
    }

    /// Deletes a document; the answer's `affected` tells whether it was there.
    pub fn delete(&self, id: &str) -> Statement {
        Statement::new(format!("DELETE FROM {} WHERE id = ?1", self.table), params![id])
    }
}

/// The text of an `ORDER BY`: the id breaks ties, except among names, which are unique.
pub(crate) fn ordering(column: &'static str, direction: Direction) -> String {
    let direction = direction.sql();
    match column {
        "name" => format!("name {direction}"),
        _ => format!("{column} {direction}, id {direction}"),
    }
}

/// A document as stored text.
pub fn to_json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("documents have text keys and no failing members")
}

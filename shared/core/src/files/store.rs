//! All SQL of files.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::{File, FileContent};
use crate::{
    db::{Db, DbError, Row, Statement},
    documents::{COLUMNS, Collection, Document, Filter},
    instant::Timestamp,
    pagination::{Direction, Page, PageRequest},
    params,
};

const FILES: Collection = Collection::new("files");

/// Which files a list shows; members combine with AND.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFilter {
    /// The id itself, or a part of name, original name or description; empty for all.
    pub search: String,
    /// Exactly this MIME type.
    pub mime_type: Option<String>,
}

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileOrder {
    /// By display name, code point by code point.
    Name,
    /// By name at upload.
    OriginalName,
    /// By size.
    Size,
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
}

/// A file with its content as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFile {
    /// What is stored about it.
    pub file: Document<File>,
    /// The content.
    pub base64: String,
}

/// What drop-downs show of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChoice {
    /// Its id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Name at upload.
    pub original_name: String,
    /// MIME type.
    pub mime_type: String,
    /// Bytes of content.
    pub size: u64,
    /// Labels.
    pub tags: Option<Vec<String>>,
}

/// Asks whether a file with this id exists: a row says yes.
pub(crate) fn exists_query(id: &str) -> Statement {
    Statement::new("SELECT 1 AS one FROM files WHERE id = ?1", params![id])
}

/// The file with its content.
pub async fn find(db: &Db, id: &str) -> Result<Option<StoredFile>, DbError> {
    let sql = format!("SELECT {COLUMNS}, base64 FROM files JOIN file_contents ON file_id = id WHERE id = ?1");
    let rows = db.read(sql, params![id]).await?;
    let stored = |row: &Row| Ok(StoredFile { file: Document::from_row(row)?, base64: row.get("base64")? });
    rows.first().map(stored).transpose()
}

/// The file with its decoded content.
pub async fn find_content(db: &Db, id: &str) -> Result<Option<FileContent>, DbError> {
    let Some(StoredFile { file, base64 }) = find(db, id).await? else {
        return Ok(None);
    };
    let bytes = BASE64.decode(base64).map_err(|_| DbError::Column("base64"))?;
    Ok(Some(FileContent { original_name: file.data.original_name, mime_type: file.data.mime_type, bytes }))
}

/// One page of the matching files, without their content.
pub async fn list(
    db: &Db,
    filter: &FileFilter,
    order: FileOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<Document<File>>, DbError> {
    let column = match order {
        FileOrder::Name => "name",
        FileOrder::OriginalName => "original_name",
        FileOrder::Size => "size",
        FileOrder::Created => "created_at",
        FileOrder::Updated => "updated_at",
    };
    let direction = direction.sql();
    FILES.page(db, matching(filter), &format!("{column} {direction}, id {direction}"), page).await
}

fn matching(filter: &FileFilter) -> Filter {
    let search = filter.search.as_str();
    match (search, filter.mime_type.as_deref()) {
        ("", None) => Filter { condition: "true", params: params![] },
        ("", Some(mime_type)) => Filter { condition: "mime_type = ?1", params: params![mime_type] },
        (_, None) => Filter {
            condition: "(id = ?1 OR instr(lower(name), lower(?1)) > 0 OR instr(lower(original_name), lower(?1)) > 0
                OR instr(lower(description), lower(?1)) > 0)",
            params: params![search],
        },
        (_, Some(mime_type)) => Filter {
            condition: "mime_type = ?2 AND (id = ?1 OR instr(lower(name), lower(?1)) > 0
                OR instr(lower(original_name), lower(?1)) > 0 OR instr(lower(description), lower(?1)) > 0)",
            params: params![search, mime_type],
        },
    }
}

/// All files whose name contains `pattern`, newest first, without their content.
pub async fn search_by_name(db: &Db, pattern: &str) -> Result<Vec<Document<File>>, DbError> {
    let filter = Filter { condition: "instr(lower(name), lower(?1)) > 0", params: params![pattern] };
    FILES.list(db, filter, "created_at DESC, id DESC").await
}

/// All files for drop-downs, sorted by their names in lower case.
pub async fn list_choices(db: &Db) -> Result<Vec<FileChoice>, DbError> {
    let sql = "SELECT id, name, original_name, mime_type, size,
            COALESCE(json_extract(data, '$.tags'), 'null') AS tags FROM files ORDER BY name, id";
    let choice = |row: &Row| {
        Ok(FileChoice {
            id: row.get("id")?,
            name: row.get("name")?,
            original_name: row.get("original_name")?,
            mime_type: row.get("mime_type")?,
            size: row.get("size")?,
            tags: row.json("tags")?,
        })
    };
    let rows = db.read(sql, params![]).await?.rows;
    let mut choices = rows.iter().map(choice).collect::<Result<Vec<_>, DbError>>()?;
    // SQL folds ASCII letters only.
    choices.sort_by_cached_key(|choice| choice.name.to_lowercase());
    Ok(choices)
}

pub(super) fn insert(id: &str, file: &File, base64: &str, now: Timestamp) -> Vec<Statement> {
    let content = Statement::new("INSERT INTO file_contents (file_id, base64) VALUES (?1, ?2)", params![id, base64]);
    vec![FILES.insert(id, file, now), content]
}

/// Deletes a file with its content.
pub(super) fn delete(id: &str) -> Vec<Statement> {
    let content = Statement::new("DELETE FROM file_contents WHERE file_id = ?1", params![id]);
    vec![content, FILES.delete(id).expecting_one()]
}

//! Uploaded files (contract 14). Content stands in a table of its own, which no list touches.

mod store;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

pub(crate) use store::exists_query;
pub use store::{
    FileChoice, FileFilter, FileOrder, StoredFile, find, find_content, list, list_choices, search_by_name,
};

use crate::{
    audit::{self, Action},
    db::{Db, DbError},
    documents::Document,
    ids,
    instant::Timestamp,
};

/// What is stored about a file beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Display name.
    pub name: String,
    /// Name at upload.
    pub original_name: String,
    /// MIME type.
    pub mime_type: String,
    /// Bytes of content, counted (defect F-02).
    pub size: u64,
    /// Id of the uploading account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded_by: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// A file to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Display name; need not be unique.
    pub name: String,
    /// Name at upload.
    pub original_name: String,
    /// MIME type.
    pub mime_type: String,
    /// The content.
    pub base64: String,
    /// Id of the uploading account.
    pub uploaded_by: String,
    /// What it is.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
}

/// A file with its content, as a provider gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// Name at upload.
    pub original_name: String,
    /// MIME type as stored.
    pub mime_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Why an operation on files was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No file with this id.
    #[error("there is no such file")]
    NotFound,
    /// The content is not base64.
    #[error("must be base64 with padding, without line breaks or a data-URL prefix")]
    NotBase64,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Whether `text` is base64 as files are stored: the standard alphabet, padded, nothing around it.
pub fn is_base64(text: &str) -> bool {
    BASE64.decode(text).is_ok()
}

/// Stores a file and its content.
pub async fn create(db: &Db, new: NewFile, now: Timestamp) -> Result<StoredFile, FileError> {
    let bytes = BASE64.decode(&new.base64).map_err(|_| FileError::NotBase64)?;
    let data = File {
        name: new.name,
        original_name: new.original_name,
        mime_type: new.mime_type,
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        uploaded_by: Some(new.uploaded_by),
        description: new.description,
        tags: new.tags,
    };
    drop(bytes);
    let id = ids::new_id();
    let view = audit::View::new()
        .keep("size", data.size)
        .label("mimeType", &data.mime_type)
        .withhold("name", &data.name)
        .withhold("originalName", &data.original_name)
        .withhold("description", &data.description)
        .withhold("tags", &data.tags);
    let mut writes = store::insert(&id, &data, &new.base64, now);
    writes.push(audit::entry(Action::FileCreated).on(&id).after(view).record());
    db.write(writes).await?;
    let file = Document { id, data, revision: 0, created_at: now, updated_at: now };
    Ok(StoredFile { file, base64: new.base64 })
}

/// Deletes a file with its content, whoever needs it.
pub async fn delete(db: &Db, id: &str) -> Result<(), FileError> {
    let mut writes = store::delete(id);
    writes.push(audit::entry(Action::FileDeleted).on(id).record());
    match db.write(writes).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => Err(FileError::NotFound),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;

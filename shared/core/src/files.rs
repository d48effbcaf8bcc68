//! Uploaded files (contract 14): what executions need of them. Content stands in a table of its own.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::{
    db::{Db, DbError},
    params,
};

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

/// Whether a file with this id exists.
pub async fn exists(db: &Db, id: &str) -> Result<bool, DbError> {
    Ok(db.read("SELECT 1 AS one FROM files WHERE id = ?1", params![id]).await?.first().is_some())
}

/// The file with its decoded content.
pub async fn find_content(db: &Db, id: &str) -> Result<Option<FileContent>, DbError> {
    let sql = "SELECT json_extract(f.data, '$.originalName') AS original_name,
            json_extract(f.data, '$.mimeType') AS mime_type, c.base64
        FROM files f JOIN file_contents c ON c.file_id = f.id WHERE f.id = ?1";
    let rows = db.read(sql, params![id]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let bytes = BASE64.decode(row.get::<String>("base64")?).map_err(|_| DbError::Column("base64"))?;
    Ok(Some(FileContent { original_name: row.get("original_name")?, mime_type: row.get("mime_type")?, bytes }))
}

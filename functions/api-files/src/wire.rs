//! Bodies and queries of `/api/v1/files`.

use serde::{Deserialize, Serialize};
use shared_core::{
    Document, Timestamp,
    files::{File, FileChoice, FileFilter, FileOrder, NewFile, StoredFile},
};
use shared_http::{DirectionParam, RequestBody, RequestQuery};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateFileRequest {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(min_length = 1, max_length = 255)]
    original_name: String,
    /// Type and subtype, and parameters if there are any.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r#"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*( ?; ?[A-Za-z0-9!#$&^_.+-]+=([A-Za-z0-9!#$&^_.+'-]+|"[ !#-\[\]-~]*"))*$"#
    )]
    mime_type: String,
    /// Accepted and overwritten with the counted size.
    #[expect(dead_code, reason = "clients must send it; the size is counted")]
    #[schema(minimum = 0)]
    size: f64,
    /// Base64, without a data-URL prefix.
    #[schema(min_length = 1, format = Byte)]
    data: String,
    /// Accepted and overwritten with the caller's id.
    #[expect(dead_code, reason = "clients may send it; the caller is known")]
    uploaded_by: Option<String>,
    description: Option<String>,
    #[schema(inline)]
    tags: Option<Vec<Tag>>,
}

/// A label.
#[derive(Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 25)]
struct Tag(String);

impl RequestBody for CreateFileRequest {}

impl CreateFileRequest {
    pub(crate) fn into_new(self, uploaded_by: String) -> NewFile {
        NewFile {
            name: self.name,
            original_name: self.original_name,
            mime_type: self.mime_type,
            base64: self.data,
            uploaded_by,
            description: self.description,
            tags: self.tags.map(|tags| tags.into_iter().map(|Tag(tag)| tag).collect()),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListFilesQuery {
    /// 1-based.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Exact id, or substring of name, original name or description; ASCII letters match in either case.
    search: Option<String>,
    /// Exact match.
    mime_type: Option<String>,
    /// Sort key.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_by: OrderBy,
    /// Sort direction.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_direction: DirectionParam,
}

impl RequestQuery for ListFilesQuery {}

impl ListFilesQuery {
    pub(crate) fn filter(&self) -> FileFilter {
        FileFilter { search: self.search.clone().unwrap_or_default(), mime_type: self.mime_type.clone() }
    }
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
pub(crate) enum OrderBy {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "originalName")]
    OriginalName,
    #[serde(rename = "size")]
    Size,
    #[default]
    #[serde(rename = "created_at")]
    Created,
    #[serde(rename = "updated_at")]
    Updated,
}

impl From<OrderBy> for FileOrder {
    fn from(order: OrderBy) -> Self {
        match order {
            OrderBy::Name => Self::Name,
            OrderBy::OriginalName => Self::OriginalName,
            OrderBy::Size => Self::Size,
            OrderBy::Created => Self::Created,
            OrderBy::Updated => Self::Updated,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PatternPath {
    /// Percent-encoded text.
    #[param(min_length = 1)]
    pub(crate) pattern: String,
}

/// A file; `data` is empty in lists.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = File)]
pub(crate) struct FileResponse {
    id: String,
    name: String,
    original_name: String,
    mime_type: String,
    /// Bytes of content.
    #[schema(value_type = f64)]
    size: u64,
    /// Base64 content; an empty string in lists.
    data: String,
    /// Id of the uploading user.
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(rename = "created_at")]
    created_at: Timestamp,
    #[serde(rename = "updated_at")]
    updated_at: Timestamp,
}

impl FileResponse {
    fn new(found: Document<File>, data: String) -> Self {
        let file = found.data;
        Self {
            id: found.id,
            name: file.name,
            original_name: file.original_name,
            mime_type: file.mime_type,
            size: file.size,
            data,
            uploaded_by: file.uploaded_by,
            description: file.description,
            tags: file.tags,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }

    /// As lists show it: the frontend needs `data` to be a string (defect F-01).
    pub(crate) fn without_content(found: Document<File>) -> Self {
        Self::new(found, String::new())
    }
}

impl From<StoredFile> for FileResponse {
    fn from(stored: StoredFile) -> Self {
        Self::new(stored.file, stored.base64)
    }
}

/// The decoded bytes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the schema of a download")]
#[schema(value_type = String, content_encoding = "binary")]
pub(crate) struct FileBytes(Vec<u8>);

#[derive(Serialize, ToSchema)]
pub(crate) struct FileSelectList {
    /// Sorted by lower-cased name, ascending.
    #[schema(inline)]
    pub(crate) items: Vec<FileChoiceResponse>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileChoice)]
pub(crate) struct FileChoiceResponse {
    id: String,
    name: String,
    original_name: String,
    mime_type: String,
    #[schema(value_type = f64)]
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
}

impl From<FileChoice> for FileChoiceResponse {
    fn from(choice: FileChoice) -> Self {
        Self {
            id: choice.id,
            name: choice.name,
            original_name: choice.original_name,
            mime_type: choice.mime_type,
            size: choice.size,
            tags: choice.tags,
        }
    }
}

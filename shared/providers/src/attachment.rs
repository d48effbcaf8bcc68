//! Files that go with a question.

use std::fmt;

/// A file that goes with a question.
#[derive(Clone)]
pub struct Attachment {
    /// The name that the user gave it.
    pub file_name: String,
    /// What it is, for example `application/pdf`; parameters such as a charset may follow.
    pub mime_type: String,
    /// Its content, decoded.
    pub data: Vec<u8>,
}

impl Attachment {
    /// The MIME type alone: in lower case, without parameters.
    pub(crate) fn essence(&self) -> String {
        self.mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("file_name", &self.file_name)
            .field("mime_type", &self.mime_type)
            .field("size_bytes", &self.data.len())
            .finish()
    }
}

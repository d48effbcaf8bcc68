//! Files that go with a question.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::ProviderError;

/// Types beside `text/...` whose content is text.
const TEXTS: [&str; 10] = [
    "application/csv",
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/sql",
    "application/toml",
    "application/x-ndjson",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

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

/// What a file is, as far as vendors tell files apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileKind<'a> {
    /// An image of this MIME type.
    Image(String),
    /// A PDF document.
    Pdf,
    /// Text of this MIME type.
    Text { mime: String, text: &'a str },
    /// Something else, of this MIME type.
    Other(String),
}

impl Attachment {
    /// What the file is by its MIME type.
    ///
    /// # Errors
    /// When it calls itself text and is not UTF-8.
    pub(crate) fn kind(&self) -> Result<FileKind<'_>, ProviderError> {
        let mime = self.essence();
        if mime == "application/pdf" {
            return Ok(FileKind::Pdf);
        }
        if is_text(&mime) {
            let name = &self.file_name;
            let not_text = || ProviderError::vendor(format!("the file \"{name}\" ({mime}) is not UTF-8 text"));
            return Ok(FileKind::Text { text: str::from_utf8(&self.data).map_err(|_| not_text())?, mime });
        }
        Ok(if mime.starts_with("image/") { FileKind::Image(mime) } else { FileKind::Other(mime) })
    }

    /// The MIME type alone: in lower case, without parameters, by its registered name.
    fn essence(&self) -> String {
        match self.mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase() {
            alias if alias == "image/jpg" => "image/jpeg".to_owned(),
            mime => mime,
        }
    }

    /// The content in base64.
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.data)
    }

    /// The content as a `data:` URL.
    pub(crate) fn data_url(&self, mime: &str) -> String {
        format!("data:{mime};base64,{}", self.base64())
    }

    /// The text of the file with its name, for vendors that take text only as part of what the user says.
    pub(crate) fn quoted(&self, text: &str) -> String {
        format!("<file name=\"{}\">\n{text}\n</file>", self.file_name.replace(['"', '\n', '\r'], "'"))
    }

    /// The vendor takes `kinds`, and this file is something else.
    pub(crate) fn not_taken(&self, vendor: &str, kinds: &str, mime: &str) -> ProviderError {
        let name = &self.file_name;
        ProviderError::vendor(format!("{vendor} takes {kinds}; the file \"{name}\" is of type {mime}"))
    }
}

fn is_text(mime: &str) -> bool {
    let is_structured_text = mime.ends_with("+json") || mime.ends_with("+yaml") || mime.ends_with("+xml");
    let is_image = mime.starts_with("image/");
    mime.starts_with("text/") || TEXTS.contains(&mime) || (is_structured_text && !is_image)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mime_type: &str, data: &[u8]) -> Attachment {
        Attachment { file_name: "f".to_owned(), mime_type: mime_type.to_owned(), data: data.to_vec() }
    }

    #[test]
    fn a_file_is_what_its_mime_type_says() {
        assert_eq!(file("IMAGE/JPG; q=1", &[1]).kind().unwrap(), FileKind::Image("image/jpeg".into()));
        assert_eq!(file("image/svg+xml", b"<svg/>").kind().unwrap(), FileKind::Image("image/svg+xml".into()));
        assert_eq!(file(" application/pdf ", b"%PDF").kind().unwrap(), FileKind::Pdf);
        for mime in ["text/plain", "text/csv", "application/json", "application/ld+json"] {
            let with_charset = file(&format!("{mime}; charset=utf-8"), "grün".as_bytes());
            assert_eq!(with_charset.kind().unwrap(), FileKind::Text { mime: mime.into(), text: "grün" });
        }
        for mime in ["application/zip", "audio/mpeg", ""] {
            assert_eq!(file(mime, b"x").kind().unwrap(), FileKind::Other(mime.into()));
        }
    }

    #[test]
    fn text_must_be_utf_8() {
        let error = file("text/plain", &[0xff]).kind().unwrap_err().to_string();
        assert_eq!(error, "ProviderError: the file \"f\" (text/plain) is not UTF-8 text");
    }

    #[test]
    fn a_name_cannot_break_out_of_its_quotes() {
        let odd = Attachment { file_name: "a\"b\nc".into(), ..file("text/plain", b"x") };
        assert_eq!(odd.quoted("x"), "<file name=\"a'b'c\">\nx\n</file>");
    }
}

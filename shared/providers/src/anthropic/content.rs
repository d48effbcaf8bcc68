//! What the user says to Anthropic: text and files (guides "Vision" and "PDF support"; API reference, "Create a
//! Message", document and image blocks).

use super::wire::{Content, InputBlock, Source};
use crate::{Attachment, ProviderError, attachment::FileKind};

/// The image types that the vendor takes.
const IMAGES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// The question alone, or as the first block with a block per file after it. Files go along whether the question is
/// the user's or a compiled template (defect V-05).
pub(super) fn build(question: &str, files: &[Attachment]) -> Result<Content, ProviderError> {
    if files.is_empty() {
        return Ok(Content::Text(question.to_owned()));
    }
    let mut blocks = Vec::with_capacity(files.len() + 1);
    blocks.push(InputBlock::Text { text: question.to_owned() });
    for file in files {
        blocks.push(block(file)?);
    }
    Ok(Content::Blocks(blocks))
}

/// An image, a PDF or a text, each in the form that the vendor takes (defect V-06).
fn block(file: &Attachment) -> Result<InputBlock, ProviderError> {
    let base64 = |media_type| Source::Base64 { media_type, data: file.base64() };
    match file.kind()? {
        FileKind::Image(mime) if IMAGES.contains(&mime.as_str()) => Ok(InputBlock::Image { source: base64(mime) }),
        FileKind::Pdf => Ok(InputBlock::Document { source: base64("application/pdf".to_owned()) }),
        FileKind::Text { text, .. } => {
            Ok(InputBlock::Document { source: Source::Text { media_type: "text/plain", data: text.to_owned() } })
        }
        FileKind::Image(mime) | FileKind::Other(mime) => {
            Err(file.not_taken("Anthropic", "images (GIF, JPEG, PNG, WebP), PDF and text", &mime))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn file(mime_type: &str, data: &[u8]) -> Attachment {
        Attachment { file_name: "f".to_owned(), mime_type: mime_type.to_owned(), data: data.to_vec() }
    }

    fn sent(mime_type: &str, data: &[u8]) -> Value {
        let content = build("Q", &[file(mime_type, data)]).unwrap();
        serde_json::to_value(content).unwrap()[1].clone()
    }

    #[test]
    fn every_type_gets_its_form() {
        let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQI="}});
        assert_eq!(sent("image/png", &[1, 2]), image);
        assert_eq!(sent("IMAGE/JPG; q=1", &[1])["source"]["media_type"], "image/jpeg");
        let pdf = json!({
            "type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
        });
        assert_eq!(sent("application/pdf", b"%PDF-"), pdf);
        let text = json!({
            "type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "grün"}
        });
        for mime in ["text/plain; charset=utf-8", "text/csv", "application/json", "application/ld+json"] {
            assert_eq!(sent(mime, "grün".as_bytes()), text, "{mime}");
        }
    }

    #[test]
    fn other_types_are_refused_by_name() {
        for mime in ["image/svg+xml", "image/tiff", "application/zip", "audio/mpeg", ""] {
            let error = build("Q", &[file(mime, b"x")]).err().unwrap().to_string();
            assert!(error.starts_with("ProviderError: Anthropic takes") && error.contains("\"f\""), "{error}");
        }
        let error = build("Q", &[file("text/plain", &[0xff])]).err().unwrap().to_string();
        assert_eq!(error, "ProviderError: the file \"f\" (text/plain) is not UTF-8 text");
    }
}

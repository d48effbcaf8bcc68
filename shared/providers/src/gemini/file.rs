//! Files as Gemini takes them (guides "Image understanding", "Document understanding" and "File input methods").

use super::wire::{Blob, Part};
use crate::{Attachment, ProviderError, attachment::FileKind};

/// The image types that the vendor takes.
const IMAGES: [&str; 5] = ["image/heic", "image/heif", "image/jpeg", "image/png", "image/webp"];

/// The text types that the vendor knows by name; other text goes as plain text.
const TEXTS: [&str; 8] = [
    "application/json",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/markdown",
    "text/plain",
    "text/xml",
];

/// A file as a part of what the user says; a type that the vendor does not take is refused by name (defect V-08).
pub(super) fn part(file: &Attachment) -> Result<Part, ProviderError> {
    let mime_type = match file.kind()? {
        FileKind::Image(mime) if IMAGES.contains(&mime.as_str()) => mime,
        FileKind::Pdf => "application/pdf".to_owned(),
        FileKind::Text { mime, .. } if TEXTS.contains(&mime.as_str()) => mime,
        FileKind::Text { .. } => "text/plain".to_owned(),
        FileKind::Image(mime) | FileKind::Other(mime) => {
            return Err(file.not_taken("Gemini", "images (HEIC, HEIF, JPEG, PNG, WebP), PDF and text", &mime));
        }
    };
    Ok(Part::InlineData(Blob { mime_type, data: file.base64() }))
}

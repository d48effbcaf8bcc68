//! What the user says to OpenAI: text and files (guides "Images and vision" and "File inputs").

use super::wire::{Input, InputPart, UserMessage};
use crate::{Attachment, ProviderError, attachment::FileKind};

/// The image types that the vendor takes.
const IMAGES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// The question alone, or as the first part with a part per file after it.
pub(super) fn build(question: &str, files: &[Attachment]) -> Result<Input, ProviderError> {
    if files.is_empty() {
        return Ok(Input::Text(question.to_owned()));
    }
    let mut content = Vec::with_capacity(files.len() + 1);
    content.push(InputPart::Text { text: question.to_owned() });
    for file in files {
        content.push(part(file)?);
    }
    Ok(Input::Messages([UserMessage { role: "user", content }]))
}

/// An image, a PDF or a text. Text goes as what the user says, so that every model reads it, and all of it: of tables
/// the vendor would otherwise show the model a part.
fn part(file: &Attachment) -> Result<InputPart, ProviderError> {
    match file.kind()? {
        FileKind::Image(mime) if IMAGES.contains(&mime.as_str()) => {
            Ok(InputPart::Image { detail: "auto", image_url: file.data_url(&mime) })
        }
        FileKind::Pdf => {
            let (filename, file_data) = (file.file_name.clone(), file.data_url("application/pdf"));
            Ok(InputPart::File { filename, file_data })
        }
        FileKind::Text { text, .. } => Ok(InputPart::Text { text: file.quoted(text) }),
        FileKind::Image(mime) | FileKind::Other(mime) => {
            Err(file.not_taken("OpenAI", "images (GIF, JPEG, PNG, WebP), PDF and text", &mime))
        }
    }
}

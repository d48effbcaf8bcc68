//! Prompts for those who hand them on or look at a few members only: what nobody looks into stays the text that was stored.
//! Reading a page of prompts into values and writing it out again took most of the time of a request.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::Prompt;
use crate::instant::Timestamp;

/// A stored [`Prompt`], each member as JSON text.
#[derive(Debug, Clone, Deserialize)]
pub struct PromptText {
    /// Text of a string.
    pub name: Box<RawValue>,
    /// Text of a string.
    pub prompt: Box<RawValue>,
    /// Text of an object, if there is a schema.
    pub json_schema_response: Option<Box<RawValue>>,
    /// Text of an object, if there is a schema.
    pub json_schema_input: Option<Box<RawValue>>,
    /// Number of the newest version.
    pub current_version: u32,
    /// Text of [`PromptOptions`](super::PromptOptions), if there are any.
    pub options: Option<Box<RawValue>>,
    /// Text of an array of [`PromptVersion`](super::PromptVersion)s, oldest first.
    pub versions: Box<RawValue>,
}

impl From<&Prompt> for PromptText {
    fn from(prompt: &Prompt) -> Self {
        Self {
            name: text(&prompt.name),
            prompt: text(&prompt.prompt),
            json_schema_response: prompt.json_schema_response.as_ref().map(text),
            json_schema_input: prompt.json_schema_input.as_ref().map(text),
            current_version: prompt.current_version,
            options: prompt.options.as_ref().map(text),
            versions: text(&prompt.versions),
        }
    }
}

fn text(member: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(member).expect("prompts have text keys and no failing members")
}

/// A prompt as a drop-down shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PromptOutline {
    /// Its name.
    pub name: String,
    /// All versions, oldest first.
    pub versions: Vec<VersionOutline>,
}

/// A version as a drop-down shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VersionOutline {
    /// 1-based number.
    pub version: u32,
    /// Name at that time.
    pub name: String,
    /// When this version was made.
    pub created_at: Timestamp,
}

//! What an edit makes of a prompt (contract 6.2 and 6.3, decision P-01). Pure.

use serde_json::Value;

use super::{Prompt, PromptOptions, PromptVersion};
use crate::{instant::Timestamp, schemas::harden};

/// A prompt to be created.
#[derive(Debug, Clone)]
pub struct NewPrompt {
    /// Name, 1 to 255 characters.
    pub name: String,
    /// Mustache template.
    pub prompt: String,
    /// Schema of answers.
    pub json_schema_response: Option<Value>,
    /// Schema of input.
    pub json_schema_input: Option<Value>,
    /// What runs ask for.
    pub options: Option<PromptOptions>,
}

/// Members of an update; all optional.
#[derive(Debug, Clone, Default)]
pub struct PromptEdit {
    /// New name.
    pub name: Option<String>,
    /// New template. An edit that carries one replaces both schemas: an absent schema is then removed.
    pub prompt: Option<String>,
    /// New schema of answers.
    pub json_schema_response: Option<Value>,
    /// New schema of input.
    pub json_schema_input: Option<Value>,
    /// New options, as a whole.
    pub options: Option<PromptOptions>,
}

impl NewPrompt {
    pub(super) fn into_prompt(self, now: Timestamp) -> Prompt {
        let first = PromptVersion {
            version: 1,
            name: self.name,
            prompt: self.prompt,
            json_schema_response: self.json_schema_response.map(hardened),
            json_schema_input: self.json_schema_input.map(hardened),
            options: self.options,
            created_at: now,
        };
        Prompt::showing(first.clone(), vec![first])
    }
}

impl Prompt {
    /// A prompt whose top level mirrors `current`.
    fn showing(current: PromptVersion, versions: Vec<PromptVersion>) -> Self {
        Self {
            name: current.name,
            prompt: current.prompt,
            json_schema_response: current.json_schema_response,
            json_schema_input: current.json_schema_input,
            current_version: current.version,
            options: current.options,
            versions,
        }
    }

    /// This prompt after an edit: with one version more when the content differs, else as it is.
    pub(super) fn edited(&self, edit: &PromptEdit, now: Timestamp) -> Self {
        let replaces_schemas = edit.prompt.is_some();
        let schema = |given: &Option<Value>, current: &Option<Value>| match given {
            Some(schema) => Some(hardened(schema.clone())),
            None if replaces_schemas => None,
            None => current.clone(),
        };
        let next = PromptVersion {
            version: self.current_version + 1,
            name: edit.name.clone().unwrap_or_else(|| self.name.clone()),
            prompt: edit.prompt.clone().unwrap_or_else(|| self.prompt.clone()),
            json_schema_response: schema(&edit.json_schema_response, &self.json_schema_response),
            json_schema_input: schema(&edit.json_schema_input, &self.json_schema_input),
            options: edit.options.clone().or_else(|| self.options.clone()),
            created_at: now,
        };
        if self.shows_content_of(&next) {
            return self.clone();
        }
        let mut versions = self.versions.clone();
        versions.push(next.clone());
        Self::showing(next, versions)
    }

    fn shows_content_of(&self, version: &PromptVersion) -> bool {
        self.name == version.name
            && self.prompt == version.prompt
            && self.json_schema_response == version.json_schema_response
            && self.json_schema_input == version.json_schema_input
            && self.options == version.options
    }
}

fn hardened(mut schema: Value) -> Value {
    harden(&mut schema);
    schema
}

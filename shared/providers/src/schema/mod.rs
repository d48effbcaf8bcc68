//! JSON Schemas on their way to a vendor: put into a vendor's own subset, or into words.
//!
//! No vendor takes all of JSON Schema. What only narrows a value may go, since the caller checks the answer against the
//! schema as written; what shapes a value must stay, or the schema goes as words instead. OpenAI's strict mode, which
//! also rewrites optional members, is `openai/strict_schema.rs`.

#[cfg(test)]
pub(crate) mod generated;
pub(crate) mod instructions;
pub(crate) mod merge;
pub(crate) mod references;
pub(crate) mod subset;
pub(crate) mod types;

use serde_json::{Map, Value};

/// Keywords that say something about a schema without narrowing values.
pub(crate) const ANNOTATIONS: [&str; 12] = [
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// A new schema with the title and description of another.
pub(crate) fn annotated(schema: &Map<String, Value>) -> Map<String, Value> {
    let text =
        |keyword: &&str| Some(((*keyword).to_owned(), schema.get(*keyword).filter(|text| text.is_string())?.clone()));
    ["title", "description"].iter().filter_map(text).collect()
}

/// Whether the schema says, by a type of its own or of what it refers to, that the answer is no object. JSON modes that
/// know only objects are of no use then.
pub(crate) fn excludes_objects(schema: &Value) -> bool {
    let Some(root) = references::resolved(schema) else { return false };
    types::types(root).is_some_and(|types| !types.iter().any(|name| name == "object"))
}

//! References inside a schema: `#/$defs/name` and `#/definitions/name`.

use serde_json::{Map, Value};

/// How many references a root may go through.
const MAX_ROOT_REFERENCES: usize = 8;

/// What `#/$defs/name` or `#/definitions/name` refers to.
pub(crate) fn definition<'a>(root: &'a Map<String, Value>, reference: &str) -> Option<&'a Value> {
    let (container, name) = split(reference)?;
    root.get(container)?.get(name)
}

/// Container and name of a reference.
pub(crate) fn split(reference: &str) -> Option<(&str, &str)> {
    let (container, name) = reference.strip_prefix("#/")?.split_once('/')?;
    (matches!(container, "$defs" | "definitions") && !name.contains('/')).then_some((container, name))
}

/// The schema itself, or what it refers to when it is only a reference; `None` when that leads nowhere.
pub(crate) fn resolved(schema: &Value) -> Option<&Map<String, Value>> {
    let root = schema.as_object()?;
    let mut present = root;
    for _ in 0..MAX_ROOT_REFERENCES {
        let Some(reference) = present.get("$ref").and_then(Value::as_str) else { return Some(present) };
        present = definition(root, reference)?.as_object()?;
    }
    None
}

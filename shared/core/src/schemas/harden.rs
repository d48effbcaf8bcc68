//! Closes object schemas that do not say whether they are open.

use serde_json::{Map, Value};

/// Adds `"additionalProperties": false` to every object schema that has no such member.
///
/// Only schemas are changed: literal data under `default`, `const`, `enum` and `examples` stays as it is.
pub fn harden(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    for (keyword, value) in members.iter_mut() {
        match keyword.as_str() {
            "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties" | "properties" => {
                if let Value::Object(named) = value {
                    named.values_mut().for_each(harden);
                }
            }
            "additionalItems"
            | "additionalProperties"
            | "allOf"
            | "anyOf"
            | "contains"
            | "contentSchema"
            | "else"
            | "if"
            | "items"
            | "not"
            | "oneOf"
            | "prefixItems"
            | "propertyNames"
            | "then"
            | "unevaluatedItems"
            | "unevaluatedProperties" => match value {
                Value::Array(listed) => listed.iter_mut().for_each(harden),
                single => harden(single),
            },
            _ => {}
        }
    }
    if describes_object(members) && !members.contains_key("additionalProperties") {
        members.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

fn describes_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => false,
    }
}

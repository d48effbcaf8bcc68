//! The types that a schema allows.

use serde_json::{Map, Value};

/// The types that a schema allows: as written, or as its other keywords tell. `None` when it allows anything.
pub(crate) fn types(schema: &Map<String, Value>) -> Option<Vec<String>> {
    let mut types: Vec<String> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        Some(_) => return None,
        None => match (schema.get("const"), schema.get("enum")) {
            (Some(value), _) => vec![type_of(value)?.to_owned()],
            (None, Some(Value::Array(values))) => {
                values.iter().map(|value| type_of(value).map(str::to_owned)).collect::<Option<_>>()?
            }
            _ if schema.contains_key("properties") => vec!["object".to_owned()],
            _ if schema.contains_key("items") => vec!["array".to_owned()],
            _ => return None,
        },
    };
    let mut seen = Vec::new();
    types.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    (!types.is_empty()).then_some(types)
}

/// The type of a scalar; enumerated lists and objects cannot be expressed.
pub(crate) fn type_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => Some("null"),
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) if number.is_f64() => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::String(_) => Some("string"),
        Value::Array(_) | Value::Object(_) => None,
    }
}

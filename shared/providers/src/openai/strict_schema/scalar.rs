//! Types, enumerations and the keywords that narrow scalars.

use serde_json::{Map, Value, json};

use crate::schema::types::type_of;

/// Formats that strict mode knows (guide "Structured outputs", "Supported properties").
const FORMATS: [&str; 9] = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"];

/// Keywords with a number for strings and for numbers (the same place of the guide).
const STRING_LIMITS: [&str; 2] = ["minLength", "maxLength"];
const NUMBER_LIMITS: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

/// Copies what strict mode knows of a scalar schema; tells how many values it enumerates.
pub(super) fn copy(
    schema: &Map<String, Value>,
    types: &[String],
    is_fine_tuned: bool,
    strict: &mut Map<String, Value>,
) -> Option<usize> {
    let kind = match types {
        [only] => json!(only),
        several => json!(several),
    };
    strict.insert("type".to_owned(), kind);
    if let Some(value) = schema.get("const") {
        type_of(value)?;
        strict.insert("const".to_owned(), value.clone());
        return Some(1);
    }
    if let Some(values) = schema.get("enum") {
        let values =
            values.as_array().filter(|values| !values.is_empty() && values.iter().all(|v| type_of(v).is_some()))?;
        strict.insert("enum".to_owned(), json!(values));
        return Some(values.len());
    }
    if is_fine_tuned {
        return Some(0);
    }
    if types.iter().any(|name| name == "string") {
        copy_numbers(schema, &STRING_LIMITS, strict);
        copy_texts(schema, strict);
    }
    if types.iter().any(|name| name == "number" || name == "integer") {
        copy_numbers(schema, &NUMBER_LIMITS, strict);
    }
    Some(0)
}

/// Copies keywords whose value is a number.
pub(super) fn copy_numbers(schema: &Map<String, Value>, keywords: &[&str], strict: &mut Map<String, Value>) {
    for keyword in keywords {
        if let Some(number) = schema.get(*keyword).filter(|value| value.is_number()) {
            strict.insert((*keyword).to_owned(), number.clone());
        }
    }
}

/// Copies the format if it is known, and the pattern if it looks neither ahead nor back, which strict mode cannot.
fn copy_texts(schema: &Map<String, Value>, strict: &mut Map<String, Value>) {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    if let Some(format) = text("format").filter(|format| FORMATS.contains(format)) {
        strict.insert("format".to_owned(), json!(format));
    }
    let looks_around = |pattern: &&str| ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| pattern.contains(look));
    if let Some(pattern) = text("pattern").filter(|pattern| !looks_around(pattern)) {
        strict.insert("pattern".to_owned(), json!(pattern));
    }
}

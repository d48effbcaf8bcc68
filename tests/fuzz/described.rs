//! Makes values that a schema of the OpenAPI document describes, more or less.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use crate::hostile;

/// A value for the schema; `known` are texts that name something that exists.
pub(crate) fn described(
    u: &mut Unstructured<'_>,
    document: &Value,
    schema: &Value,
    known: &[String],
    depth: u32,
) -> Result<Value> {
    if depth == 0 {
        return Ok(Value::Null);
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        return described(u, document, target, known, depth - 1);
    }
    for union in ["oneOf", "anyOf", "enum"] {
        if let Some(options) = schema[union].as_array().filter(|options| !options.is_empty()) {
            let option = u.choose(options)?;
            return if union == "enum" { Ok(option.clone()) } else { described(u, document, option, known, depth - 1) };
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(members) = described(u, document, part, known, depth - 1)? {
                whole.extend(members);
            }
        }
        return Ok(Value::Object(whole));
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => u.choose(kinds)?.as_str().unwrap_or_default(),
        Value::String(kind) => kind,
        _ => "",
    };
    match kind {
        "object" => object(u, document, schema, known, depth),
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or(0).min(3);
            let items = u.int_in_range(least..=least + 3)?;
            (0..items).map(|_| described(u, document, &schema["items"], known, depth - 1)).collect()
        }
        "string" => text(u, schema, known),
        "integer" | "number" => {
            let least = schema["minimum"].as_i64().unwrap_or(0);
            Ok(if u.ratio(1, 6)? {
                hostile::number(u)?
            } else {
                json!(u.int_in_range(least..=least.saturating_add(20))?)
            })
        }
        "boolean" => Ok(json!(u.arbitrary::<bool>()?)),
        "null" => Ok(Value::Null),
        _ => hostile::any_json(u, 3),
    }
}

fn object(u: &mut Unstructured<'_>, document: &Value, schema: &Value, known: &[String], depth: u32) -> Result<Value> {
    let mut members = Map::new();
    let is_required =
        |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|entry| entry == name));
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        if is_required(name) || u.ratio(1, 2)? {
            members.insert(name.clone(), described(u, document, member, known, depth - 1)?);
        }
    }
    if members.is_empty() {
        for _ in 0..u.int_in_range(0..=2)? {
            members.insert(hostile::text(u)?, hostile::any_json(u, 2)?);
        }
    }
    Ok(Value::Object(members))
}

fn text(u: &mut Unstructured<'_>, schema: &Value, known: &[String]) -> Result<Value> {
    let number = u.int_in_range(0..=9_999)?;
    Ok(match schema["format"].as_str() {
        Some("uuid") => json!(u.choose(known)?),
        Some("email") => json!(format!("fuzz{number}@example.com")),
        Some("date-time") => json!(format!("2026-01-{:02}T00:00:00.000Z", 1 + number % 28)),
        Some("uri") => json!(format!("https://example.com/{number}")),
        Some("byte") => json!("aGVsbG8="),
        _ => match u.int_in_range(0..=3)? {
            0 => json!(u.choose(known)?),
            1 => json!(hostile::text(u)?),
            _ => json!(format!("text-{number}")),
        },
    })
}

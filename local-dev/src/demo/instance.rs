//! An instance of a JSON schema, always the same for the same schema.
//!
//! Understands what prompts use: types and lists of types, `enum`, `const`, bounds of numbers,
//! texts and arrays, common formats, nested objects, `$ref` within the document, and the first
//! branch of `anyOf`, `oneOf` and `allOf`. Patterns are not looked at.

use serde_json::{Map, Value, json};

/// How deep a schema is followed; a recursive one ends in `null` here.
const MAX_DEPTH: u32 = 16;

/// A value that satisfies `schema`.
pub(super) fn satisfying(schema: &Value) -> Value {
    build(schema, schema, "value", MAX_DEPTH)
}

fn build(root: &Value, schema: &Value, name: &str, depth: u32) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(pointer) = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#')) {
        return root.pointer(pointer).map_or(Value::Null, |target| build(root, target, name, depth));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.iter().find(|value| !value.is_null())) {
        return first.clone();
    }
    for branches in ["anyOf", "oneOf"] {
        if let Some(first) = schema[branches].as_array().and_then(|branches| preferred(branches)) {
            return build(root, first, name, depth);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return build(root, &merged(schema, parts), name, depth);
    }
    match kind(schema) {
        "object" => object(root, schema, depth),
        "array" => array(root, schema, name, depth),
        "integer" => integer(schema),
        "number" => number(schema),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!(text(schema, name)),
    }
}

/// The first branch that is not merely `null`.
fn preferred(branches: &[Value]) -> Option<&Value> {
    branches.iter().find(|branch| branch["type"] != "null").or(branches.first())
}

/// One schema out of the parts of `allOf` and what stands beside them.
fn merged(schema: &Value, parts: &[Value]) -> Value {
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    whole.remove("allOf");
    for (name, value) in parts.iter().filter_map(Value::as_object).flatten() {
        match (whole.get_mut(name), value) {
            (Some(Value::Object(before)), Value::Object(more)) => before.extend(more.clone()),
            (Some(Value::Array(before)), Value::Array(more)) => before.extend(more.clone()),
            _ => {
                whole.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(whole)
}

/// The type to produce: of several the first that is not `null`.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            let kinds = || kinds.iter().filter_map(Value::as_str);
            kinds().find(|kind| *kind != "null").or(kinds().next()).unwrap_or("string")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn object(root: &Value, schema: &Value, depth: u32) -> Value {
    let mut object = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        object.insert(name.clone(), build(root, property, name, depth));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            let rest = &schema["additionalProperties"];
            object.insert(name.to_owned(), build(root, rest, name, depth));
        }
    }
    Value::Object(object)
}

fn array(root: &Value, schema: &Value, name: &str, depth: u32) -> Value {
    let fewest = schema["minItems"].as_u64().unwrap_or(1);
    let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
    let count = fewest.max(1).min(most).min(1_000);
    let mut items: Vec<Value> = (0..count).map(|_| build(root, &schema["items"], name, depth)).collect();
    if schema["uniqueItems"] == true {
        let choices = schema["items"]["enum"].as_array();
        for (index, item) in items.iter_mut().enumerate().skip(1) {
            *item = match (choices.and_then(|choices| choices.get(index)), &item) {
                (Some(choice), _) => choice.clone(),
                (None, Value::String(text)) => json!(format!("{text} {index}")),
                (None, Value::Number(number)) => json!(number.as_i64().unwrap_or_default() + index as i64),
                _ => continue,
            };
        }
    }
    Value::Array(items)
}

fn integer(schema: &Value) -> Value {
    let (least, most) = bounds(schema, 1.0);
    let step = schema["multipleOf"].as_f64().filter(|step| *step >= 1.0).unwrap_or(1.0);
    let candidate = (least.unwrap_or(f64::MIN).max(42.0_f64.min(most.unwrap_or(f64::MAX))) / step).ceil() * step;
    let candidate = match most {
        Some(most) if candidate > most => (most / step).floor() * step,
        _ => candidate,
    };
    json!(candidate as i64)
}

fn number(schema: &Value) -> Value {
    if let Some(step) = schema["multipleOf"].as_f64().filter(|step| *step > 0.0) {
        let (least, _) = bounds(schema, step);
        return json!((least.unwrap_or(0.0) / step).ceil() * step);
    }
    let preferred = 0.5;
    json!(match bounds(schema, 0.0) {
        (Some(least), Some(most)) if (least..=most).contains(&preferred) && !is_exclusive(schema, preferred) =>
            preferred,
        (Some(least), Some(most)) => least + (most - least) / 2.0,
        (Some(least), None) if least < preferred => preferred,
        (Some(least), None) => least + 1.0,
        (None, Some(most)) if most > preferred => preferred,
        (None, Some(most)) => most - 1.0,
        (None, None) => preferred,
    })
}

fn is_exclusive(schema: &Value, value: f64) -> bool {
    [&schema["exclusiveMinimum"], &schema["exclusiveMaximum"]].iter().any(|bound| bound.as_f64() == Some(value))
}

/// Lower and upper bound, with exclusive ones moved inwards by `step`.
fn bounds(schema: &Value, step: f64) -> (Option<f64>, Option<f64>) {
    let bound = |inclusive: &str, exclusive: &str, step: f64| {
        let exclusive = schema[exclusive].as_f64().map(|bound| bound + step);
        exclusive.or(schema[inclusive].as_f64())
    };
    (bound("minimum", "exclusiveMinimum", step), bound("maximum", "exclusiveMaximum", -step))
}

fn text(schema: &Value, name: &str) -> String {
    match schema["format"].as_str().unwrap_or_default() {
        "date" => return "2026-01-31".to_owned(),
        "time" => return "09:15:00Z".to_owned(),
        "date-time" => return "2026-01-31T09:15:00Z".to_owned(),
        "email" => return "demo@example.org".to_owned(),
        "uri" | "url" => return "https://example.org/".to_owned(),
        "uuid" => return "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10".to_owned(),
        _ => {}
    }
    let text = format!("demo {name}");
    let length = |name: &str| schema[name].as_u64().and_then(|length| usize::try_from(length).ok());
    let fewest = length("minLength").unwrap_or(0).min(100_000);
    let most = length("maxLength").unwrap_or(usize::MAX);
    let padding = std::iter::repeat_n('.', fewest.saturating_sub(text.chars().count()));
    text.chars().chain(padding).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_gets_a_fitting_value() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["title", "score"],
            "properties": {
                "title": { "type": "string" },
                "score": { "type": "integer", "minimum": 50, "maximum": 60 },
                "share": { "type": "number", "minimum": 0, "maximum": 1 },
                "mood": { "enum": ["glad", "sad"] },
                "note": { "type": ["null", "string"], "maxLength": 6 },
                "tags": { "type": "array", "items": { "type": "string" }, "minItems": 2, "uniqueItems": true },
                "author": { "$ref": "#/$defs/person" },
                "at": { "type": "string", "format": "date-time" },
                "kind": { "const": 7 },
                "maybe": { "anyOf": [{ "type": "null" }, { "type": "boolean" }] },
            },
            "$defs": { "person": { "type": "object", "properties": { "name": { "type": "string", "minLength": 12 } } } },
        });
        assert_eq!(
            satisfying(&schema),
            json!({
                "title": "demo title",
                "score": 50,
                "share": 0.5,
                "mood": "glad",
                "note": "demo n",
                "tags": ["demo tags", "demo tags 1"],
                "author": { "name": "demo name..." },
                "at": "2026-01-31T09:15:00Z",
                "kind": 7,
                "maybe": true,
            })
        );
        assert!(jsonschema::is_valid(&schema, &satisfying(&schema)));
    }

    #[test]
    fn numbers_keep_their_bounds() {
        for (schema, expected) in [
            (json!({ "type": "integer" }), json!(42)),
            (json!({ "type": "integer", "maximum": 5 }), json!(5)),
            (json!({ "type": "integer", "exclusiveMaximum": 5 }), json!(4)),
            (json!({ "type": "integer", "minimum": 100 }), json!(100)),
            (json!({ "type": "integer", "minimum": -9, "maximum": -3 }), json!(-3)),
            (json!({ "type": "integer", "multipleOf": 10, "maximum": 25 }), json!(20)),
            (json!({ "type": "number", "minimum": 2 }), json!(3.0)),
            (json!({ "type": "number", "minimum": 2, "maximum": 3 }), json!(2.5)),
            (json!({ "type": "number", "exclusiveMinimum": 0.5, "maximum": 1 }), json!(0.75)),
        ] {
            assert_eq!(satisfying(&schema), expected, "{schema}");
            assert!(jsonschema::is_valid(&schema, &expected), "{schema}");
        }
    }

    #[test]
    fn recursion_ends() {
        let schema = json!({ "type": "object", "properties": { "next": { "$ref": "#" } } });
        assert!(satisfying(&schema).to_string().ends_with(&format!("null{}", "}".repeat(8))));
    }

    #[test]
    fn all_of_is_merged() {
        let schema = json!({ "allOf": [
            { "type": "object", "properties": { "a": { "type": "boolean" } } },
            { "properties": { "b": { "type": "null" } } },
        ] });
        assert_eq!(satisfying(&schema), json!({ "a": true, "b": null }));
    }
}

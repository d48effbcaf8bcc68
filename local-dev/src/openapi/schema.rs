//! A schema in the one form in which two of them can be compared.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// What says nothing about which values are valid.
const ANNOTATIONS: [&str; 12] = [
    "description",
    "title",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "externalDocs",
    "xml",
    "$comment",
    "contentMediaType",
    "contentEncoding",
];
/// Formats that only choose a number type.
const NUMBER_SIZES: [&str; 4] = ["int32", "int64", "float", "double"];

/// The schema's keywords after following its reference and merging `allOf`, without annotations and without what is
/// the default anyway. `const` becomes `enum`, `integer` becomes `number`; members are not normalised themselves.
pub(super) fn normal(document: &Value, schema: &Value) -> Map<String, Value> {
    let mut keywords = merged(document, schema, 0);
    keywords.retain(|name, _| !ANNOTATIONS.contains(&name.as_str()) && !name.starts_with("x-"));
    if let Some(value) = keywords.remove("const") {
        keywords.insert("enum".into(), json!([value]));
    }
    if let Some(kinds) = keywords.get("type").map(kinds) {
        keywords.insert("type".into(), json!(kinds));
    }
    // The listed values have their types themselves.
    if keywords.contains_key("enum") {
        keywords.remove("type");
    }
    if keywords.get("format").and_then(Value::as_str).is_some_and(|format| NUMBER_SIZES.contains(&format)) {
        keywords.remove("format");
    }
    keywords.retain(|name, value| !is_default(name, value));
    keywords
}

/// The name of the component that a schema refers to and adds nothing to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    let is_alone = schema.as_object()?.keys().all(|name| name == "$ref" || ANNOTATIONS.contains(&name.as_str()));
    target(schema).filter(|_| is_alone)
}

fn target(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// What a reference anywhere in a document leads to; the value itself when it is none.
pub(super) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn merged(document: &Value, schema: &Value, depth: usize) -> Map<String, Value> {
    let Some(members) = schema.as_object() else { return Map::new() };
    let mut whole = members.clone();
    let mut parts = Vec::new();
    if target(schema).is_some() {
        parts.push(resolved(document, schema).clone());
        whole.remove("$ref");
    }
    if let Some(Value::Array(more)) = whole.remove("allOf") {
        parts.extend(more);
    }
    // Nobody nests deeper than this, and a reference to itself would not end.
    if depth < 8 {
        parts.iter().for_each(|part| join(&mut whole, merged(document, part, depth + 1)));
    }
    whole
}

/// Adds the keywords of a part: members and required names are united, anything else is taken when it is new.
fn join(whole: &mut Map<String, Value>, part: Map<String, Value>) {
    for (name, value) in part {
        match (whole.get_mut(&name), value) {
            (Some(Value::Object(members)), Value::Object(more)) if name == "properties" => {
                more.into_iter().for_each(|(member, schema)| {
                    members.entry(member).or_insert(schema);
                });
            }
            (Some(Value::Array(names)), Value::Array(more)) if name == "required" => names.extend(more),
            (Some(_), _) => {}
            (None, value) => {
                whole.insert(name, value);
            }
        }
    }
}

fn kinds(value: &Value) -> BTreeSet<String> {
    let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let names = list.iter().filter_map(Value::as_str);
    names.map(|name| if name == "integer" { "number" } else { name }.to_owned()).collect()
}

fn is_default(name: &str, value: &Value) -> bool {
    match name {
        "additionalProperties" | "items" => value == true || value == &json!({}),
        "propertyNames" => value == &json!({"type": "string"}),
        "properties" | "required" => value.as_object().is_some_and(Map::is_empty) || value == &json!([]),
        "minItems" | "minLength" | "minProperties" => value == 0,
        _ => false,
    }
}

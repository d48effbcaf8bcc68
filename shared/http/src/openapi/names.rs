//! Gives shapes their names: the types write much of what they contain in place, the document refers to components, as
//! the contract does.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

const COMPONENTS: &str = "#/components/schemas/";

/// A reference to a component.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("{COMPONENTS}{name}")})
}

/// The name of the component that a value refers to.
pub(super) fn referred(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()?.strip_prefix(COMPONENTS)
}

/// Components that no type of ours stands for.
fn shared_components() -> [(&'static str, Value); 4] {
    [
        ("Uuid", json!({"type": "string", "format": "uuid", "description": "A UUID of any version, in either case."})),
        ("ResourceId", json!({"type": "string", "minLength": 1, "description": "Id that the server gave: a UUID."})),
        (
            "JsonSchemaDocument",
            json!({"type": "object", "additionalProperties": true,
                "description": "A JSON Schema, draft 2020-12 or draft-07 by its `$schema`; kept as it is."}),
        ),
        ("OrderDirection", json!({"type": "string", "enum": ["ASC", "DESC"], "description": "Sort direction."})),
    ]
}

/// Members of bodies that hold JSON Schemas.
const SCHEMA_MEMBERS: [&str; 3] = ["json_schema_response", "json_schema_input", "schema"];
/// Members of answers that hold ids of ours.
const ID_MEMBERS: [&str; 3] = ["id", "executionId", "jobId"];

/// Replaces shapes that stand in place by references to the components that they are.
pub(super) fn name_shapes(document: &mut Value) {
    name_members(document);
    for (name, schema) in shared_components() {
        document["components"]["schemas"][name] = schema;
    }
    // What contains something that got its name now looks like its component in the next round.
    for _ in 0..4 {
        let before = document.clone();
        let names = shapes(&document["components"]["schemas"]);
        for (section, value) in document.as_object_mut().into_iter().flatten() {
            match section.as_str() {
                "paths" => hoist(value, &names),
                "components" => {
                    let schemas = value["schemas"].as_object_mut().into_iter().flatten();
                    schemas.for_each(|(_, schema)| hoist_within(schema, &names));
                }
                _ => {}
            }
        }
        if *document == before {
            return;
        }
    }
}

/// Shapes that are told by their member's name, or by nothing else than their format.
fn name_members(value: &mut Value) {
    if value["type"] == "string" && value["format"] == "uuid" {
        refer(value, "Uuid");
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(name_members),
        Value::Object(members) => {
            if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
                for (name, schema) in properties.iter_mut() {
                    if SCHEMA_MEMBERS.contains(&name.as_str()) && schema["additionalProperties"].is_object() {
                        refer(schema, "JsonSchemaDocument");
                    }
                }
            }
            members.values_mut().for_each(name_members);
        }
        _ => {}
    }
}

/// Names the ids in an answer.
pub(super) fn name_ids(answer: &mut Value) {
    if let Some(properties) = answer.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, schema) in properties.iter_mut() {
            let schema = if name == "executionIds" { &mut schema["items"] } else { schema };
            let is_text = schema["type"] == "string" && schema.get("enum").is_none();
            if is_text && (ID_MEMBERS.contains(&name.as_str()) || name == "executionIds") {
                refer(schema, "ResourceId");
            }
        }
    }
}

fn refer(schema: &mut Value, name: &str) {
    let description = schema.get("description").cloned();
    *schema = reference(name);
    if let Some(description) = description {
        schema["description"] = description;
    }
}

/// Components by what they are; shapes that several components have are left out, since nothing tells which is meant.
fn shapes(schemas: &Value) -> HashMap<String, String> {
    let mut names: HashMap<String, Option<String>> = HashMap::new();
    for (name, schema) in schemas.as_object().into_iter().flatten().filter(|(_, schema)| is_telling(schema)) {
        names.entry(bare(schema)).and_modify(|known| *known = None).or_insert_with(|| Some(name.clone()));
    }
    names.into_iter().filter_map(|(shape, name)| name.map(|name| (shape, name))).collect()
}

/// Whether a shape says enough to be recognised by it.
fn is_telling(schema: &Value) -> bool {
    let has_several = |name: &str| schema[name].as_array().is_some_and(|list| list.len() > 1);
    has_several("enum") || has_several("oneOf") || schema["properties"].as_object().is_some_and(|map| !map.is_empty())
}

/// A shape as text, without what is only said about it.
fn bare(schema: &Value) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Object(members) => {
                if members.get("description").is_some_and(Value::is_string) {
                    members.shift_remove("description");
                }
                members.values_mut().for_each(strip);
                members.sort_keys();
            }
            _ => {}
        }
    }
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.shift_remove("default");
    }
    strip(&mut schema);
    schema.to_string()
}

fn hoist(value: &mut Value, names: &HashMap<String, String>) {
    if is_telling(value)
        && let Some(name) = names.get(&bare(value))
    {
        let kept = |member: &str| value.get(member).cloned().map(|kept| (member.to_owned(), kept));
        let kept: Map<String, Value> = ["default", "description"].into_iter().filter_map(kept).collect();
        *value = reference(name);
        value.as_object_mut().into_iter().for_each(|members| members.extend(kept.clone()));
        return;
    }
    hoist_within(value, names);
}

fn hoist_within(value: &mut Value, names: &HashMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hoist(item, names)),
        Value::Object(members) => members.values_mut().for_each(|member| hoist(member, names)),
        _ => {}
    }
}

//! What types cannot say: rules between members, defaults that all lists share, and which member tells alternatives
//! apart.

use serde_json::{Map, Value, json};

use super::{answers::for_each_operation, names::referred};

/// Exactly one of `promptId` and a text that is not empty.
fn prompt_or_text() -> Value {
    let text = json!({"required": ["promptText"], "properties": {"promptText": {"minLength": 1}}});
    let mut only_text = text.clone();
    only_text["not"] = json!({"required": ["promptId"]});
    json!([{"required": ["promptId"], "not": text}, only_text])
}

/// Rules between members by schema. The code enforces them as `cross_field_issues`.
fn rules() -> [(&'static str, Value); 4] {
    let with_input = json!([
        {"required": ["testDataGroupId"]},
        {"required": ["userInput"], "properties": {"userInput": {"minLength": 1}}},
    ]);
    [
        ("PreviewPromptRequest", json!({"oneOf": prompt_or_text()})),
        (
            "CreateExecutionRequest",
            json!({"oneOf": prompt_or_text(), "if": {"required": ["promptId"]}, "then": {"anyOf": with_input}}),
        ),
        ("Execution", json!({"anyOf": [{"required": ["prompt_id"]}, {"required": ["prompt_text"]}]})),
        ("CreateCommentRequest", json!({"anyOf": [{"required": ["execution_id"]}, {"required": ["prompt_id"]}]})),
    ]
}

/// Adds them to the finished components, as parts of their own: generators of clients read alternatives beside
/// members as alternatives to them.
pub(super) fn add_rules(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, rule) in rules() {
        if let Some(schema) = schemas.get_mut(name) {
            schema["allOf"] = json!([rule]);
        }
    }
    let discriminators: Vec<(String, Value)> = schemas
        .iter()
        .filter_map(|(name, schema)| discriminator(schema, schemas).map(|found| (name.clone(), found)))
        .collect();
    for (name, found) in discriminators {
        schemas[&name]["discriminator"] = found;
    }
}

/// For alternatives that all are components with one fixed text in `type`.
fn discriminator(schema: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    let names: Vec<&str> = schema["oneOf"].as_array()?.iter().map(referred).collect::<Option<_>>()?;
    let mut mapping = Map::new();
    for name in names {
        let [tag] = schemas.get(name)?["properties"]["type"]["enum"].as_array()?.as_slice() else { return None };
        mapping.insert(tag.as_str()?.to_owned(), json!(format!("#/components/schemas/{name}")));
    }
    Some(json!({"propertyName": "type", "mapping": mapping}))
}

/// Lists are ordered by creation, newest first, unless asked otherwise (contract 3).
pub(super) fn add_order_defaults(document: &mut Value) {
    for_each_operation(document, |operation| {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            let default = match parameter["name"].as_str() {
                Some("orderBy") => "created_at",
                Some("orderDirection") => "DESC",
                _ => continue,
            };
            parameter["schema"]["default"] = json!(default);
        }
    });
}

/// Writes `allOf` of parts that stand in place, and of components, as one schema: a part that closes itself would
/// refuse the members of the others.
pub(super) fn merge_all_of(document: &mut Value) {
    let components = document["components"]["schemas"].clone();
    merge(document, &components, 0);
}

fn merge(value: &mut Value, components: &Value, depth: usize) {
    if let Some(members) = value.as_object_mut()
        && let Some(Value::Array(parts)) = members.shift_remove("allOf")
    {
        for part in parts {
            let part = referred(&part).map_or_else(|| part.clone(), |name| components[name].clone());
            join(members, part);
        }
        // A component may itself be put together.
        if depth < 4 {
            return merge(value, components, depth + 1);
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| merge(item, components, depth)),
        Value::Object(members) => members.values_mut().for_each(|member| merge(member, components, depth)),
        _ => {}
    }
}

/// Adds a part: members and required names are united; anything else is taken unless it is there already.
fn join(whole: &mut Map<String, Value>, part: Value) {
    let Value::Object(part) = part else { return };
    // An alternative written in place comes with a second part that only describes it.
    let only_describes = part.get("type").is_some_and(|kind| kind == "object") && part.contains_key("description");
    let only_describes = only_describes && part.len() == 2;
    for (name, value) in part {
        if only_describes && name == "type" {
            continue;
        }
        match (whole.get_mut(&name), value) {
            (Some(Value::Object(members)), Value::Object(more)) if name == "properties" => members.extend(more),
            (Some(Value::Array(names)), Value::Array(more)) if name == "required" => names.extend(more),
            (Some(_), value) if name == "description" && only_describes => {
                whole.insert(name, value);
            }
            (Some(_), _) => {}
            (None, value) => {
                whole.insert(name, value);
            }
        }
    }
}

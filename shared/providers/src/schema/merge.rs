//! Schemas that hold at the same time, as one.

use serde_json::{Map, Value};

use super::ANNOTATIONS;

/// A schema and the parts of its `allOf` as one; `None` when two of them say different things with one keyword.
pub(crate) fn all_of(schema: &Map<String, Value>, parts: &[Value]) -> Option<Map<String, Value>> {
    let mut merged = schema.clone();
    merged.remove("allOf");
    parts.iter().try_fold(merged, |merged, part| both(merged, part.as_object()?))
}

/// Two schemas as one: members are put together, lists of required members joined, and what both say must be equal.
pub(crate) fn both(first: Map<String, Value>, second: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut merged = first.clone();
    for (keyword, value) in second {
        let is_annotation = ANNOTATIONS.contains(&keyword.as_str());
        match (merged.get_mut(keyword), value) {
            (None, _) => drop(merged.insert(keyword.clone(), value.clone())),
            (Some(present), _) if present == value || is_annotation => {}
            (Some(Value::Object(present)), Value::Object(added)) if keyword == "properties" => {
                for (name, property) in added {
                    if present.get(name).is_some_and(|known| known != property) {
                        return None;
                    }
                    present.insert(name.clone(), property.clone());
                }
            }
            (Some(Value::Array(present)), Value::Array(added)) if keyword == "required" => {
                let new: Vec<Value> = added.iter().filter(|name| !present.contains(name)).cloned().collect();
                present.extend(new);
            }
            _ => return None,
        }
    }
    // `additionalProperties` speaks of its own part's members only, so none may have joined them.
    let keeps_its_members = |part: &Map<String, Value>| {
        let is_open = part.get("additionalProperties").is_none_or(|additional| *additional == Value::Bool(true));
        is_open || part.get("properties") == merged.get("properties")
    };
    (keeps_its_members(&first) && keeps_its_members(second)).then_some(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(schema: &Value) -> Option<Value> {
        let schema = schema.as_object().unwrap();
        all_of(schema, schema["allOf"].as_array().unwrap()).map(Value::Object)
    }

    #[test]
    fn members_are_put_together() {
        let schema = json!({
            "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
            "allOf": [{"properties": {"b": {"type": "integer"}}, "required": ["a", "b"]}]
        });
        let expected = json!({
            "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]
        });
        assert_eq!(merged(&schema), Some(expected));
    }

    #[test]
    fn contradictions_and_closed_parts_that_would_grow_are_refused() {
        let two_types = json!({"allOf": [{"type": "string"}, {"type": "number"}]});
        let two_members = json!({"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": true}}]});
        let closed = json!({"allOf": [
            {"properties": {"a": {}}, "additionalProperties": false}, {"properties": {"b": {}}}
        ]});
        let closed_without = json!({"properties": {"a": {}}, "allOf": [{"additionalProperties": false}]});
        for schema in [two_types, two_members, closed, closed_without] {
            assert_eq!(merged(&schema), None, "{schema}");
        }
    }
}

//! What only answers contain: nothing beyond what the document says, and ids by their name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::names::{name_ids, referred};

/// Closes the schemas of answers: a member that the document does not name would be a mistake. What requests use too
/// stays open, because they may have unknown members there.
pub(super) fn close_answers(document: &mut Value) {
    let requested = names_in_requests(document);
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas.filter(|(name, _)| !requested.contains(*name)) {
        close(schema);
    }
    for_each_operation(document, |operation| close(&mut operation["responses"]));
}

/// Calls a function with every operation.
pub(super) fn for_each_operation(document: &mut Value, mut change: impl FnMut(&mut Value)) {
    for (_, path) in document["paths"].as_object_mut().into_iter().flatten() {
        path.as_object_mut().into_iter().flatten().for_each(|(_, operation)| change(operation));
    }
}

/// Components that parameters and bodies lead to.
fn names_in_requests(document: &mut Value) -> BTreeSet<String> {
    let mut waiting = Vec::new();
    for_each_operation(document, |operation| {
        waiting.extend(["parameters", "requestBody"].iter().filter_map(|part| operation.get(part)).flat_map(names_in));
    });
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if found.insert(name.clone()) {
            waiting.extend(names_in(&document["components"]["schemas"][name]));
        }
    }
    found
}

fn names_in(value: &Value) -> Vec<String> {
    let own = referred(value).map(str::to_owned).into_iter();
    let inner: Vec<String> = match value {
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Object(members) => members.values().flat_map(names_in).collect(),
        _ => Vec::new(),
    };
    own.chain(inner).collect()
}

fn close(value: &mut Value) {
    name_ids(value);
    match value {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object) && !members.contains_key("additionalProperties")
            {
                members.insert("additionalProperties".into(), json!(false));
            }
        }
        _ => {}
    }
}

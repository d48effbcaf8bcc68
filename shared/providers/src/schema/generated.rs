//! Made-up schemas and instances, for tests that hold for every schema. The same ones at every run.

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};
use shared_core::schemas::check_result;

/// How many schemas a test sees.
const CASES: u32 = 300;

/// Runs a test over objects that no subset has a reason to refuse but for its counts: no keywords that only narrow a
/// value, and nothing left open. With each comes a source of choices for instances.
pub(crate) fn for_plain_schemas(test: impl Fn(&Value, &[u8]) -> Result<(), TestCaseError>) {
    run(plain_root(), test);
}

/// Runs a test over schemas of all kinds, good and bad.
pub(crate) fn for_all_schemas(test: impl Fn(&Value, &[u8]) -> Result<(), TestCaseError>) {
    run(any_schema(), test);
}

fn run(schemas: impl Strategy<Value = Value>, test: impl Fn(&Value, &[u8]) -> Result<(), TestCaseError>) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    if let Err(failure) = runner.run(&(schemas, vec(any::<u8>(), 64)), |(schema, choices)| test(&schema, &choices)) {
        panic!("{failure}");
    }
}

fn plain_leaf() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"type": "string"}),
        json!({"type": "integer", "description": "d"}),
        json!({"type": "number"}),
        json!({"type": "boolean"}),
        json!({"type": ["string", "null"]}),
        json!({"type": ["integer", "string"]}),
        json!({"enum": ["red", "blue"]}),
        json!({"type": "string", "const": "only"}),
        json!({"enum": ["a", null]}),
        json!({"$ref": "#/$defs/name"}),
        json!({"$ref": "#/$defs/pair"}),
    ])
}

fn plain_object(members: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let members = btree_map(select(vec!["a", "b", "c", "d"]), (members, any::<bool>()), 1..4);
    (members, select(vec![None, Some(true), Some(false)]))
        .prop_map(|(members, additional)| {
            let required: Vec<&str> =
                members.iter().filter(|(_, (_, required))| *required).map(|(name, _)| *name).collect();
            let properties: Map<String, Value> =
                members.iter().map(|(name, (schema, _))| ((*name).to_owned(), schema.clone())).collect();
            let mut object = json!({"type": "object", "properties": properties, "required": required});
            if let Some(additional) = additional {
                object["additionalProperties"] = json!(additional);
            }
            object
        })
        .boxed()
}

fn plain_value() -> BoxedStrategy<Value> {
    plain_leaf()
        .prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                plain_object(inner.clone()),
                inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
                vec(inner.clone(), 1..3).prop_map(|choices| json!({"anyOf": choices})),
                inner.prop_map(|member| json!({"allOf": [
                    {"type": "object", "properties": {"p": member}}, {"required": ["p"]}
                ]})),
            ]
        })
        .boxed()
}

fn plain_root() -> BoxedStrategy<Value> {
    plain_object(plain_value())
        .prop_map(|mut root| {
            root["$defs"] = json!({
                "name": {"type": "string"},
                "pair": {
                    "type": "object", "required": ["x"],
                    "properties": {"x": {"type": "number"}, "y": {"$ref": "#/$defs/name"}}
                }
            });
            root
        })
        .boxed()
}

fn any_schema() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        plain_leaf(),
        select(vec![
            json!(true),
            json!({}),
            json!(7),
            json!({"type": "string", "minLength": 2, "format": "email", "pattern": "^a"}),
            json!({"type": "integer", "minimum": 1, "multipleOf": 2, "default": 2}),
            json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": true}),
            json!({"type": "array"}),
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"patternProperties": {"^a": {}}}),
            json!({"if": {"type": "string"}, "then": {"minLength": 1}}),
            json!({"$ref": "#"}),
            json!({"$ref": "#/$defs/missing"}),
            json!({"not": {"type": "string"}, "type": ["string", "integer"]}),
            json!({"const": {"a": 1}}),
        ]),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            plain_object(inner.clone()),
            vec(inner.clone(), 0..3).prop_map(|choices| json!({"oneOf": choices, "type": "object"})),
            vec(inner.clone(), 0..3).prop_map(|parts| json!({"allOf": parts, "title": "t"})),
            vec(inner, 1..3).prop_map(|places| json!({"type": "array", "prefixItems": places, "items": false})),
        ]
    })
    .boxed()
}

/// An instance of a fitted schema, as the choices will have it.
pub(crate) fn instance(schema: &Value, choices: &[u8]) -> Value {
    let mut choices = choices.iter().copied().cycle();
    make(schema, schema, &mut choices)
}

fn make(schema: &Value, root: &Value, choices: &mut impl Iterator<Item = u8>) -> Value {
    let mut pick = |count: usize| usize::from(choices.next().expect("an endless source")) % count;
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(&reference[1..]).expect("a reference that leads somewhere");
        return make(target, root, choices);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let option = &options[pick(options.len())];
        return make(option, root, choices);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[pick(values.len())].clone();
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[pick(kinds.len())].as_str().expect("a type"),
        kind => kind.as_str().expect("a type"),
    };
    match kind {
        "string" => json!("text"),
        "integer" => json!(3),
        "number" => json!(1.5),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" => {
            let count = pick(3);
            (0..count).map(|_| make(&schema["items"], root, choices)).collect()
        }
        _ => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let mut members = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if required.contains(&json!(name)) || choices.next().is_some_and(|choice| choice % 2 == 0) {
                    members.insert(name.clone(), make(property, root, choices));
                }
            }
            Value::Object(members)
        }
    }
}

/// Whether an answer passes the check of the schema as it was written, which drops nulls that it does not allow.
pub(crate) fn passes(schema: &Value, answer: &Value) -> bool {
    check_result(schema, &answer.to_string()).is_valid
}

/// Every schema inside a schema, itself included.
pub(crate) fn parts(schema: &Value) -> Vec<&Map<String, Value>> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(next) = open.pop() {
        let Some(schema) = next.as_object() else { continue };
        found.push(schema);
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("properties" | "$defs", Value::Object(members)) => open.extend(members.values()),
                ("anyOf" | "prefixItems", Value::Array(items)) => open.extend(items),
                ("items" | "additionalProperties", value) => open.push(value),
                _ => {}
            }
        }
    }
    found
}

use serde_json::{Value, json};

use crate::schemas::{Schema, harden};

fn hardened(mut schema: Value) -> Value {
    harden(&mut schema);
    schema
}

#[test]
fn closes_objects_that_say_nothing() {
    assert_eq!(
        hardened(json!({"type": "object", "properties": {"a": {"type": "object"}, "b": {"type": "string"}}})),
        json!({
            "type": "object",
            "properties": {"a": {"type": "object", "additionalProperties": false}, "b": {"type": "string"}},
            "additionalProperties": false,
        })
    );
}

#[test]
fn closes_lists_of_types_that_contain_object() {
    assert_eq!(
        hardened(json!({"type": ["object", "null"]})),
        json!({"type": ["object", "null"], "additionalProperties": false})
    );
    let without_objects = json!({"type": ["string", "null"]});
    assert_eq!(hardened(without_objects.clone()), without_objects);
}

#[test]
fn keeps_what_the_author_decided() {
    for decision in [json!(true), json!(false), json!({"type": "string"}), json!(null)] {
        let schema = json!({"type": "object", "additionalProperties": decision});
        assert_eq!(hardened(schema.clone()), schema);
    }
}

#[test]
fn leaves_untyped_schemas_open() {
    for schema in
        [json!({}), json!(true), json!({"properties": {"a": true}}), json!({"$ref": "#"}), json!([1]), json!(1)]
    {
        assert_eq!(hardened(schema.clone()), schema);
    }
}

#[test]
fn reaches_every_place_for_a_schema() {
    let single = [
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ];
    for keyword in single {
        assert_eq!(
            hardened(json!({keyword: {"type": "object"}})),
            json!({keyword: {"type": "object", "additionalProperties": false}})
        );
    }
    for keyword in ["allOf", "anyOf", "oneOf", "prefixItems", "items"] {
        assert_eq!(
            hardened(json!({keyword: [true, {"type": "object"}]})),
            json!({keyword: [true, {"type": "object", "additionalProperties": false}]})
        );
    }
    for keyword in ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"] {
        assert_eq!(
            hardened(json!({keyword: {"type": {"type": "object"}, "enum": {"type": "object"}, "list": ["a"]}})),
            json!({keyword: {
                "type": {"type": "object", "additionalProperties": false},
                "enum": {"type": "object", "additionalProperties": false},
                "list": ["a"],
            }})
        );
    }
}

#[test]
fn leaves_literal_data_alone() {
    let literal = json!({"type": "object", "properties": {"type": "object"}});
    let schema = json!({
        "default": literal, "const": literal, "enum": [literal], "examples": [literal], "example": literal,
        "required": ["type"],
    });
    assert_eq!(hardened(schema.clone()), schema);
}

#[test]
fn is_stable_and_keeps_the_order_of_members() {
    let once = hardened(json!({"type": "object", "required": ["b"], "properties": {"b": true, "a": true}}));
    assert_eq!(
        once.to_string(),
        r#"{"type":"object","required":["b"],"properties":{"b":true,"a":true},"additionalProperties":false}"#
    );
    assert_eq!(hardened(once.clone()), once);
    assert!(Schema::compile(&once).is_ok());
}

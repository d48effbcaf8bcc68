use serde_json::json;

use proptest::{prop_assert, test_runner::TestCaseError};

use super::*;
use crate::schema::generated::{for_all_schemas, for_plain_schemas, instance, parts, passes};

fn strict(schema: &Value) -> Value {
    match fit(schema, false) {
        Fit::Strict(strict) => strict,
        other => panic!("{schema} became {other:?}"),
    }
}

/// What strict mode makes of one required property.
fn property(schema: Value) -> Value {
    let whole = json!({"type": "object", "properties": {"p": schema}, "required": ["p"]});
    strict(&whole)["properties"]["p"].clone()
}

/// What strict mode makes of one optional property.
fn optional(schema: Value) -> Value {
    strict(&json!({"type": "object", "properties": {"p": schema}}))["properties"]["p"].clone()
}

fn is_loose(property: Value) -> bool {
    let whole = json!({"type": "object", "properties": {"p": property}});
    fit(&whole, false) == Fit::Loose(whole)
}

#[test]
fn closes_objects_and_requires_every_member() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Person",
        "description": "Somebody",
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 3}},
        "required": ["name"],
        "minProperties": 1
    });
    let expected = json!({
        "title": "Person",
        "description": "Somebody",
        "type": "object",
        "required": ["name", "age"],
        "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "additionalProperties": false
    });
    assert_eq!(strict(&schema), expected);
}

#[test]
fn works_through_nested_objects_and_lists() {
    let schema = json!({
        "type": "array",
        "minItems": 1,
        "uniqueItems": true,
        "items": {"properties": {"tag": {"type": "string"}}}
    });
    let expected = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["tag"],
            "properties": {"tag": {"type": ["string", "null"]}},
            "additionalProperties": false
        },
        "minItems": 1
    });
    assert_eq!(property(schema), expected);
}

#[test]
fn optional_members_become_nullable_each_in_its_way() {
    let nothing = json!({"type": "null"});
    assert_eq!(
        optional(json!({"type": "string", "maxLength": 3})),
        json!({"type": ["string", "null"], "maxLength": 3})
    );
    assert_eq!(optional(json!({"type": ["string", "number"]})), json!({"type": ["string", "number", "null"]}));
    assert_eq!(optional(json!({"type": ["string", "null"]})), json!({"type": ["string", "null"]}));
    assert_eq!(optional(nothing.clone()), nothing);
    assert_eq!(
        optional(json!({"enum": ["a", "b"]})),
        json!({"anyOf": [{"type": "string", "enum": ["a", "b"]}, nothing]})
    );
    assert_eq!(optional(json!({"enum": ["a", null]})), json!({"type": ["string", "null"], "enum": ["a", null]}));
    assert_eq!(optional(json!({"const": 1})), json!({"anyOf": [{"type": "integer", "const": 1}, nothing]}));
    assert_eq!(
        optional(json!({"anyOf": [{"type": "string"}, {"type": "number"}]})),
        json!({"anyOf": [{"type": "string"}, {"type": "number"}, nothing]})
    );
    assert_eq!(
        optional(json!({"type": "array", "items": {"type": "string"}})),
        json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, nothing]})
    );
}

#[test]
fn keeps_definitions_that_are_used_and_references_to_them() {
    let schema = json!({
        "type": "object",
        "properties": {
            "head": {"$ref": "#/$defs/node", "description": "The first"},
            "all": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "self": {"$ref": "#"}
        },
        "required": ["all", "self"],
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"value": {"$ref": "#/definitions/value"}, "next": {"$ref": "#/$defs/node"}},
                "required": ["value"]
            },
            "unused": {"type": "object"}
        },
        "definitions": {"value": {"type": "integer"}}
    });
    let expected = json!({
        "type": "object",
        "required": ["head", "all", "self"],
        "properties": {
            "head": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            "all": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "self": {"$ref": "#"}
        },
        "additionalProperties": false,
        "$defs": {
            "node": {
                "type": "object",
                "required": ["value", "next"],
                "properties": {
                    "value": {"$ref": "#/definitions/value"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
                },
                "additionalProperties": false
            }
        },
        "definitions": {"value": {"type": "integer"}}
    });
    assert_eq!(strict(&schema), expected);
}

#[test]
fn a_root_that_is_a_reference_is_replaced_by_what_it_refers_to() {
    let definitions = json!({"node": {
        "type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]
    }});
    let converted = strict(&json!({"$ref": "#/$defs/node", "$defs": definitions}));
    assert_eq!(converted["type"], "object");
    assert_eq!(converted["properties"]["next"], json!({"$ref": "#/$defs/node"}));
    assert_eq!(converted["$defs"]["node"]["additionalProperties"], false);
}

#[test]
fn choices_become_any_of() {
    let schema = json!({"type": "string", "oneOf": [{"const": "a", "title": "A"}, {"const": "b"}], "description": "d"});
    let expected = json!({
        "description": "d",
        "anyOf": [{"title": "A", "type": "string", "const": "a"}, {"type": "string", "const": "b"}]
    });
    assert_eq!(property(schema), expected);
}

#[test]
fn an_object_or_nothing_becomes_a_choice() {
    let schema = json!({
        "type": ["object", "null"], "description": "d", "properties": {"a": {"type": "string"}}, "required": ["a"]
    });
    let object = json!({
        "type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}, "additionalProperties": false
    });
    assert_eq!(property(schema), json!({"description": "d", "anyOf": [object, {"type": "null"}]}));
}

#[test]
fn parts_that_agree_are_merged() {
    let schema = json!({
        "description": "mine",
        "allOf": [
            {"type": "object", "description": "theirs", "properties": {"a": {"type": "string"}}},
            {"type": "object", "required": ["a"]}
        ]
    });
    assert_eq!(property(schema)["required"], json!(["a"]));
    assert!(is_loose(json!({"allOf": [{"type": "string"}, {"type": "number"}]})));
}

#[test]
fn keeps_the_keywords_that_strict_mode_knows() {
    let text = json!({
        "type": "string", "pattern": "^a+$", "format": "email", "minLength": 1, "maxLength": 9, "description": "d"
    });
    assert_eq!(property(text.clone()), text);
    let number = json!({
        "type": "number", "minimum": 0, "maximum": 9.5, "exclusiveMinimum": -1, "exclusiveMaximum": 10, "multipleOf": 0.5
    });
    assert_eq!(property(number.clone()), number);
}

#[test]
fn leaves_out_the_keywords_that_strict_mode_refuses() {
    let text = json!({
        "type": "string", "format": "uri", "pattern": "^(?!x)", "default": "", "examples": ["a"], "not": {"const": "b"},
        "contentEncoding": "base64", "minimum": 3, "x-order": 7
    });
    assert_eq!(property(text), json!({"type": "string"}));
    assert_eq!(property(json!({"type": "integer", "exclusiveMinimum": true})), json!({"type": "integer"}));
}

#[test]
fn fine_tuned_models_get_no_narrowing_keywords() {
    let schema = json!({"type": "object", "required": ["a", "b"], "properties": {
        "a": {"type": "string", "pattern": "a", "minLength": 1, "enum": ["a"]},
        "b": {"type": "array", "items": {"type": "number", "minimum": 1}, "maxItems": 3}
    }});
    let Fit::Strict(strict) = fit(&schema, true) else { panic!("not strict") };
    let expected = json!({
        "a": {"type": "string", "enum": ["a"]}, "b": {"type": "array", "items": {"type": "number"}}
    });
    assert_eq!(strict["properties"], expected);
}

#[test]
fn what_would_lose_structure_is_sent_loosely() {
    for inexpressible in [
        json!({}),
        json!(true),
        json!({"description": "anything"}),
        json!({"type": "object"}),
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "patternProperties": {"^b": {}}}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "if": {}, "then": {"required": ["a"]}}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}]}),
        json!({"type": "array"}),
        json!({"type": "array", "items": [{"type": "string"}]}),
        json!({"type": "array", "prefixItems": [{"type": "string"}], "items": false}),
        json!({"enum": [{"a": 1}]}),
        json!({"enum": []}),
        json!({"type": ["object", "string"], "enum": ["a"]}),
        json!({"$ref": "https://example.com/schema"}),
        json!({"$ref": "#/$defs/missing"}),
        json!({"$ref": "#", "minProperties": 2, "properties": {}}),
        json!({"anyOf": []}),
        json!({"anyOf": [{"type": "string"}, {}]}),
        json!({"type": 7}),
    ] {
        assert!(is_loose(inexpressible.clone()), "{inexpressible}");
    }
}

#[test]
fn limits_are_kept() {
    let mut nested = json!({"type": "string"});
    for _ in 0..MAX_DEPTH - 1 {
        nested = json!({"type": "object", "properties": {"p": nested}});
    }
    assert!(!is_loose(nested.clone()));
    assert!(is_loose(json!({"type": "object", "properties": {"p": nested}})));
    assert!(!is_loose(json!({"enum": (0..MAX_ENUM_VALUES).collect::<Vec<_>>()})));
    assert!(is_loose(json!({"enum": (0..=MAX_ENUM_VALUES).collect::<Vec<_>>()})));
    let wide: Map<String, Value> = (0..=MAX_PROPERTIES).map(|n| (format!("p{n}"), json!({"type": "null"}))).collect();
    assert!(matches!(fit(&json!({"type": "object", "properties": wide}), false), Fit::Loose(_)));
}

#[test]
fn a_root_that_is_no_object_does_not_fit_at_all() {
    for root in [
        json!({"type": "array", "items": {"type": "string"}}),
        json!({"type": "string"}),
        json!({"anyOf": [{"type": "object"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/missing"}),
        json!({}),
        json!(true),
        json!(null),
        json!({"type": 3}),
    ] {
        assert_eq!(fit(&root, false), Fit::None, "{root}");
    }
}

#[test]
fn the_root_gets_its_type_also_when_it_is_sent_loosely() {
    let root = json!({"properties": {"a": {}}});
    assert_eq!(fit(&root, false), Fit::Loose(json!({"properties": {"a": {}}, "type": "object"})));
    let choice = json!({"type": ["object", "null"], "properties": {"a": {"type": "string"}}, "oneOf": [{}]});
    let Fit::Loose(loose) = fit(&choice, false) else { panic!("not loose") };
    assert_eq!(loose["type"], "object");
}

#[test]
fn an_empty_closed_object_is_strict() {
    let empty = json!({"type": "object", "additionalProperties": false});
    let expected = json!({"type": "object", "required": [], "properties": {}, "additionalProperties": false});
    assert_eq!(property(empty), expected);
}

#[test]
fn what_is_strict_is_in_the_vendors_subset() {
    const KEYWORDS: [&str; 22] = [
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
    ];
    for_all_schemas(|schema, _| {
        let Fit::Strict(strict) = fit(schema, false) else { return Ok(()) };
        prop_assert!(strict["type"] == "object" && strict.get("anyOf").is_none(), "root: {strict}");
        for part in parts(&strict) {
            let is_known = |keyword: &str| matches!(keyword, "type" | "title") || KEYWORDS.contains(&keyword);
            let odd = part.keys().find(|keyword| !is_known(keyword));
            prop_assert!(odd.is_none(), "{odd:?} in {strict}");
            if let Some(properties) = part.get("properties").and_then(Value::as_object) {
                let names: Vec<&String> = properties.keys().collect();
                prop_assert!(part["required"] == json!(names), "not all required: {strict}");
                prop_assert!(part["additionalProperties"] == json!(false), "open: {strict}");
            }
        }
        Ok(())
    });
}

#[test]
fn what_the_strict_schema_allows_the_schema_allows_once_nulls_are_dropped() {
    for_plain_schemas(|schema, choices| {
        let Fit::Strict(strict) = fit(schema, false) else {
            return Err(TestCaseError::fail("not strict"));
        };
        let answer = instance(&strict, choices);
        prop_assert!(passes(schema, &answer), "{answer} by {strict}");
        Ok(())
    });
}

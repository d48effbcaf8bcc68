use serde_json::json;

use super::*;

/// Takes everything that a subset can take.
const WIDE: Subset = Subset {
    limits: &["minimum", "maximum", "maxItems"],
    formats: &["date"],
    largest_min_items: u64::MAX,
    closes_objects: false,
    has_tuples: true,
    has_type_lists: true,
    enumerates_booleans: false,
    has_recursion: true,
    max_optional: usize::MAX,
    max_unions: usize::MAX,
};

/// Takes little.
const NARROW: Subset = Subset {
    limits: &[],
    formats: &["date"],
    largest_min_items: 1,
    closes_objects: true,
    has_tuples: false,
    has_type_lists: false,
    enumerates_booleans: true,
    has_recursion: false,
    max_optional: 2,
    max_unions: 1,
};

fn wide(schema: &Value) -> Value {
    fit(schema, &WIDE).unwrap()
}

fn narrow(schema: &Value) -> Value {
    fit(schema, &NARROW).unwrap()
}

#[test]
fn known_limits_stay_and_others_are_told_to_the_model() {
    let schema = json!({
        "type": "string", "description": "A day", "format": "date", "minLength": 3, "pattern": "^2", "default": "x",
        "examples": ["y"], "x-order": 7
    });
    let expected = json!({
        "type": "string", "format": "date", "description": "A day\n\nRules: {\"minLength\":3,\"pattern\":\"^2\"}"
    });
    assert_eq!(wide(&schema), expected);
    let number = json!({"type": "integer", "minimum": 1, "multipleOf": 2});
    assert_eq!(wide(&number), json!({"type": "integer", "minimum": 1, "description": "Rules: {\"multipleOf\":2}"}));
    let list = json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": true});
    let expected = json!({
        "type": "array", "items": {"type": "string"}, "description": "Rules: {\"minItems\":2,\"uniqueItems\":true}"
    });
    assert_eq!(narrow(&list), expected);
}

#[test]
fn objects_are_closed_where_the_vendor_asks_for_it() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    assert_eq!(wide(&schema), schema);
    let mut closed = schema.clone();
    closed["additionalProperties"] = json!(false);
    assert_eq!(narrow(&schema), closed);
    let map = json!({"type": "object", "additionalProperties": {"type": "number"}});
    assert_eq!(wide(&map), map);
    assert_eq!(fit(&map, &NARROW), Err(OPEN_KEYS));
    assert_eq!(fit(&json!({"type": "object"}), &NARROW), Err(OPEN_KEYS));
    let empty = json!({"type": "object", "additionalProperties": false});
    assert_eq!(narrow(&empty), json!({"type": "object", "additionalProperties": false, "properties": {}}));
}

#[test]
fn several_types_are_a_list_or_a_choice() {
    let schema = json!({"type": ["string", "null"], "description": "d", "maxLength": 3});
    let listed = json!({"type": ["string", "null"], "description": "d\n\nRules: {\"maxLength\":3}"});
    assert_eq!(wide(&schema), listed);
    let chosen = json!({"description": "d", "anyOf": [
        {"type": "string", "description": "Rules: {\"maxLength\":3}"}, {"type": "null"}
    ]});
    assert_eq!(narrow(&schema), chosen);
}

#[test]
fn definitions_gather_in_one_place() {
    let schema = json!({
        "type": "object", "required": ["a", "b"],
        "properties": {"a": {"$ref": "#/definitions/name"}, "b": {"$ref": "#/$defs/age", "description": "d"}},
        "definitions": {"name": {"type": "string", "x": 1}, "unused": true}, "$defs": {"age": {"type": "integer"}}
    });
    let expected = json!({
        "type": "object", "required": ["a", "b"],
        "properties": {"a": {"$ref": "#/$defs/name"}, "b": {"$ref": "#/$defs/age"}},
        "$defs": {"age": {"type": "integer"}, "name": {"type": "string"}}
    });
    assert_eq!(wide(&schema), expected);
    for reference in ["#/$defs/none", "https://example.com/schema", "#/properties/a", "#a"] {
        assert_eq!(fit(&json!({"$ref": reference}), &WIDE), Err(UNKNOWN_REFERENCE), "{reference}");
    }
    let twice =
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}, "definitions": {"a": {"type": "null"}}});
    assert_eq!(fit(&twice, &WIDE), Err(UNKNOWN_REFERENCE));
}

#[test]
fn recursion_is_told_by_the_way_it_takes() {
    let tree = |required: Value| {
        json!({
            "$ref": "#/$defs/node",
            "$defs": {"node": {
                "type": "object", "required": required,
                "properties": {"next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}
            }}
        })
    };
    assert!(fit(&tree(json!(["name"])), &WIDE).is_ok());
    assert_eq!(fit(&tree(json!(["name", "next"])), &WIDE), Err(RECURSION));
    assert_eq!(fit(&tree(json!(["name"])), &NARROW), Err(RECURSION));
    let whole = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
    assert!(fit(&whole, &WIDE).is_ok());
    assert_eq!(fit(&whole, &NARROW), Err(RECURSION));
    let around = json!({
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"type": "array", "items": {"$ref": "#/$defs/b"}},
            "b": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}
        }
    });
    assert_eq!(fit(&around, &WIDE), Err(RECURSION), "lists and choices are required where they stand");
}

#[test]
fn choices_take_over_what_stands_beside_them() {
    let schema = json!({
        "title": "T", "type": "object", "properties": {"kind": {"type": "string"}},
        "oneOf": [
            {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]}
        ]
    });
    let choice = |name: &str| {
        json!({
            "type": "object", "required": [name],
            "properties": {name: {"type": "string"}, "kind": {"type": "string"}}
        })
    };
    assert_eq!(wide(&schema), json!({"title": "T", "anyOf": [choice("a"), choice("b")]}));
    let clash = json!({"type": "object", "anyOf": [{"type": "string"}]});
    assert_eq!(fit(&clash, &WIDE), Err(CONTRADICTION));
    assert_eq!(fit(&json!({"anyOf": [], "title": "T"}), &WIDE), Err(NO_SCHEMA));
}

#[test]
fn enumerations_keep_their_values() {
    let mixed = json!({"enum": ["a", 1, null]});
    let choices =
        json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "integer", "enum": [1]}, {"type": "null"}]});
    assert_eq!((wide(&mixed), narrow(&mixed)), (choices.clone(), choices));
    assert_eq!(wide(&json!({"const": "a"})), json!({"type": "string", "enum": ["a"]}));
    assert_eq!(narrow(&json!({"const": true})), json!({"type": "boolean", "enum": [true]}));
    assert_eq!(wide(&json!({"enum": [true, false]})), json!({"type": "boolean"}));
    assert_eq!(wide(&json!({"const": null})), json!({"type": "null"}));
    for odd in [json!({"const": true}), json!({"enum": [], "type": "string"}), json!({"enum": [[1]], "type": "array"})]
    {
        assert_eq!(fit(&odd, &WIDE), Err(ENUMERATION), "{odd}");
    }
}

#[test]
fn lists_need_to_say_of_what() {
    let pair = json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false});
    let kept = json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]});
    assert_eq!(wide(&pair), kept);
    assert!(fit(&pair, &NARROW).is_err());
    for open in [json!({"type": "array"}), json!({"type": "array", "items": true}), json!({"items": {}})] {
        assert_eq!(fit(&open, &WIDE), Err(ANY_TYPE), "{open}");
    }
}

#[test]
fn what_shapes_values_beyond_the_subset_is_refused() {
    for (schema, reason) in [
        (json!(true), ANY_TYPE),
        (json!({}), ANY_TYPE),
        (json!({"properties": {"a": true}}), ANY_TYPE),
        (json!({"type": "object", "required": ["a"]}), "it requires a member that it does not describe"),
        (json!({"if": {}, "then": {}, "type": "string"}), "it has conditions or patterns of keys"),
        (json!({"type": 7}), ANY_TYPE),
        (json!({"properties": []}), NO_SCHEMA),
        (json!({"allOf": [{"type": "string"}, {"type": "null"}]}), CONTRADICTION),
    ] {
        assert_eq!(fit(&schema, &WIDE), Err(reason), "{schema}");
    }
}

#[test]
fn counts_what_the_vendor_counts() {
    let optional = |count: usize| {
        let properties: Map<String, Value> = (0..count).map(|n| (format!("m{n}"), json!({"type": "string"}))).collect();
        json!({"type": "object", "properties": properties})
    };
    assert!(fit(&optional(2), &NARROW).is_ok());
    assert!(fit(&optional(3), &NARROW).unwrap_err().contains("optional"));
    let unions = |count: usize| {
        let nullable = json!({"type": ["string", "null"]});
        let names: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
        let properties: Map<String, Value> = names.iter().map(|name| (name.clone(), nullable.clone())).collect();
        json!({"type": "object", "properties": properties, "required": names})
    };
    assert!(fit(&unions(1), &NARROW).is_ok());
    assert!(fit(&unions(2), &NARROW).unwrap_err().contains("several types"));
}

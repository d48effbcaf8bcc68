use serde_json::{Value, json};

use crate::schemas::{CheckedResult, check_result};

#[track_caller]
fn assert_valid(schema: Value, answer: &str, text: &str) {
    let expected = CheckedResult { text: text.to_owned(), is_valid: true, message: None };
    assert_eq!(check_result(&schema, answer), expected);
}

#[track_caller]
fn assert_invalid(schema: Value, answer: &str, message: &str) {
    let expected = CheckedResult { text: answer.to_owned(), is_valid: false, message: Some(message.to_owned()) };
    assert_eq!(check_result(&schema, answer), expected);
}

/// An object with an optional text, an optional nullable text and an optional nested object.
fn person() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "nick": {"type": ["string", "null"]},
            "home": {"$ref": "#/$defs/place"},
        },
        "additionalProperties": false,
        "$defs": {"place": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"enum": ["1", "2"]}},
            "additionalProperties": false,
        }},
    })
}

#[test]
fn indents_valid_answers_with_tabs() {
    assert_valid(
        json!({}),
        r#" {"z":1,"a":[true,{"b":[]}],"e":{},"n":null} "#,
        "{\n\t\"z\": 1,\n\t\"a\": [\n\t\ttrue,\n\t\t{\n\t\t\t\"b\": []\n\t\t}\n\t],\n\t\"e\": {},\n\t\"n\": null\n}",
    );
    assert_valid(
        json!({}),
        "[1.0, 1.5, -3, 12345678901234567890, \"\\u00e9\"]",
        "[\n\t1.0,\n\t1.5,\n\t-3,\n\t12345678901234567890,\n\t\"é\"\n]",
    );
    assert_valid(json!({"type": "string"}), "\"x\"", "\"x\"");
}

#[test]
fn keeps_answers_that_are_not_json() {
    for answer in ["", "sorry", "```json\n{}\n```", "{} {}", "{'a': 1}", "{\"a\":1,}"] {
        let checked = check_result(&json!({}), answer);
        assert_eq!((checked.text.as_str(), checked.is_valid), (answer, false));
        assert!(checked.message.unwrap().starts_with("result is not JSON: "));
    }
}

#[test]
fn keeps_nulls_and_empty_containers_of_valid_answers() {
    assert_valid(person(), r#"{"nick":null,"home":{}}"#, "{\n\t\"nick\": null,\n\t\"home\": {}\n}");
    let schema = json!({
        "type": "object",
        "required": ["list", "gone"],
        "properties": {"list": {"type": "array"}, "gone": {"type": "null"}},
    });
    assert_valid(schema, r#"{"list":[],"gone":null}"#, "{\n\t\"list\": [],\n\t\"gone\": null\n}");
}

#[test]
fn drops_nulls_that_the_schema_does_not_allow() {
    assert_valid(
        person(),
        r#"{"name":null,"nick":null,"home":{"city":null,"zip":null}}"#,
        "{\n\t\"nick\": null,\n\t\"home\": {}\n}",
    );
    let text = || json!({"type": "string"});
    let rows = [
        json!({"properties": {"a": text()}}),
        json!({"properties": {"a": {"const": 1}}}),
        json!({"properties": {"a": {"not": {"type": "null"}}}}),
        json!({"properties": {"a": false}}),
        json!({"properties": {"a": {"anyOf": [text(), {"type": "number"}]}}}),
        json!({"properties": {"a": {"oneOf": [text(), {"type": "number"}]}}}),
        json!({"properties": {"a": {"allOf": [true, text()]}}}),
        json!({"properties": {"b": true}, "additionalProperties": false}),
        json!({"properties": {"b": true}, "unevaluatedProperties": false}),
        json!({"properties": {"b": true}, "additionalProperties": text()}),
        json!({"patternProperties": {"^a": text()}}),
        json!({"if": {"required": ["b"]}, "then": {"properties": {"a": text()}}}),
        json!({"dependentSchemas": {"b": {"properties": {"a": text()}}}}),
        json!({"anyOf": [{"properties": {"a": text()}}, {"required": ["c"]}]}),
        json!({"oneOf": [{"required": ["c"]}, {"properties": {"a": text()}}]}),
    ];
    for schema in rows {
        assert_valid(schema, r#"{"a":null,"b":[]}"#, "{\n\t\"b\": []\n}");
    }
}

#[test]
fn drops_nulls_at_any_depth_and_under_any_name() {
    let schema =
        json!({"type": ["object", "array", "string"], "additionalProperties": {"$ref": "#"}, "items": {"$ref": "#"}});
    assert_valid(
        schema,
        r#"{"a/b":{"~1":null,"c":[{"0":null,"":null,"d":"e"}]}}"#,
        "{\n\t\"a/b\": {\n\t\t\"c\": [\n\t\t\t{\n\t\t\t\t\"d\": \"e\"\n\t\t\t}\n\t\t]\n\t}\n}",
    );
}

#[test]
fn keeps_the_order_of_the_other_members() {
    let schema = json!({"properties": {"a": {"type": "string"}}});
    assert_valid(schema, r#"{"z":1,"a":null,"y":2,"x":3}"#, "{\n\t\"z\": 1,\n\t\"y\": 2,\n\t\"x\": 3\n}");
}

#[test]
fn takes_the_union_branch_that_dropping_nulls_makes_valid() {
    let schema = json!({"type": "array", "items": {"anyOf": [
        {
            "properties": {"kind": {"const": "a"}, "x": {"type": "string"}, "y": {"type": "null"}},
            "required": ["kind", "y"],
        },
        {
            "properties": {"kind": {"const": "b"}, "x": {"type": "null"}, "y": {"type": "string"}},
            "required": ["kind", "x"],
        },
    ]}});
    assert_valid(
        schema,
        r#"[{"kind":"b","x":null,"y":null},{"kind":"a","x":null,"y":null}]"#,
        "[\n\t{\n\t\t\"kind\": \"b\",\n\t\t\"x\": null\n\t},\n\t{\n\t\t\"kind\": \"a\",\n\t\t\"y\": null\n\t}\n]",
    );
}

#[test]
fn never_drops_array_elements_or_containers() {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    assert_invalid(texts, r#"["a",null]"#, "/1 must be string");
    assert_invalid(json!({"type": "string"}), "null", "must be string");
    let schema =
        json!({"properties": {"a": {"type": "array", "minItems": 1}, "b": {"type": "object", "minProperties": 1}}});
    assert_invalid(schema, r#"{"a":[],"b":{}}"#, "/a must have at least 1 item; /b must have at least 1 property");
}

#[test]
fn explains_what_is_left_after_dropping_nulls() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, "note": {"type": "string"}, "size": {"type": "number"}},
    });
    assert_invalid(schema.clone(), r#"{"id":"1","note":null,"size":"x"}"#, "/size must be number");
    assert_invalid(schema, r#"{"id":null}"#, "must have required property 'id'");
}

#[test]
fn refuses_everything_under_a_schema_that_cannot_be_used() {
    assert_invalid(json!({"required": "a"}), "{}", "schema is invalid: /required must be array");
    assert_invalid(json!(null), "{}", "schema is invalid: must be boolean or object");
}

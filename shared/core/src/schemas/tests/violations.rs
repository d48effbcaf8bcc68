use serde_json::{Value, json};

use crate::schemas::{Schema, SchemaError, Violation, summary};

const DRAFT_07: &str = "http://json-schema.org/draft-07/schema#";

fn violations(schema: Value, data: Value) -> Vec<Violation> {
    Schema::compile(&schema).unwrap().violations(&data)
}

fn messages(schema: Value, data: Value) -> String {
    summary(&violations(schema, data))
}

fn refusal(schema: Value) -> String {
    Schema::compile(&schema).unwrap_err().to_string()
}

#[test]
fn serialises_as_clients_expect() {
    let found = violations(json!({"properties": {"a": {"type": "string"}}}), json!({"a": 1}));
    assert_eq!(
        serde_json::to_value(found).unwrap(),
        json!([{
            "instancePath": "/a",
            "schemaPath": "#/properties/a/type",
            "keyword": "type",
            "params": {"type": "string"},
            "message": "must be string",
        }])
    );
}

#[test]
fn reports_each_missing_and_each_additional_member() {
    let schema =
        json!({"type": "object", "required": ["a", "b"], "properties": {"a": true}, "additionalProperties": false});
    let found = violations(schema, json!({"x": 1, "y": 2}));
    let facts: Vec<_> =
        found.iter().map(|found| (found.keyword.as_str(), &found.params, found.message.as_str())).collect();
    assert_eq!(
        facts,
        [
            ("required", &json!({"missingProperty": "a"}), "must have required property 'a'"),
            ("required", &json!({"missingProperty": "b"}), "must have required property 'b'"),
            ("additionalProperties", &json!({"additionalProperty": "x"}), "must not have property 'x'"),
            ("additionalProperties", &json!({"additionalProperty": "y"}), "must not have property 'y'"),
        ]
    );
}

#[test]
fn words_every_keyword() {
    let rows = [
        (json!({"type": ["string", "null"]}), json!(1), json!({"type": ["null", "string"]}), "must be null or string"),
        (
            json!({"enum": ["a", 1]}),
            json!("b"),
            json!({"allowedValues": ["a", 1]}),
            "must be one of the allowed values",
        ),
        (json!({"const": {"a": 1}}), json!(2), json!({"allowedValue": {"a": 1}}), "must be the one allowed value"),
        (json!({"minimum": 3}), json!(2.5), json!({"comparison": ">=", "limit": 3}), "must be >= 3"),
        (json!({"maximum": 1.5}), json!(2), json!({"comparison": "<=", "limit": 1.5}), "must be <= 1.5"),
        (json!({"exclusiveMinimum": 2}), json!(2), json!({"comparison": ">", "limit": 2}), "must be > 2"),
        (json!({"exclusiveMaximum": 2}), json!(2), json!({"comparison": "<", "limit": 2}), "must be < 2"),
        (json!({"multipleOf": 0.5}), json!(0.75), json!({"multipleOf": 0.5}), "must be a multiple of 0.5"),
        (json!({"minLength": 2}), json!("ß"), json!({"limit": 2}), "must be at least 2 characters long"),
        (json!({"maxLength": 1}), json!("ab"), json!({"limit": 1}), "must be at most 1 character long"),
        (json!({"pattern": "^a+$"}), json!("b"), json!({"pattern": "^a+$"}), "must match pattern \"^a+$\""),
        (json!({"format": "email"}), json!("b"), json!({"format": "email"}), "must match format \"email\""),
        (json!({"minItems": 1}), json!([]), json!({"limit": 1}), "must have at least 1 item"),
        (json!({"maxItems": 0}), json!([1]), json!({"limit": 0}), "must have at most 0 items"),
        (json!({"uniqueItems": true}), json!([1, 1]), json!({}), "must not have two equal items"),
        (json!({"contains": {"const": 1}}), json!([2]), json!({}), "must have the right number of matching items"),
        (json!({"unevaluatedItems": false}), json!([2]), json!({}), "must not have further items"),
        (json!({"minProperties": 1}), json!({}), json!({"limit": 1}), "must have at least 1 property"),
        (
            json!({"maxProperties": 2}),
            json!({"a": 1, "b": 1, "c": 1}),
            json!({"limit": 2}),
            "must have at most 2 properties",
        ),
        (
            json!({"unevaluatedProperties": false}),
            json!({"a": 1}),
            json!({"unevaluatedProperty": "a"}),
            "must not have property 'a'",
        ),
        (
            json!({"propertyNames": {"maxLength": 2}}),
            json!({"abc": 1}),
            json!({"propertyName": "abc"}),
            "property name 'abc' must be at most 2 characters long",
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"a": 1}),
            json!({"missingProperty": "b"}),
            "must have required property 'b'",
        ),
        (json!({"not": {"type": "string"}}), json!("a"), json!({}), "must not match the schema in not"),
        (json!(false), json!(1), json!({}), "must not be present"),
        (
            json!({"oneOf": [true, false, {"type": "number"}]}),
            json!(1),
            json!({"passingSchemas": [0, 2]}),
            "must match exactly one schema in oneOf",
        ),
        (
            json!({"$schema": DRAFT_07, "items": [true], "additionalItems": false}),
            json!([1, 2]),
            json!({"limit": 1}),
            "must have at most 1 item",
        ),
    ];
    for (schema, data, params, message) in rows {
        let found = violations(schema.clone(), data);
        assert_eq!(found.len(), 1, "{schema}");
        assert_eq!((&found[0].params, found[0].message.as_str()), (&params, message), "{schema}");
    }
}

#[test]
fn names_the_keyword_that_requires_a_member() {
    let found = violations(json!({"dependentRequired": {"a": ["b"]}}), json!({"a": 1}));
    assert_eq!(
        (found[0].keyword.as_str(), found[0].schema_path.as_str()),
        ("dependentRequired", "#/dependentRequired")
    );
    let found = violations(json!({"if": true, "then": {"required": ["b"]}}), json!({}));
    assert_eq!((found[0].keyword.as_str(), found[0].schema_path.as_str()), ("required", "#/then/required"));
}

#[test]
fn reports_the_branches_of_a_union_before_the_union() {
    let schema = json!({"properties": {"x": {"anyOf": [{"type": "string"}, {"required": ["q"]}]}}});
    let found = violations(schema, json!({"x": {}}));
    let facts: Vec<_> = found.iter().map(|found| (found.schema_path.as_str(), found.message.as_str())).collect();
    assert_eq!(
        facts,
        [
            ("#/properties/x/anyOf/0/type", "must be string"),
            ("#/properties/x/anyOf/1/required", "must have required property 'q'"),
            ("#/properties/x/anyOf", "must match at least one schema in anyOf"),
        ]
    );
    let found = violations(json!({"oneOf": [{"type": "string"}, {"type": "null"}]}), json!(1));
    assert_eq!(found.len(), 3);
    assert_eq!(found[2].params, json!({"passingSchemas": null}));
}

#[test]
fn follows_references_and_escapes_paths() {
    let schema = json!({"properties": {"a/b~c": {"$ref": "#/$defs/text"}}, "$defs": {"text": {"type": "string"}}});
    let found = violations(schema, json!({"a/b~c": 1}));
    assert_eq!(found[0].instance_path, "/a~1b~0c");
    assert_eq!(found[0].schema_path, "#/$defs/text/type");
}

#[test]
fn sums_up_without_repetitions() {
    let schema = json!({
        "required": ["id"],
        "properties": {"tags": {"items": {"type": "string", "minLength": 1}}},
        "allOf": [{"required": ["id"]}],
    });
    assert_eq!(
        messages(schema, json!({"tags": [1, "", 2]})),
        "must have required property 'id'; /tags/0 must be string; /tags/1 must be at least 1 character long; \
         /tags/2 must be string"
    );
    assert_eq!(summary(&[]), "");
}

#[test]
fn chooses_the_draft_by_its_name() {
    // A list under `items` means positions in draft-07 and nothing at all in 2020-12.
    let positions = |draft: &str| json!({"$schema": draft, "items": [{"type": "string"}]});
    assert_eq!(messages(positions(DRAFT_07), json!([1, 2])), "/0 must be string");
    assert!(matches!(
        Schema::compile(&positions("https://json-schema.org/draft/2020-12/schema")),
        Err(SchemaError::Invalid(_))
    ));
    assert_eq!(messages(json!({"prefixItems": [{"type": "string"}]}), json!([1, 2])), "/0 must be string");
    assert_eq!(
        refusal(json!({"$schema": "https://example.com/own"})),
        "schema is written in an unknown draft: https://example.com/own"
    );
}

#[test]
fn ignores_unknown_keywords_and_formats() {
    for draft in [DRAFT_07, "https://json-schema.org/draft/2020-12/schema"] {
        let schema = json!({"$schema": draft, "type": "string", "example": 1, "nope": {"type": 5}, "format": "phone"});
        assert_eq!(messages(schema, json!("x")), "");
    }
}

#[test]
fn checks_formats_in_both_drafts() {
    let rows = [
        ("date", "2024-02-29", "2023-02-29"),
        ("time", "10:20:30Z", "25:00:00Z"),
        ("date-time", "2024-01-01T00:00:00Z", "2024-01-01"),
        ("duration", "P1DT2H", "1 day"),
        ("email", "a@example.com", "a.example.com"),
        ("hostname", "example.com", "-example-"),
        ("ipv4", "127.0.0.1", "127.0.0.256"),
        ("ipv6", "::1", "12345::"),
        ("uri", "https://example.com/a?b#c", "/a"),
        ("uri-reference", "/a", "\\a"),
        ("uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d16380", "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}"),
        ("regex", "^(?!a)b$", "("),
        ("json-pointer", "/a/0", "a/0"),
    ];
    for draft in [DRAFT_07, "https://json-schema.org/draft/2020-12/schema"] {
        for (format, good, bad) in rows {
            let schema = json!({"$schema": draft, "format": format});
            assert_eq!(messages(schema.clone(), json!(good)), "", "{format} in {draft}");
            assert_eq!(messages(schema.clone(), json!(bad)), format!("must match format \"{format}\""), "{draft}");
            assert_eq!(messages(schema, json!(1)), "", "{format} is only for strings");
        }
    }
}

#[test]
fn never_checks_encoded_content() {
    for draft in [DRAFT_07, "https://json-schema.org/draft/2020-12/schema"] {
        for encoding in ["base16", "base32", "base32hex", "base64", "base64url"] {
            let schema = json!({"$schema": draft, "contentEncoding": encoding, "contentMediaType": "application/json"});
            assert_eq!(messages(schema, json!("%")), "", "{encoding} in {draft}");
        }
    }
}

#[test]
fn refuses_broken_schemas_and_says_where() {
    assert_eq!(
        refusal(json!({"properties": {"a": {"type": "strin"}}})),
        "schema is invalid: /properties/a/type must be one of the allowed values; /properties/a/type must be array; \
         /properties/a/type must match at least one schema in anyOf"
    );
    assert_eq!(refusal(json!({"required": "a"})), "schema is invalid: /required must be array");
    assert_eq!(refusal(json!({"pattern": "("})), "schema is invalid: /pattern must match format \"regex\"");
    assert_eq!(refusal(json!(null)), "schema is invalid: must be boolean or object");
    assert_eq!(refusal(json!({"$ref": "#/$defs/none"})), "schema refers to \"#/$defs/none\", which is not part of it");
    assert_eq!(refusal(json!({"$ref": "#none"})), "schema refers to \"#none\", which is not part of it");
}

#[test]
fn accepts_everything_under_an_empty_schema() {
    for data in [json!(null), json!([1, {"a": null}]), json!("x")] {
        assert_eq!(violations(json!({}), data.clone()), []);
        assert_eq!(violations(json!(true), data), []);
    }
}

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::schemas::{Schema, SchemaError, check_result, harden};

fn finishes<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    result
}

#[test]
fn refuses_references_to_the_outside_without_following_them() {
    for reference in ["http://example.com/a.json", "https://127.0.0.1:9/a.json#/x", "file:///etc/passwd", "other.json"]
    {
        for keyword in ["$ref", "$dynamicRef"] {
            let refused = finishes(|| Schema::compile(&json!({"properties": {"a": {keyword: reference}}})));
            let refused = refused.unwrap_err();
            assert!(matches!(refused, SchemaError::OutsideReference(_)), "{keyword} {reference}: {refused:?}");
        }
    }
    let based = json!({"$id": "http://example.com/base/", "$ref": "other.json"});
    assert_eq!(
        Schema::compile(&based).unwrap_err(),
        SchemaError::OutsideReference("http://example.com/base/other.json".to_owned())
    );
}

#[test]
fn knows_the_drafts_without_fetching_them() {
    let schema = Schema::compile(&json!({"$ref": "https://json-schema.org/draft/2020-12/schema"})).unwrap();
    assert_eq!(schema.violations(&json!({"type": "string"})), []);
    assert_ne!(schema.violations(&json!({"type": "text"})), []);
}

#[test]
fn survives_references_that_go_in_circles() {
    let circles = [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"not": {"$ref": "#"}}),
        json!({"if": {"$ref": "#"}, "then": true}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        json!({"$dynamicAnchor": "x", "anyOf": [{"$dynamicRef": "#x"}]}),
        json!({"oneOf": [{"$ref": "#"}, {"$ref": "#"}], "unevaluatedProperties": false}),
    ];
    for schema in circles {
        if let Ok(schema) = Schema::compile(&schema) {
            schema.violations(&json!({"a": [1, {"b": null}]}));
        }
    }
}

#[test]
fn checks_recursive_data_as_deep_as_json_may_be() {
    let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false});
    let chain = |depth: usize, end: &str| format!("{}{end}{}", "{\"next\":".repeat(depth), "}".repeat(depth));
    assert!(check_result(&schema, &chain(120, "{}")).is_valid);
    assert!(check_result(&schema, &chain(120, "null")).is_valid);
    assert!(!check_result(&schema, &chain(120, "1")).is_valid);
    let too_deep = check_result(&schema, &chain(100_000, "{}"));
    assert!(too_deep.message.unwrap().starts_with("result is not JSON"));
}

#[test]
fn compiles_schemas_as_deep_as_json_may_be() {
    for (open, close) in
        [(r#"{"not":"#, "}"), (r#"{"type":"object","properties":{"a":"#, "}}"), (r#"{"anyOf":["#, "]}")]
    {
        let levels = 120 / close.len();
        let text = format!("{}true{}", open.repeat(levels), close.repeat(levels));
        let mut schema: Value = serde_json::from_str(&text).unwrap();
        harden(&mut schema);
        assert!(Schema::compile(&schema).is_ok(), "{open}");
    }
}

#[test]
fn survives_strange_identifiers() {
    let identifiers = ["", "#", "#a", "a b", "%", "://", "http://[", "urn:x", "json-schema:///", "file:///etc/passwd"];
    for identifier in identifiers {
        for member in ["$id", "$anchor", "$schema"] {
            Schema::compile(&json!({member: identifier, "type": "string"})).ok();
            Schema::compile(&json!({"$defs": {"a": {member: identifier}}, "type": "string"})).ok();
        }
    }
}

#[test]
fn matches_nasty_patterns_in_reasonable_time() {
    let text = format!("{}!", "a".repeat(50_000));
    for pattern in [r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"(.*)*x", r"^(([a-z])+.)+[A-Z]([a-z])+$"] {
        let schema = Schema::compile(&json!({"pattern": pattern})).unwrap();
        assert_eq!(finishes(|| schema.violations(&json!(text))).len(), 1, "{pattern}");
    }
}

#[test]
fn bounds_patterns_that_need_backtracking() {
    let text = format!("{}!", "a".repeat(5_000));
    for pattern in [r"^(?!b)(a+)+$", r"^(a+)+\1$", r"(?=(a+))(a|\1)*$", r"^(?:(a)|b|\1a)*$"] {
        let schema = Schema::compile(&json!({"pattern": pattern})).unwrap();
        assert_eq!(finishes(|| schema.violations(&json!(text))).len(), 1, "{pattern}");
    }
}

#[test]
fn supports_look_around() {
    let schema = Schema::compile(&json!({"pattern": r"^(?!\.)(?!.*\.\.)[a-z.]+@[a-z]+$"})).unwrap();
    assert_eq!(schema.violations(&json!("a.b@c")), []);
    assert_eq!(schema.violations(&json!("a..b@c")).len(), 1);
    assert_eq!(schema.violations(&json!(".b@c")).len(), 1);
}

#[test]
fn refuses_patterns_that_are_too_large() {
    for pattern in ["((a{1000}){1000}){1000}".to_owned(), "(".repeat(100_000), "(".repeat(10_000) + &")".repeat(10_000)]
    {
        let refused = finishes(|| Schema::compile(&json!({"pattern": pattern})));
        assert!(refused.is_err());
        assert!(Schema::compile(&json!({"patternProperties": {pattern: true}})).is_err());
    }
}

#[test]
fn cleans_large_answers_in_reasonable_time() {
    let schema = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let members: Vec<String> = (0..50_000).map(|index| format!("\"m{index}\":null")).collect();
    let checked = finishes(|| check_result(&schema, &format!("{{{},\"kept\":\"x\"}}", members.join(","))));
    assert_eq!(checked.text, "{\n\t\"kept\": \"x\"\n}");
}

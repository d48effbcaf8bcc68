use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::schemas::{MOST_VIOLATIONS, STEPS, Schema, SchemaError, check_result, harden};

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

/// A chain of unions, each of which asks twice for the next.
fn chain(length: usize, keyword: &str, place: &str) -> Value {
    let next = |index: usize| json!({ "$ref": format!("#/{place}/a{index}") });
    let mut links: serde_json::Map<String, Value> =
        (0..length).map(|index| (format!("a{index}"), json!({keyword: [next(index + 1), next(index + 1)]}))).collect();
    links.insert(format!("a{length}"), json!({"type": "string"}));
    json!({"$ref": format!("#/{place}/a0"), place: links})
}

fn ends_early(schema: &Value, data: &Value) {
    let schema = Schema::compile(schema).unwrap();
    let violations = schema.violations(data);
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!((violations[0].keyword.as_str(), &violations[0].params), ("steps", &json!({ "limit": STEPS })));
}

#[test]
fn a_chain_of_unions_ends_early() {
    for (keyword, place) in [("anyOf", "$defs"), ("allOf", "$defs"), ("oneOf", "anywhere"), ("anyOf", "properties")] {
        assert!(Schema::compile(&chain(5, keyword, place)).unwrap().violations(&json!(1)).len() > 1);
        ends_early(&chain(17, keyword, place), &json!(1));
    }
}

#[test]
fn unions_that_double_with_the_depth_of_the_data_end_early() {
    let mut data = json!(1);
    for _ in 0..17 {
        data = json!({"next": data});
    }
    let twice = json!({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
    ends_early(&twice, &data);
    assert!(check_result(&twice, &data.to_string()).message.unwrap().starts_with("cannot be checked"));
}

#[test]
fn many_branches_for_many_items_end_early() {
    let branches: Vec<Value> = (0..2_000).map(|index| json!({ "const": index })).collect();
    ends_early(&json!({"items": {"anyOf": branches}}), &json!(vec!["a"; 2_000]));
}

#[test]
fn literal_data_is_no_place_for_references() {
    let links = json!({"a": {"anyOf": [{"$ref": "#/const/a"}, {"$ref": "#/const/a"}]}});
    for literal in ["const", "enum"] {
        let refused = Schema::compile(&json!({"$ref": "#/x/a", literal: [links.clone()]}));
        assert_eq!(refused.unwrap_err(), SchemaError::LiteralReference);
    }
    // Data that only looks alike, and members of these names.
    let fine =
        json!({"properties": {"const": {"$ref": "#/$defs/a"}, "enum": {"enum": [{"$ref": 1}]}}, "$defs": {"a": {}}});
    assert!(Schema::compile(&fine).is_ok());
}

#[test]
fn counting_changes_nothing_that_a_schema_means() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"const": {"b": 1}}, "c": {"enum": [{"d": []}]}},
        "patternProperties": {"^x": {"type": "string"}},
        "dependentRequired": {"a": ["c"]},
        "unevaluatedProperties": false
    });
    let schema = Schema::compile(&schema).unwrap();
    assert_eq!(schema.violations(&json!({"a": {"b": 1}, "c": {"d": []}, "xy": "z"})), []);
    assert_eq!(schema.violations(&json!({"x-steps": 1}))[0].keyword, "type", "a name as any other");
    assert_eq!(schema.violations(&json!({"a": {"b": 1}}))[0].keyword, "dependentRequired");
    assert_eq!(schema.violations(&json!({"e": 1}))[0].keyword, "unevaluatedProperties");
}

#[test]
fn a_hundred_violations_are_told() {
    let schema = Schema::compile(&json!({"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}})).unwrap();
    assert_eq!(schema.violations(&json!(vec![1; 5_000])).len(), MOST_VIOLATIONS);
}

#[test]
fn patterns_that_are_slow_by_size_are_refused_or_end_early() {
    for large in ["(a{1000}){100}", "(?=b)(a{1000}){100}", r"\p{L}{10000}"] {
        assert_eq!(Schema::compile(&json!({ "pattern": large })).unwrap_err(), SchemaError::LargePatterns);
    }
    let many: serde_json::Map<String, Value> =
        (0..100).map(|index| (format!("{index}a{{1000}}"), json!(true))).collect();
    let refused = Schema::compile(&json!({"patternProperties": many})).unwrap_err();
    assert_eq!(refused, SchemaError::LargePatterns);
    ends_early(&json!({"pattern": "(x+x+)+y[a-z]{9000}z"}), &json!("x".repeat(1_000_000)));
    ends_early(&json!({"pattern": "(((?=a)a){100}){80}b"}), &json!("a".repeat(100_000)));
    ends_early(&json!({"items": {"format": "regex"}}), &json!(vec!["((a{100}){100}){100}"; 10]));
}

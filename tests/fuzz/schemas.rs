//! JSON Schemas as users write them, and worse.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};
use shared_core::schemas::{MOST_VIOLATIONS, Schema, check_result, harden, summary};

use crate::{harness::Target, hostile};

/// Schemas with any data.
pub(crate) struct Schemas;

impl Target for Schemas {
    const NAME: &'static str = "schemas";
    const CASES: u32 = 1_500;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let schema = any_schema(u)?;
        let mut hardened = schema.clone();
        harden(&mut hardened);
        let mut again = hardened.clone();
        harden(&mut again);
        assert_eq!(again, hardened, "a hardened schema stays as it is");
        for schema in [&schema, &hardened] {
            let Ok(compiled) = Schema::compile(schema) else { continue };
            let data = any_data(u, 4)?;
            let violations = compiled.violations(&data);
            assert!(violations.len() <= MOST_VIOLATIONS, "{schema}");
            assert_eq!(violations.is_empty(), summary(&violations).is_empty(), "{schema} with {data}");
            assert_eq!(compiled.violations(&data), violations, "the same each time");
        }
        Ok(())
    }
}

/// Answers of models, held against response schemas.
pub(crate) struct Answers;

impl Target for Answers {
    const NAME: &'static str = "answers-under-schemas";
    const CASES: u32 = 1_500;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let schema = any_schema(u)?;
        let mut answer = any_data(u, 4)?.to_string();
        if u.ratio(1, 4)? {
            answer = hostile::mutated_text(u, &answer)?;
        }
        let checked = check_result(&schema, &answer);
        assert_eq!(checked.is_valid, checked.message.is_none());
        if checked.is_valid {
            let tidied: Value = serde_json::from_str(&checked.text).expect("a valid answer is JSON");
            assert_eq!(Schema::compile(&schema).expect("it was compiled").violations(&tidied), [], "{schema}");
            assert_eq!(check_result(&schema, &checked.text), checked, "what was tidied stays as it is");
        } else {
            assert_eq!(checked.text, answer, "what is not valid stays as it came");
        }
        Ok(())
    }
}

/// A schema with a few definitions that refer to each other.
fn any_schema(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut schema = subschema(u, 4)?;
    if u.ratio(1, 12)? {
        schema = hostile::any_json(u, 3)?;
    }
    if let Value::Object(members) = &mut schema {
        let definitions: Map<String, Value> =
            ["a", "b", "c"].into_iter().map(|name| Ok((name.to_owned(), subschema(u, 2)?))).collect::<Result<_>>()?;
        members.insert("$defs".to_owned(), Value::Object(definitions));
    }
    if u.ratio(1, 6)? {
        hostile::mutate(u, &mut schema)?;
    }
    Ok(schema)
}

fn subschema(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    const TYPES: &[&str] = &["object", "array", "string", "number", "integer", "boolean", "null", "text"];
    const REFERENCES: &[&str] = &[
        "#",
        "#/$defs/a",
        "#/$defs/b",
        "#/$defs/c",
        "#/properties/a",
        "#/const/a",
        "#x",
        "other.json",
        "http://a/b",
        "%",
    ];
    const PATTERNS: &[&str] = &[
        "^a+$",
        "(a+)+$",
        "(?!a)b*",
        r"\d{2,4}",
        "[",
        "(a{50}){50}",
        r"^\p{L}{1,20}$",
        r"(a)\1*",
        "a|b|",
        "^(?:a?){20}a{20}$",
    ];
    const FORMATS: &[&str] =
        &["email", "uuid", "uri", "date-time", "regex", "ipv6", "idn-hostname", "duration", "byte"];
    if depth == 0 || u.ratio(1, 10)? {
        return Ok(json!(u.arbitrary::<bool>()?));
    }
    let mut members = Map::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let (keyword, value) = match u.int_in_range(0..=14)? {
            0 => ("type", json!(u.choose(TYPES)?)),
            1 => ("type", json!([u.choose(TYPES)?, u.choose(TYPES)?])),
            2 => ("$ref", json!(u.choose(REFERENCES)?)),
            3 | 4 => (*u.choose(&["anyOf", "oneOf", "allOf", "prefixItems"])?, subschemas(u, depth)?),
            5 | 6 => {
                let named = (0..u.int_in_range(0..=3)?).map(|_| Ok((name(u)?, subschema(u, depth - 1)?)));
                let named: Map<String, Value> = named.collect::<Result<_>>()?;
                (*u.choose(&["properties", "properties", "dependentSchemas", "$defs"])?, Value::Object(named))
            }
            7 => ("patternProperties", json!({*u.choose(PATTERNS)?: subschema(u, depth - 1)?})),
            8 => {
                const ONE: &[&str] = &[
                    "not",
                    "if",
                    "then",
                    "else",
                    "items",
                    "contains",
                    "additionalProperties",
                    "propertyNames",
                    "unevaluatedProperties",
                    "unevaluatedItems",
                    "anything",
                ];
                (*u.choose(ONE)?, subschema(u, depth - 1)?)
            }
            9 => ("pattern", json!(u.choose(PATTERNS)?)),
            10 => ("format", json!(u.choose(FORMATS)?)),
            11 => (*u.choose(&["const", "enum", "default", "examples"])?, any_data(u, 2)?),
            12 => {
                const LIMITS: &[&str] = &[
                    "minimum",
                    "maximum",
                    "exclusiveMinimum",
                    "multipleOf",
                    "minLength",
                    "maxLength",
                    "minItems",
                    "maxItems",
                    "minProperties",
                    "maxContains",
                ];
                (*u.choose(LIMITS)?, hostile::number(u)?)
            }
            13 => ("required", json!([name(u)?, name(u)?])),
            _ => ("uniqueItems", json!(true)),
        };
        members.insert(keyword.to_owned(), value);
    }
    Ok(Value::Object(members))
}

fn subschemas(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    (0..u.int_in_range(0..=3)?).map(|_| subschema(u, depth - 1)).collect()
}

fn name(u: &mut Unstructured<'_>) -> Result<String> {
    Ok((*u.choose(&["a", "b", "const", "$ref", "", "x-steps", "~1"])?).to_owned())
}

/// Data with the names that the schemas speak of.
fn any_data(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 3 } else { 6 })? {
        0 => Value::Null,
        1 => hostile::number(u)?,
        2 => json!("a".repeat(u.int_in_range(0..=40)?)),
        3 => json!(hostile::text(u)?),
        4 => (0..u.int_in_range(0..=4)?).map(|_| any_data(u, depth - 1)).collect::<Result<Value>>()?,
        _ => {
            let members = (0..u.int_in_range(0..=3)?).map(|_| Ok((name(u)?, any_data(u, depth - 1)?)));
            Value::Object(members.collect::<Result<Map<_, _>>>()?)
        }
    })
}

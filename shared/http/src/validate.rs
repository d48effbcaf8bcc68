//! Checks a part of a request against the very schema that the OpenAPI document shows for it, so that every violation is
//! reported at once and documentation and behaviour cannot drift apart.

use std::{
    any::{TypeId, type_name},
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared_core::{
    files::FileError,
    schemas::{Schema, Violation},
    secret::without_values,
};
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    formats::FORMATS,
    issue::{Issue, Part},
    openapi::without_nullable_options,
};

/// What is worked out for a type at its first use and kept for the life of the process.
pub(crate) struct PerType<V>(LazyLock<Mutex<HashMap<TypeId, Arc<V>>>>);

impl<V> PerType<V> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// What belongs to `T`, made by `make` at its first use.
    pub(crate) fn of<T: 'static>(&self, make: impl FnOnce() -> V) -> Arc<V> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make())))
    }
}

static COMPILED: PerType<Schema> = PerType::new();

/// The compiled schema of `T`, made from what `describe` says at its first use.
pub(crate) fn compiled<T: 'static>(describe: impl FnOnce() -> Value) -> Arc<Schema> {
    COMPILED.of::<T>(|| {
        let schema = Schema::compile_with_formats(&describe(), FORMATS);
        schema.unwrap_or_else(|error| panic!("the schema of {} is broken: {error}", type_name::<T>()))
    })
}

/// Reads a body as `T`: first against its schema, then by its decoder.
pub fn parse_body<T: ToSchema + DeserializeOwned + 'static>(value: Value) -> Result<T, ApiError> {
    parse(&compiled::<T>(self_contained::<T>), value, Part::Body)
}

/// Reads a value that must satisfy `schema` as `T`.
pub(crate) fn parse<T: DeserializeOwned>(schema: &Schema, value: Value, part: Part) -> Result<T, ApiError> {
    let violations = schema.violations(&value);
    if !violations.is_empty() {
        return Err(ApiError::Validation(issues(&violations, part)));
    }
    // What a schema cannot say, such as the size of an integer type, the decoder still may.
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        let field = if field == "." { "request".to_owned() } else { field.replace(['[', ']'], ".").replace("..", ".") };
        ApiError::invalid(Issue::new(part, field.trim_end_matches('.'), without_values(error.inner())))
    })
}

/// The schema of `T` with everything that it refers to.
fn self_contained<T: ToSchema>() -> Value {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    let parts: serde_json::Map<String, Value> = parts.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    let mut schema = json!(T::schema());
    schema["components"] = json!({ "schemas": parts });
    without_nullable_options(&mut schema);
    schema
}

/// Violations as the contract reports them: unknown members in one issue about the whole object, the rest by member.
fn issues(violations: &[Violation], part: Part) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut unknown = Vec::new();
    let is_union = |violation: &&Violation| matches!(violation.keyword.as_str(), "anyOf" | "oneOf");
    let unions: Vec<&Violation> = violations.iter().filter(is_union).collect();
    for violation in violations.iter().filter(|violation| !unions.iter().any(|union| is_branch(violation, union))) {
        let member = |name: &str| violation.params[name].as_str().unwrap_or_default().to_owned();
        match violation.keyword.as_str() {
            "additionalProperties" => unknown.push(dotted(&violation.instance_path, &member("additionalProperty"))),
            "required" => {
                let field = dotted(&violation.instance_path, &member("missingProperty"));
                issues.push(Issue::new(part, field, "is required"));
            }
            // The name that OpenAPI has for base64 says nothing to people.
            "format" if violation.params["format"] == "byte" => {
                let message = FileError::NotBase64.to_string();
                issues.push(Issue::new(part, dotted(&violation.instance_path, ""), message));
            }
            "anyOf" | "oneOf" => {
                let branches = violations.iter().filter(|other| is_branch(other, violation));
                let mut messages: Vec<&str> = branches.map(|branch| branch.message.as_str()).collect();
                messages.dedup();
                issues.push(Issue::new(part, dotted(&violation.instance_path, ""), messages.join(" or ")));
            }
            _ => issues.push(Issue::new(part, dotted(&violation.instance_path, ""), violation.message.clone())),
        }
    }
    if !unknown.is_empty() {
        issues.push(Issue::whole(part, format!("unknown members: {}", unknown.join(", "))));
    }
    issues
}

/// Whether a violation is why one branch of a union does not fit; the union then tells it, in one issue.
fn is_branch(violation: &Violation, union: &Violation) -> bool {
    let is_below = |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
    is_below(&violation.schema_path, &union.schema_path)
        && (violation.instance_path == union.instance_path || is_below(&violation.instance_path, &union.instance_path))
}

/// `/a/0` and `b` as `a.0.b`; nothing at all as `request`.
fn dotted(pointer: &str, member: &str) -> String {
    let unescaped = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let steps: Vec<String> = unescaped.chain((!member.is_empty()).then(|| member.to_owned())).collect();
    if steps.is_empty() { "request".to_owned() } else { steps.join(".") }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[schema(min_length = 1)]
        name: String,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(default)]
        note: Option<String>,
        #[serde(default)]
        #[schema(format = "email")]
        email: Option<String>,
    }

    #[derive(Debug, Deserialize, ToSchema)]
    struct Item {
        #[schema(minimum = 1)]
        count: u8,
    }

    fn issues_of(value: Value) -> Vec<(String, String)> {
        match parse_body::<Order>(value) {
            Err(ApiError::Validation(issues)) => issues.into_iter().map(|issue| (issue.field, issue.message)).collect(),
            other => panic!("expected issues, got {other:?}"),
        }
    }

    #[test]
    fn reports_every_issue_at_once_with_dotted_fields() {
        let issues = issues_of(json!({
            "items": [{"count": 1}, {"count": 0, "unknown": true}, {}], "note": null, "email": "nobody", "a": 1, "b": 2
        }));
        let fields: Vec<&str> = issues.iter().map(|(field, _)| field.as_str()).collect();
        for field in ["name", "items.1.count", "items.2.count", "note", "email"] {
            assert!(fields.contains(&field), "{field} in {issues:?}");
        }
        let whole: Vec<_> = issues.iter().filter(|(field, _)| field == "request").collect();
        assert_eq!(whole.len(), 1, "{issues:?}");
        assert!(whole[0].1.contains("a, b"));
    }

    #[test]
    fn a_union_that_does_not_fit_is_one_issue() {
        #[derive(Debug, Deserialize, ToSchema)]
        struct Either {
            #[schema(schema_with = text_or_list)]
            #[serde(rename = "value")]
            _value: Value,
        }
        fn text_or_list() -> utoipa::openapi::Schema {
            use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
            let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
            OneOfBuilder::new().item(text()).item(ArrayBuilder::new().items(text())).into()
        }
        for (value, message) in [
            (json!(""), "must be at least 1 character long or must be array"),
            (json!(["", ""]), "must be string or must be at least 1 character long"),
        ] {
            let Err(ApiError::Validation(issues)) = parse_body::<Either>(json!({ "value": value })) else {
                panic!("{value} does not fit");
            };
            assert_eq!(issues, [Issue::new(Part::Body, "value", message)]);
        }
        assert!(parse_body::<Either>(json!({"value": ["a"]})).is_ok());
    }

    #[test]
    fn the_decoder_has_the_last_word() {
        assert_eq!(issues_of(json!({"name": "x", "items": [{"count": 300}]}))[0].0, "items.0.count");
        assert!(issues_of(json!([])).iter().any(|(field, _)| field == "request"));
    }

    #[test]
    fn unknown_members_of_nested_objects_are_dropped() {
        let order: Order = parse_body(json!({"name": "x", "items": [{"count": 1, "colour": "red"}]})).unwrap();
        assert_eq!((order.name.as_str(), order.items[0].count), ("x", 1));
        assert!(order.note.is_none() && order.email.is_none());
    }
}

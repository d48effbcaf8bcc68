//! Holds every answer that a test gets against `docs/openapi.json`, so that documentation and behaviour cannot drift apart.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use http::{Method, StatusCode, header};
use serde_json::Value;
use shared_core::schemas::Schema;

use crate::http::Answer;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(api_system::OPENAPI_DOCUMENT).expect("the document is JSON"));

/// The schemas in use, by where they stand in the document.
static SCHEMAS: LazyLock<Mutex<HashMap<String, Arc<Schema>>>> = LazyLock::new(Mutex::default);

/// Fails unless the document describes this answer. Paths and methods that it does not know are none of its business.
pub(crate) fn assert_documented(method: &Method, path: &str, answer: &Answer) {
    let Some((pattern, operation)) = find_operation(method, path) else {
        return;
    };
    // A path that is no text is refused before any operation (decision R-04).
    if answer.status == StatusCode::BAD_REQUEST && answer.json().get("data").is_none() {
        return;
    }
    let (status, text) = (answer.status.as_u16().to_string(), &answer.text);
    let what = format!("{method} {pattern} with status {status}");
    let Some(response) = operation["responses"].get(&status) else {
        panic!("docs/openapi.json does not know {what}: {text}");
    };
    let Some(content) = response.get("content") else {
        assert!(text.is_empty(), "docs/openapi.json knows no body of {what}: {text}");
        return;
    };
    let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let is_known = content.get(essence).or_else(|| content.get("*/*")).is_some();
    assert!(is_known, "docs/openapi.json does not know {what} as \"{essence}\"");
    if essence == "application/json" && !text.is_empty() {
        let method = method.as_str().to_lowercase();
        let place = ["#", "paths", pattern, &method, "responses", &status, "content", essence, "schema"];
        let violations = schema_at(&place).violations(&answer.json());
        assert!(violations.is_empty(), "{what} is not as docs/openapi.json says: {violations:#?} in {text}");
    }
}

/// The operation that serves a path, and the path as the document writes it.
fn find_operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let given: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let serves = |pattern: &&String| {
        let segments: Vec<&str> = pattern.split('/').collect();
        let fits = |(segment, text): (&&str, &&str)| {
            segment.starts_with('{') && !text.is_empty() || segment.eq_ignore_ascii_case(text)
        };
        segments.len() == given.len() && segments.iter().zip(&given).all(fits)
    };
    let paths = DOCUMENT["paths"].as_object()?;
    // Literal segments win over parameters.
    let pattern = paths.keys().filter(serves).min_by_key(|pattern| pattern.matches('{').count())?;
    let operation = paths[pattern].get(method.as_str().to_lowercase())?;
    Some((pattern, operation))
}

/// The compiled schema at this place of the document.
fn schema_at(place: &[&str]) -> Arc<Schema> {
    let escaped = place.iter().map(|step| step.replace('/', "~1").replace('{', "%7B").replace('}', "%7D"));
    let pointer = escaped.collect::<Vec<_>>().join("/");
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = schemas.entry(pointer).or_insert_with_key(|pointer| {
        let mut schema = DOCUMENT.clone();
        schema["$ref"] = pointer.as_str().into();
        Arc::new(Schema::compile_with_formats(&schema, &[]).unwrap_or_else(|error| panic!("{pointer}: {error}")))
    });
    Arc::clone(compiled)
}

//! The OpenAPI 3.1 document, made from the same types and table that serve the requests.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema, openapi::OpenApi};

use crate::{
    access::{Access, Keys, RULES},
    error::{BareError, ErrorEnvelope, ValidationErrorEnvelope},
};

/// Turns "may be null" into "may be absent" everywhere below: optional members without a value are left out, never null
/// (contract 1.4), and requests are held to the same rule. Integer sizes of Rust are dropped on the way.
pub(crate) fn without_nullable_options(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_nullable_options),
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(branches)) = members.get_mut("oneOf") {
                branches.retain(|branch| branch != &json!({"type": "null"}));
                if let [Value::Object(only)] = branches.as_slice() {
                    let only = only.clone();
                    members.remove("oneOf");
                    members.extend(only);
                }
            }
            if members
                .get("format")
                .is_some_and(|format| ["int32", "int64", "double"].iter().any(|size| format == size))
            {
                members.remove("format");
            }
            members.values_mut().for_each(without_nullable_options);
        }
        _ => {}
    }
}

/// The complete document of the given routers: their operations and types, and what holds for all of them.
pub fn document(parts: impl IntoIterator<Item = OpenApi>) -> Value {
    let mut whole = OpenApi::default();
    for part in parts {
        whole.merge(part);
    }
    let mut document = json!(whole);
    document["info"] = json!({
        "title": "Prompt management API",
        "version": "1.0.0",
        "description": "Success bodies are {\"data\": ...}. Errors of operations are {\"data\": {error, message?, details?}}. \
            Validation failures are 422 {\"error\": [{field, type, message}]}. What is refused before an operation \
            answers a bare {error, message}. Optional members without a value are left out, never null. Paths match \
            without regard to letter case and with or without a trailing slash.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    without_nullable_options(&mut document);
    add_common_parts(&mut document);
    inline_envelopes(&mut document);
    for rule in RULES {
        let operation = &mut document["paths"][rule.path][rule.method.to_ascii_lowercase()];
        if operation.is_object() {
            describe_access(operation, rule.access);
            shorten_summary(operation);
        }
    }
    document
}

/// Error types and security schemes.
fn add_common_parts(document: &mut Value) {
    let mut parts = vec![
        (ErrorEnvelope::name(), ErrorEnvelope::schema()),
        (ValidationErrorEnvelope::name(), ValidationErrorEnvelope::schema()),
        (BareError::name(), BareError::schema()),
    ];
    let mut inner = Vec::new();
    ErrorEnvelope::schemas(&mut inner);
    ValidationErrorEnvelope::schemas(&mut inner);
    parts.extend(inner.into_iter().map(|(name, schema)| (name.into(), schema)));
    for (name, schema) in parts {
        let mut schema = json!(schema);
        without_nullable_options(&mut schema);
        document["components"]["schemas"][name.as_ref()] = schema;
    }
    document["components"]["securitySchemes"] = json!({
        "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "cookieAuth": {"type": "apiKey", "in": "cookie", "name": "auth-token",
            "description": "The same token, accepted for GET and HEAD only."},
        "apiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "Examined before the session; a wrong key fails the request even beside a valid session."},
    });
}

/// Replaces references to the generic envelopes (`Data_…`, `PageOf_…`) by what they stand for.
fn inline_envelopes(document: &mut Value) {
    let envelopes: Map<String, Value> = match document["components"]["schemas"].as_object_mut() {
        Some(schemas) => {
            // Pages are written out where they are used.
            schemas.shift_remove("PageOf");
            let names: Vec<String> = schemas.keys().filter(|name| name.starts_with("Data_")).cloned().collect();
            names.into_iter().filter_map(|name| schemas.shift_remove(&name).map(|schema| (name, schema))).collect()
        }
        None => Map::new(),
    };
    inline(document, &envelopes);
}

fn inline(value: &mut Value, envelopes: &Map<String, Value>) {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/")).map(str::to_owned);
    if let Some(envelope) = target.and_then(|name| envelopes.get(&name)) {
        *value = envelope.clone();
        value.as_object_mut().map(|members| members.shift_remove("description"));
        value["additionalProperties"] = json!(false);
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| inline(item, envelopes)),
        Value::Object(members) => members.values_mut().for_each(|member| inline(member, envelopes)),
        _ => {}
    }
}

/// The comments of handlers start with method and path, which the document says already.
fn shorten_summary(operation: &mut Value) {
    let rest = operation["summary"].as_str().and_then(|text| text.split_once("`: ")).map(|(_, rest)| rest.to_owned());
    if let Some(rest) = rest {
        operation["summary"] = json!(rest);
    }
}

/// Security and the answers that the layers before an operation may give.
fn describe_access(operation: &mut Value, access: Access) {
    let refused = |what: &str, schema: &str| {
        let reference = format!("#/components/schemas/{schema}");
        json!({"description": what, "content": {"application/json": {"schema": {"$ref": reference}}}})
    };
    operation["security"] = match access {
        Access::Public => json!([]),
        Access::SignedIn { keys, .. } => {
            let mut ways = vec![json!({"bearerAuth": []}), json!({"cookieAuth": []})];
            if let Keys::Scope(scope) = keys {
                ways.push(json!({"apiKeyAuth": [scope.as_str()]}));
                operation["x-api-key-scope"] = json!(scope.as_str());
            }
            json!(ways)
        }
    };
    let responses = &mut operation["responses"];
    if let Access::SignedIn { .. } = access {
        responses["401"] = refused("No, wrong or expired credentials.", "MiddlewareError");
        responses["403"] = refused("The caller's role or API key does not allow this.", "MiddlewareError");
    }
    responses["422"] = refused("Path, query or body violate the contract.", "ValidationErrorEnvelope");
    responses["500"] = refused("Unexpected failure.", "ErrorEnvelope");
    if let Some(responses) = responses.as_object_mut() {
        responses.sort_keys();
    }
}

//! The OpenAPI 3.1 document, made from the same types and table that serve the requests.

mod answers;
mod names;
mod rules;
#[cfg(test)]
mod tests;

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
            // A schema that lists null among its values means it: the input type of embeddings.
            let lists_null =
                members.get("enum").and_then(Value::as_array).is_some_and(|list| list.contains(&Value::Null));
            if let Some(Value::Array(types)) = members.get_mut("type").filter(|_| !lists_null) {
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
            // Members always have texts as names.
            if members.get("propertyNames").is_some_and(|names| names == &json!({"type": "string"})) {
                members.shift_remove("propertyNames");
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
    finish(&mut document);
    for rule in RULES {
        let operation = &mut document["paths"][rule.path][rule.method.to_ascii_lowercase()];
        if operation.is_object() {
            describe_access(operation, rule.access);
            shorten_summary(operation);
        }
    }
    document
}

/// Brings the schemas into the contract's form.
fn finish(document: &mut Value) {
    rules::merge_all_of(document);
    names::name_shapes(document);
    rules::add_order_defaults(document);
    answers::close_answers(document);
    rules::add_rules(document);
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

/// How the names of types around an answer's data begin.
const ENVELOPES: [&str; 2] = ["Data_", "DashboardData_"];

/// Replaces references to the generic envelopes (`Data_…`) by what they stand for, and makes their pages components.
fn inline_envelopes(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let content_of = |name: &str| ENVELOPES.iter().find_map(|envelope| name.strip_prefix(envelope)).map(str::to_owned);
    let is_generic = |name: &str| name.starts_with("PageOf") || content_of(name).is_some();
    let names: Vec<String> = schemas.keys().filter(|name| is_generic(name)).cloned().collect();
    let generic: Vec<_> = names.into_iter().filter_map(|name| schemas.shift_remove_entry(&name)).collect();
    let mut envelopes = Map::new();
    for (name, mut envelope) in generic {
        let Some(content) = content_of(&name) else { continue };
        // Pages of all kinds would share this name.
        debug_assert!(content != "PageOf", "name the entries in `body = Data<PageOf<...>>`: an alias hides them");
        // A page of summaries is named after what they sum up.
        let page = content.strip_prefix("PageOf_").map(|entry| entry.strip_suffix("Summary").unwrap_or(entry));
        let data = &mut envelope["properties"]["data"];
        if schemas.contains_key(&content) {
            *data = names::reference(&content);
        } else if let Some(page) = page.map(|entry| format!("{entry}Page")) {
            let page_schema = std::mem::replace(data, names::reference(&page));
            schemas.insert(page, page_schema);
        }
        envelope["additionalProperties"] = json!(false);
        envelope.as_object_mut().map(|members| members.shift_remove("description"));
        envelopes.insert(name, envelope);
    }
    inline(document, &envelopes);
}

fn inline(value: &mut Value, envelopes: &Map<String, Value>) {
    if let Some(envelope) = names::referred(value).and_then(|name| envelopes.get(name)) {
        *value = envelope.clone();
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
            if keys == Keys::AnyScope {
                ways.push(json!({"apiKeyAuth": []}));
                operation["x-api-key-scope"] = json!("any");
            }
            json!(ways)
        }
    };
    let responses = &mut operation["responses"];
    if let Access::SignedIn { .. } = access {
        responses["401"] = refused("No, wrong or expired credentials.", "MiddlewareError");
        responses["403"] = refused("The caller's role or API key does not allow this.", "MiddlewareError");
    }
    if let Access::SignedIn { keys: Keys::Scope(_) | Keys::AnyScope, .. } = access {
        responses["429"] = refused("The API key has made as many requests as it may for now.", "MiddlewareError");
        responses["429"]["headers"] = json!({"Retry-After": {
            "description": "After how many seconds the same request may succeed.",
            "schema": {"type": "integer", "minimum": 1},
        }});
    }
    responses["422"] = refused("Path, query or body violate the contract.", "ValidationErrorEnvelope");
    let own_failure = responses["500"]["content"]["application/json"]["schema"].clone();
    responses["500"] = refused("Unexpected failure.", "ErrorEnvelope");
    if !own_failure.is_null() {
        let common = names::reference("ErrorEnvelope");
        responses["500"]["content"]["application/json"]["schema"] = json!({"anyOf": [common, own_failure]});
    }
    // Health has one of its own.
    if responses["503"].is_null() {
        responses["503"] = refused("The database has not been migrated to this version yet.", "ErrorEnvelope");
    }
    if let Some(responses) = responses.as_object_mut() {
        responses.sort_keys();
    }
}

//! What is sent wrongly: to every operation wrong credentials, to every operation that takes a secret broken bodies; and
//! faults of our own.

use serde_json::{Map, Value, json};
use shared_core::{
    config::{self, Env},
    db::Statement,
    params,
};
use shared_http::{ApiConfig, App, OpenApiRouter, access::RULES, routes};
use tests::{Call, environment};

use super::{
    Planted,
    planted::{Kind, marker},
};

const SOME_ID: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

fn path_of(template: &str) -> String {
    let path = template.replace("{type}", "llm-api-key").replace("{identifier}", "x").replace("{pattern}", "x");
    path.replace("{id}", SOME_ID).replace("{groupId}", SOME_ID).replace("{name}", "x")
}

/// Wrong credentials of every form at every operation.
pub(super) async fn credentials(planted: &mut Planted) {
    let wrong = planted.secret("wrong credentials");
    let key = planted.plant("a wrong API key", Kind::Secret, format!("api_{}", &marker("a wrong API key")[4..]));
    let jwt = planted.app.token_of("viewer@example.com").expect("somebody signed up");
    let (claims, _) = jwt.rsplit_once('.').expect("a token with a signature");
    let forged = planted.plant("a forged token", Kind::Secret, format!("{claims}.{}", marker("a forged signature")));
    for rule in RULES {
        let path = path_of(rule.path);
        let attempts = [
            ("authorization", format!("Bearer {wrong}")),
            ("authorization", format!("Basic {wrong}")),
            ("authorization", format!("Bearer {forged}")),
            ("cookie", format!("auth-token={wrong}")),
            ("x-api-key", key.clone()),
            ("x-api-key", wrong.clone()),
        ];
        for (header, value) in attempts {
            let call = planted.app.call(rule.method, &path).header(header, &value);
            planted.send(&format!("{} {path} with {header}", rule.method), call).await;
        }
    }
}

/// Members of request bodies that hold secrets.
fn is_secret(member: &str) -> bool {
    ["password", "secret", "token", "api_key"].iter().any(|word| member.to_lowercase().contains(word))
}

/// The schema behind a reference.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect("a schema of the document"),
        None => schema,
    }
}

/// Paths to the secret members of a schema, and what stands around them.
fn secret_members(document: &Value, schema: &Value, depth: usize) -> Vec<Vec<String>> {
    let schema = resolved(document, schema);
    let mut found = Vec::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        if is_secret(name) {
            found.push(vec![name.clone()]);
        }
        if depth < 4 {
            let inner = secret_members(document, member, depth + 1);
            found.extend(inner.into_iter().map(|path| [vec![name.clone()], path].concat()));
        }
    }
    for alternative in
        ["oneOf", "anyOf", "allOf"].iter().flat_map(|word| schema[*word].as_array().into_iter().flatten())
    {
        found.extend(secret_members(document, alternative, depth));
    }
    found
}

fn within(path: &[String], value: Value) -> Value {
    let wrap = |inner: Value, name: &String| Value::Object(Map::from_iter([(name.clone(), inner)]));
    path.iter().rev().fold(value, wrap)
}

/// Broken bodies with a secret in them, at every operation whose body has a place for one.
pub(super) async fn bodies(planted: &mut Planted, admin: &str) {
    let document = planted.app.openapi();
    let mut tried = 0;
    for (template, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            for member in secret_members(&document, schema, 0) {
                tried += 1;
                let what = format!("{method} {template} {}", member.join("."));
                let secret = planted.secret(&what);
                for body in broken(&member, &secret) {
                    let call = planted.app.call(&method.to_uppercase(), &path_of(template)).bearer(admin);
                    planted.send(&what, call.text("application/json", body)).await;
                }
            }
        }
    }
    assert!(tried >= 8, "only {tried} members that hold secrets");
}

fn broken(member: &[String], secret: &str) -> Vec<String> {
    let kinds = ["llm-api-key", "service-api-key", "webhook-destination", secret];
    let values = [json!([secret]), json!({ secret: secret }), json!(secret), json!([[{ "a": secret }]])];
    let mut bodies: Vec<String> = values
        .iter()
        .flat_map(|value| {
            kinds.iter().map(|kind| {
                let mut body = within(member, value.clone());
                body["type"] = json!(kind);
                body["email"] = json!(secret);
                body.to_string()
            })
        })
        .collect();
    let plain = within(member, json!(secret)).to_string();
    bodies.extend([
        plain[..plain.len() - 1].to_owned(),
        format!("{plain} {secret}"),
        plain.replace('"', "'"),
        format!("\"{secret}\""),
    ]);
    bodies.push(json!([secret]).to_string());
    bodies.push(within(member, json!(format!("{secret}\u{0}"))).to_string());
    bodies
}

#[utoipa::path(get, path = "/api/health", operation_id = "panicking", responses((status = 200)))]
async fn panicking() {
    let text = format!("ü{}", marker("what a handler worked on"));
    // As a text of people that is cut between two bytes of a letter.
    let _cut = &text[1..];
}

/// A handler that panics with what it worked on.
pub(super) async fn panics(planted: &mut Planted) {
    planted.secret("what a handler worked on");
    let routes = OpenApiRouter::new().routes(routes!(panicking));
    // It is open to everybody, so neither the database nor a vendor is asked.
    let variables = Env::new(environment("file:nowhere", "http://127.0.0.1:9"));
    let app = App::new(&config::load_from(variables, ApiConfig::read).expect("a complete configuration"));
    let service = shared_http::service(routes, &app);
    let call = Call::new(service, "GET", "/api/health");
    assert_eq!(planted.send("a panic", call).await.status.as_u16(), 500);
}

/// Rows that cannot be read, whose readers complain about what stands there.
pub(super) async fn damaged_rows(planted: &mut Planted, admin: &str) {
    let stored = planted.text("what stands in a damaged row");
    let trigger =
        json!({"job": {"type": "webhook-delivery", "data": {"url": format!("{}/hook", planted.app.receiver.url())}}});
    planted.app.post("/api/v1/jobs/single/trigger", admin, &trigger).send().await.data(201);
    let damage = |table: &str, member: &str| {
        let sql = format!("UPDATE {table} SET data = json_set(data, '{member}', ?1)");
        Statement::new(sql, params![&stored])
    };
    let writes = vec![
        damage("prompts", "$.current_version"),
        damage("comments", "$.data.type"),
        damage("jobs", "$.data"),
        damage("settings", "$.provider"),
    ];
    planted.app.db.write(writes).await.expect("the database answers");
    for path in [
        "/api/v1/prompts",
        "/api/v1/comments",
        "/api/v1/jobs",
        "/api/v1/settings",
        "/api/v1/executions/providers/health",
    ] {
        let call = planted.app.get(path, admin);
        planted.send("a damaged row", call).await;
    }
    planted.app.run_webhooks().await;
}

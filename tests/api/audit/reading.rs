//! `GET /api/v1/audit`: who reads the log, how it is filtered and exported, and how long it is kept.

use serde_json::{Value, json};
use shared_core::{Timestamp, api_keys::Scope, db::Statement, params, users::Role};
use tests::{TestApp, redacted};

use super::{entries, id};

const AUDIT: &str = "/api/v1/audit";

async fn page(app: &TestApp, token: &str, query: &str) -> Value {
    app.get(&format!("{AUDIT}?{query}"), token).send().await.data(200)
}

fn actions(page: &Value) -> Vec<&str> {
    let entries = page["data"].as_array().expect("a list");
    entries.iter().map(|entry| entry["action"].as_str().expect("an action")).collect()
}

async fn prompt(app: &TestApp, token: &str, name: &str) -> String {
    let body = json!({"name": name, "prompt": "Say hello"});
    id(&app.post("/api/v1/prompts", token, &body).send().await.data(201))
}

#[tokio::test]
async fn an_entry_tells_who_changed_what_from_how_to_how() {
    let (app, token) = TestApp::with_admin().await;
    let prompt = prompt(&app, &token, "greeting").await;
    let edit = json!({"name": "farewell"});
    let answer = app.put(&format!("/api/v1/prompts/{prompt}"), &token, &edit).send().await;
    let found = page(&app, &token, "action=prompt.updated").await;
    assert_eq!(found["data"][0]["requestId"], answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(
        redacted(&found),
        json!({
            "data": [{
                "id": "<id>",
                "at": "<time>",
                "action": "prompt.updated",
                "actor": {
                    "kind": "user", "id": "<id>", "name": "admin@example.com", "email": "admin@example.com", "role": "admin",
                },
                "resource": {"type": "prompt", "id": "<id>"},
                "before": {"currentVersion": 1, "name": "[withheld]"},
                "after": {"currentVersion": 2, "name": "[withheld]"},
                "requestId": "<id>",
            }],
            "total": 1, "page": 1, "limit": 10, "totalPages": 1, "hasNext": false, "hasPrev": false,
        })
    );
}

#[tokio::test]
async fn a_program_is_named_by_its_key_and_its_owner() {
    let (app, admin) = TestApp::with_providers().await;
    app.sign_up("owner@example.com", Role::User).await;
    let key = app.add_api_key("owner@example.com", &[Scope::ExecutionsRun]).await;
    let run = json!({"promptText": "Say hello", "userInput": "x", "providerModel": ["ollama:demo:latest"]});
    app.call("POST", "/api/v1/executions").api_key(&key).json(&run).send().await.data(201);
    let found = page(&app, &admin, "resourceType=execution").await;
    let actor = &found["data"][0]["actor"];
    assert_eq!(
        (&actor["kind"], &actor["email"], &actor["role"]),
        (&json!("api-key"), &json!("owner@example.com"), &json!("user"))
    );
    assert!(actor["apiKeyId"].is_string(), "{actor}");
    let owner = actor["id"].as_str().expect("an id");
    assert_eq!(
        actions(&page(&app, &admin, &format!("actorId={owner}")).await),
        ["execution.created", "user.signed-in"]
    );
}

#[tokio::test]
async fn only_admins_with_a_session_read_the_log() {
    let (app, _) = TestApp::with_admin().await;
    for role in [Role::Viewer, Role::User] {
        let token = app.sign_up(&format!("{}@example.com", role.as_str()), role).await;
        assert_eq!(app.get(AUDIT, &token).send().await.bare(403), "Forbidden");
    }
    let key = app.add_api_key("admin@example.com", &[Scope::ExecutionsRun]).await;
    assert_eq!(app.call("GET", AUDIT).api_key(&key).send().await.bare(403), "Forbidden");
    assert_eq!(app.call("GET", AUDIT).send().await.bare(401), "Unauthorized");
}

#[tokio::test]
async fn filters_combine_and_unknown_ones_are_refused() {
    let (app, token) = TestApp::with_admin().await;
    let first = prompt(&app, &token, "first").await;
    prompt(&app, &token, "second").await;
    app.delete(&format!("/api/v1/prompts/{first}"), &token).send().await;
    let by_resource = page(&app, &token, &format!("resourceId={first}")).await;
    assert_eq!(actions(&by_resource), ["prompt.deleted", "prompt.created"], "newest first");
    let oldest_first = page(&app, &token, "resourceType=prompt&orderDirection=ASC&limit=2").await;
    assert_eq!(actions(&oldest_first), ["prompt.created", "prompt.created"]);
    assert_eq!((&oldest_first["total"], &oldest_first["hasNext"]), (&json!(3), &json!(true)));
    let combined = page(&app, &token, &format!("resourceId={first}&action=prompt.created")).await;
    assert_eq!(combined["total"], 1);
    let today = &Timestamp::now().to_string()[..10];
    assert_eq!(page(&app, &token, &format!("from={today}&to={today}&action=prompt.deleted")).await["total"], 1);
    assert_eq!(page(&app, &token, "to=2026-01-01T00:00:00Z").await["total"], 0);

    let issues = async |query: &str| app.get(&format!("{AUDIT}?{query}"), &token).send().await.issues("query");
    assert_eq!(issues("action=prompt.painted").await, ["action"]);
    assert_eq!(issues("from=yesterday").await, ["from"]);
    assert_eq!(issues("format=xml").await, ["format"]);
    assert_eq!(issues("limit=1001").await, ["limit"]);
}

#[tokio::test]
async fn an_export_has_the_entries_of_the_list_as_lines() {
    let (app, token) = TestApp::with_admin().await;
    for name in ["first", "second", "third"] {
        prompt(&app, &token, name).await;
    }
    let listed = page(&app, &token, "resourceType=prompt&orderDirection=ASC").await;
    let answer = app.get(&format!("{AUDIT}?resourceType=prompt&orderDirection=ASC&format=ndjson"), &token).send().await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"audit.ndjson\"");
    let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json!(lines), listed["data"]);
    assert!(answer.text.ends_with("}\n"));
    let none = app.get(&format!("{AUDIT}?resourceType=nothing&format=ndjson"), &token).send().await;
    assert_eq!((none.status.as_u16(), none.text.as_str()), (200, ""));
}

/// As many entries as this, each with so much text, long before anything else.
async fn fill(app: &TestApp, count: u32, bytes: u32) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO audit_log (id, at, action, actor, resource_type, after)
        SELECT 'old-' || i, '2026-01-01T00:00:00.000Z', 'prompt.created', 'system', 'old',
            json_object('text', hex(zeroblob(?2 / 2))) FROM n";
    app.db.write(vec![Statement::new(sql, params![count, bytes])]).await.expect("the database answers");
}

#[tokio::test]
async fn an_export_ends_while_a_function_can_still_answer_it() {
    let (app, token) = TestApp::with_admin().await;
    fill(&app, 5_200, 0).await;
    let export = async || app.get(&format!("{AUDIT}?resourceType=old&format=ndjson"), &token).send().await.text;
    assert_eq!(export().await.lines().count(), 5_000);

    let (app, token) = TestApp::with_admin().await;
    fill(&app, 1_200, 9_000).await;
    let text = app.get(&format!("{AUDIT}?resourceType=old&format=ndjson"), &token).send().await.text;
    assert!(text.len() < 6 << 20 && text.lines().count() == 500, "{} bytes", text.len());
}

#[tokio::test]
async fn maintenance_deletes_what_is_older_than_it_is_kept() {
    let count = async |app: &TestApp| entries(app).await.len();
    let (app, _) = TestApp::with_variables(&[("AUDIT_RETENTION_DAYS", "30")]).await;
    let signed_in = count(&app).await;
    fill(&app, 700, 0).await;
    let report = app.maintenance.run(Timestamp::now(), None).await.expect("the database answers");
    assert_eq!((report.deleted_audit_entries, count(&app).await), (700, signed_in));

    let (app, _) = TestApp::with_variables(&[("AUDIT_RETENTION_DAYS", "0")]).await;
    fill(&app, 3, 0).await;
    let report = app.maintenance.run(Timestamp::now().plus_seconds(100 * 365 * 86_400), None).await;
    assert_eq!((report.expect("the database answers").deleted_audit_entries, count(&app).await), (0, 4));
}

#[tokio::test]
async fn accounts_that_maintenance_deletes_are_entries_of_the_system() {
    let (app, token) = TestApp::with_admin().await;
    let invite = json!({"email": "late@example.com", "name": "Late", "role": "user"});
    let invited = app.post("/api/v1/users/invite", &token, &invite).send().await.data(201);
    let in_two_weeks = Timestamp::now().plus_seconds(14 * 86_400);
    for _ in 0..2 {
        app.maintenance.run(in_two_weeks, None).await.expect("the database answers");
    }
    let found = page(&app, &token, "action=user.invitations-expired").await;
    assert_eq!((&found["total"], &found["data"][0]["actor"]), (&json!(1), &json!({"kind": "system"})));
    assert_eq!(found["data"][0]["after"], json!({"count": 1, "ids": [id(&invited["user"])]}));
}

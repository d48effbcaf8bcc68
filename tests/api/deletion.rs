//! What deletion promises (`docs/deletion.md`): nothing is left of what was deleted, down to the bytes of the file.

use serde_json::{Value, json};
use shared_core::{ProviderName, params, users::Role};
use shared_testing::vendor::ollama;
use tests::{PASSWORD, TestApp};

/// Texts that stand in the database before anything is deleted, each at least once.
const MARKERS: [&str; 12] = [
    "marked-person@example.com",
    "marked-person-name",
    "Marked/Time-Zone",
    "marked-key-name",
    "marked-file-name",
    "bWFya2VkLWZpbGUtY29udGVudA==",
    "marked-prompt-name",
    "marked-prompt-text",
    "marked-input",
    "marked-answer",
    "marked-reference",
    "marked-quotation",
];

fn id(data: &Value) -> String {
    data["id"].as_str().expect("an id").to_owned()
}

/// Those of the markers that stand in the files of the database.
fn found(app: &TestApp) -> Vec<&'static str> {
    let bytes = app.database_bytes();
    let stands = |marker: &&str| bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
    MARKERS.into_iter().filter(|marker| stands(marker)).collect()
}

/// Writes everything into the one file.
async fn checkpoint(app: &TestApp) {
    app.db.read("PRAGMA wal_checkpoint(TRUNCATE)", params![]).await.expect("nobody reads meanwhile");
}

/// An account with a key, as somebody makes it who accepts an invitation; gives its id and token.
async fn person(app: &TestApp, admin: &str) -> (String, String) {
    let body = json!({"email": MARKERS[0], "name": MARKERS[1], "role": "user", "profile": {"timezone": MARKERS[2]}});
    let invited = app.post("/api/v1/users/invite", admin, &body).send().await.data(201);
    let accept = json!({"invitation_token": invited["invitation_token"], "password": PASSWORD});
    app.call("POST", "/api/v1/auth/activate").json(&accept).send().await.data(200);
    let sign_in = json!({"email": MARKERS[0], "password": PASSWORD});
    let session = app.call("POST", "/api/v1/auth/login").json(&sign_in).send().await.data(200);
    let token = session["token"].as_str().expect("a token").to_owned();
    let key = json!({"name": MARKERS[3], "scopes": ["executions:run"]});
    app.post("/api/v1/api-keys", &token, &key).send().await.data(201);
    (id(&invited["user"]), token)
}

#[tokio::test]
async fn what_is_deleted_leaves_no_byte_behind_and_sums_stay() {
    let (app, admin) = TestApp::with_receiver().await;
    app.vendor.on("POST", "/api/generate", ollama::generated(MARKERS[9]));
    let (user, token) = person(&app, &admin).await;
    let file =
        json!({"name": MARKERS[4], "originalName": "a.txt", "mimeType": "text/plain", "size": 1, "data": MARKERS[5]});
    let file = id(&app.post("/api/v1/files", &token, &file).send().await.data(201));
    let prompt = json!({"name": MARKERS[6], "prompt": MARKERS[7], "options": {"acceptFileUpload": false}});
    let prompt = id(&app.post("/api/v1/prompts", &token, &prompt).send().await.data(201));
    let edit = json!({"prompt": format!("{} again", MARKERS[7])});
    app.put(&format!("/api/v1/prompts/{prompt}"), &token, &edit).send().await.data(200);

    let data = json!({"name": "hook", "url": format!("{}/hook", app.receiver.url())});
    let hook = json!({"type": "webhook-destination", "data": data});
    let hook = app.post("/api/v1/settings", &admin, &hook).send().await.data(201);
    let deployment = json!({"name": "published", "promptId": prompt, "promptVersion": 1, "provider": "ollama",
        "model": "demo:latest", "webhookDestinationIds": [hook["id"]]});
    let deployment = id(&app.post("/api/v1/deployments", &token, &deployment).send().await.data(201));
    let run = json!({"userInput": MARKERS[8], "traceId": MARKERS[10]});
    let ran = app.post("/api/v1/deployments/run/published", &token, &run).send().await.data(201);
    let execution = ran["executionId"].as_str().expect("an id").to_owned();
    app.run_waiting(ProviderName::Ollama).await;
    app.run_webhooks().await;
    assert_eq!(app.receiver.requests_to("POST", "/hook").len(), 1);
    let quotation = json!({"text": "too long", "execution_id": execution, "data": {"type": "execution",
        "selected_text": MARKERS[11], "start_offset": 0, "end_offset": 6}});
    app.post("/api/v1/comments", &token, &quotation).send().await.data(201);
    let usage = app.get("/api/v1/dashboard/token-usage/summary", &admin).send().await.json()["data"].clone();

    checkpoint(&app).await;
    assert_eq!(found(&app), MARKERS, "what is not there cannot be deleted");

    app.delete(&format!("/api/v1/deployments/{deployment}"), &admin).send().await;
    for path in [format!("users/{user}"), format!("files/{file}"), format!("prompts/{prompt}")] {
        let answer = app.delete(&format!("/api/v1/{path}"), &admin).send().await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
    let erase = format!("/api/v1/executions/{execution}/erase");
    assert_eq!(app.call("POST", &erase).bearer(&admin).send().await.status.as_u16(), 204);
    assert_eq!(app.call("POST", &erase).bearer(&admin).send().await.refusal(404), "Execution not found");

    checkpoint(&app).await;
    assert_eq!(found(&app), Vec::<&str>::new(), "deleted content is overwritten");
    app.db.read("VACUUM", params![]).await.expect("nobody writes meanwhile");
    checkpoint(&app).await;
    assert_eq!(found(&app), Vec::<&str>::new(), "after VACUUM");

    let after = app.get("/api/v1/dashboard/token-usage/summary", &admin).send().await.json()["data"].clone();
    assert_eq!((after.as_array().map(Vec::len), &after), (Some(1), &usage));
    let log = app.get(&format!("/api/v1/audit?actorId={user}&limit=1000"), &admin).send().await.data(200);
    assert!(log["total"].as_u64() > Some(5), "{log}");
    for entry in log["data"].as_array().expect("a list") {
        assert!(entry["actor"]["id"] == json!(user) && entry["actor"].get("name").is_none(), "{entry}");
    }
}

#[tokio::test]
async fn only_admins_erase_and_only_what_has_ended() {
    let (app, admin) = TestApp::with_providers().await;
    let user = app.sign_up("user@example.com", Role::User).await;
    let run = json!({"promptText": "Say hello", "userInput": "x", "providerModel": ["ollama:demo:latest"]});
    let created = app.post("/api/v1/executions", &admin, &run).send().await.data(201);
    let path = format!("/api/v1/executions/{}", created["executionIds"][0].as_str().expect("an id"));
    let erase = async |token: &str| app.call("POST", &format!("{path}/erase")).bearer(token).send().await;
    assert_eq!(erase(&admin).await.refusal(400), "Validation error", "it waits");
    app.run_waiting(ProviderName::Ollama).await;
    assert_eq!(erase(&user).await.bare(403), "Forbidden");
    assert_eq!(erase(&admin).await.status.as_u16(), 204);
    assert_eq!(app.get(&path, &admin).send().await.refusal(404), "Execution not found");
    let stats = app.get("/api/v1/executions/stats/all", &admin).send().await.data(200);
    assert_eq!(stats["total"], 0, "{stats}");
}

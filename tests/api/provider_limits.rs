//! Settings of type `provider-limits`: how many executions of a provider run at once (decision E-09).

use serde_json::{Value, json};
use shared_core::{ProviderName, users::Role};
use tests::{TestApp, redacted};

const SETTINGS: &str = "/api/v1/settings";

fn limits(provider: &str, max_running: u32) -> Value {
    json!({"type": "provider-limits", "data": {"provider": provider, "max_running": max_running}})
}

fn path_of(setting: &Value) -> String {
    format!("{SETTINGS}/{}", setting["id"].as_str().expect("an id"))
}

async fn start(app: &TestApp, token: &str, count: usize) {
    let body = json!({"promptText": "Say hello", "userInput": "", "providerModel": vec!["ollama:demo:latest"; count]});
    app.post("/api/v1/executions", token, &body).send().await.data(201);
}

#[tokio::test]
async fn limits_are_created_read_changed_and_deleted_like_other_settings() {
    let (app, token) = TestApp::with_admin().await;
    let created = app.post(SETTINGS, &token, &limits("ollama", 4)).send().await.data(201);
    let mut expected = json!({
        "id": "<id>", "created_at": "<time>", "updated_at": "<time>", "type": "provider-limits",
        "identifier": "ollama", "provider": "ollama", "max_running": 4
    });
    assert_eq!(redacted(&created), expected);
    for path in [path_of(&created), format!("{SETTINGS}/type/provider-limits/identifier/ollama")] {
        assert_eq!(app.get(&path, &token).send().await.data(200), created, "{path}");
    }
    assert_eq!(app.get(SETTINGS, &token).send().await.data(200), json!({"settings": [created]}));
    let of_type = app.get(&format!("{SETTINGS}/type/provider-limits"), &token).send().await.data(200);
    assert_eq!(of_type, json!({"settings": [created], "type": "provider-limits"}));

    let edit = |data: Value| app.put(&path_of(&created), &token, &json!({"type": "provider-limits", "data": data}));
    expected["max_running"] = json!(0);
    let changed = edit(json!({"max_running": 0, "provider": "openai", "identifier": "openai"})).send().await.data(200);
    assert_eq!(redacted(&changed), expected, "the provider stays");
    assert_eq!(redacted(&edit(json!({})).send().await.data(200)), expected, "what is not named stays");

    assert_eq!(app.delete(&path_of(&created), &token).send().await.data(200), json!({"success": true}));
    assert_eq!(app.get(&path_of(&created), &token).send().await.refusal(404), "Not Found");
}

#[tokio::test]
async fn a_provider_has_its_limits_once() {
    let (app, token) = TestApp::with_admin().await;
    app.post(SETTINGS, &token, &limits("ollama", 4)).send().await.data(201);
    app.post(SETTINGS, &token, &limits("openai", 4)).send().await.data(201);
    let again = app.post(SETTINGS, &token, &limits("ollama", 5)).send().await;
    assert_eq!(again.refusal(409), "Conflict");
    assert!(again.text.contains("limits for ollama"), "{}", again.text);
}

#[tokio::test]
async fn limits_go_from_0_to_1000() {
    let (app, token) = TestApp::with_admin().await;
    let created = app.post(SETTINGS, &token, &limits("ollama", 1000)).send().await.data(201);
    app.post(SETTINGS, &token, &limits("openai", 0)).send().await.data(201);
    for value in [json!(-1), json!(1001), json!(1.5), json!("4"), json!(null), json!(true)] {
        let data = json!({"provider": "anthropic", "max_running": value});
        let body = json!({"type": "provider-limits", "data": data});
        assert_eq!(app.post(SETTINGS, &token, &body).send().await.issues("body"), ["data.max_running"], "{value}");
        let body = json!({"type": "provider-limits", "data": {"max_running": value}});
        assert_eq!(app.put(&path_of(&created), &token, &body).send().await.issues("body"), ["data.max_running"]);
    }
    for (data, fields) in [
        (json!({}), vec!["data.provider", "data.max_running"]),
        (json!({"provider": "voyageai", "max_running": 1}), vec!["data.provider"]),
    ] {
        let body = json!({"type": "provider-limits", "data": data});
        assert_eq!(app.post(SETTINGS, &token, &body).send().await.issues("body"), fields);
    }
    let other = json!({"type": "llm-api-key", "data": {"active": false}});
    assert_eq!(app.put(&path_of(&created), &token, &other).send().await.refusal(400), "Bad Request");
}

#[tokio::test]
async fn admins_set_limits_and_everybody_signed_in_reads_them() {
    let (app, admin) = TestApp::with_admin().await;
    let created = app.post(SETTINGS, &admin, &limits("ollama", 4)).send().await.data(201);
    let path = path_of(&created);
    for role in [Role::User, Role::Viewer] {
        let token = app.sign_up(&format!("{}@example.com", role.as_str()), role).await;
        assert_eq!(app.post(SETTINGS, &token, &limits("openai", 1)).send().await.bare(403), "Forbidden");
        assert_eq!(app.put(&path, &token, &limits("ollama", 1)).send().await.bare(403), "Forbidden");
        assert_eq!(app.delete(&path, &token).send().await.bare(403), "Forbidden");
        assert_eq!(app.get(&path, &token).send().await.data(200)["max_running"], 4);
    }
}

#[tokio::test]
async fn a_changed_limit_starts_what_it_lets_run_at_once() {
    let (app, token, queue) = TestApp::with_queue().await;
    app.vendor.on("GET", "/api/tags", shared_testing::vendor::ollama::tags(["demo:latest"]));
    app.add_provider(ProviderName::Ollama, &token).await;
    start(&app, &token, 12).await;
    assert_eq!(queue.announced().len(), 2, "the default of ollama");

    let created = app.post(SETTINGS, &token, &limits("ollama", 1)).send().await.data(201);
    assert_eq!(queue.announced().len(), 2, "a lower limit takes nothing back");
    app.put(&path_of(&created), &token, &limits("ollama", 5)).send().await.data(200);
    assert_eq!(queue.announced().len(), 5);
    app.delete(&path_of(&created), &token).send().await.data(200);
    assert_eq!(queue.announced().len(), 5, "the default is lower than what runs");
    app.post(SETTINGS, &token, &limits("ollama", 12)).send().await.data(201);
    let mut announced = queue.announced();
    announced.sort();
    announced.dedup();
    assert_eq!(announced.len(), 12, "each once");
}

#[tokio::test]
async fn a_limit_is_changed_although_the_queue_is_away() {
    let (app, token) = TestApp::with_providers().await;
    start(&app, &token, 3).await;
    app.post(SETTINGS, &token, &limits("ollama", 3)).send().await.data(201);
    app.vendor.forget_requests();
    app.run_waiting(ProviderName::Ollama).await;
    assert_eq!(app.vendor.requests_to("POST", "/api/generate").len(), 3, "maintenance or the next call starts them");
}

//! `/api/health`, `/api/json-schema` and `/api/v1/common` (contract 21).

use serde_json::{Value, json};
use shared_core::users::Role;
use shared_testing::vendor::ollama;
use tests::{TestApp, redacted};

const HEALTH: &str = "/api/health";
const JSON_SCHEMA: &str = "/api/json-schema";
const ONBOARDING: &str = "/api/v1/common/onboarding-status";

#[tokio::test]
async fn health_is_bare_and_public() {
    let app = TestApp::empty().await;
    let mut last = -1.0;
    for credentials in ["", "Bearer garbage"] {
        let answer = app.call("GET", HEALTH).header("authorization", credentials).send().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        let body = answer.json();
        let uptime = body["uptime"].as_f64().unwrap();
        assert!(uptime >= 0.0 && uptime > last, "{body}");
        last = uptime;
        let expected = json!({
            "status": "healthy", "timestamp": "<time>", "uptime": body["uptime"], "version": "1.0.0", "database": "ok"
        });
        assert_eq!(redacted(&body), expected);
    }
}

#[tokio::test]
async fn health_is_503_while_the_database_cannot_be_reached() {
    let app = TestApp::without_database().await;
    let answer = app.call("GET", HEALTH).send().await;
    assert_eq!(answer.status.as_u16(), 503);
    let body = answer.json();
    let expected = json!({
        "status": "unhealthy", "timestamp": "<time>", "uptime": body["uptime"], "version": "1.0.0",
        "database": "unreachable"
    });
    assert_eq!(redacted(&body), expected);
}

#[tokio::test]
async fn a_failing_database_is_a_500_that_clients_can_show() {
    let app = TestApp::without_database().await;
    let body = json!({"email": "ada@example.com", "password": "correct horse"});
    for answer in [
        app.call("GET", "/api/v1/auth/check").send().await,
        app.call("POST", "/api/v1/auth/login").json(&body).send().await,
        app.call("GET", "/api/v1/prompts/recent").api_key(&format!("api_{}", "0".repeat(64))).send().await,
    ] {
        assert_eq!(answer.refusal(500), "Internal Server Error");
        let text = answer.text.to_lowercase();
        assert!(!text.contains("sql") && !text.contains("test.db"), "causes go to the log: {text}");
    }
    assert_eq!(app.call("GET", JSON_SCHEMA).send().await.status.as_u16(), 200, "needs no database");
}

#[tokio::test]
async fn the_document_of_the_api_is_bare_and_public() {
    let app = TestApp::empty().await;
    let answer = app.call("GET", JSON_SCHEMA).bearer("garbage").send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, api_system::OPENAPI_DOCUMENT));
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(!answer.headers.contains_key("content-disposition"));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document.get("data").is_none());
    for (path, method, id, security) in [
        ("/api/v1/executions/{id}", "get", "getExecution", 3),
        ("/api/v1/executions", "post", "createExecutions", 3),
        ("/api/v1/prompts/preview", "post", "previewPrompt", 3),
        ("/api/v1/prompts/{id}", "get", "getPrompt", 3),
        ("/api/v1/settings", "post", "createSetting", 2),
        ("/api/v1/auth/login", "post", "login", 0),
        ("/api/health", "get", "getHealth", 0),
    ] {
        let operation = &document["paths"][path][method];
        assert_eq!(operation["operationId"], id);
        assert_eq!(operation["security"].as_array().map(Vec::len), Some(security), "{id}");
    }
}

#[tokio::test]
async fn onboarding_counts_prompts_and_active_provider_keys() {
    let (app, token) = TestApp::with_admin().await;
    app.vendor.on("GET", "/api/tags", ollama::tags([]));
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let expect = async |prompts: bool, keys: bool| {
        let data = app.get(ONBOARDING, &viewer).send().await.data(200);
        assert_eq!(data, json!({"promptAvailable": prompts, "llmApiKeyAvailable": keys}));
    };
    let path_of = |kind: &str, created: &Value| format!("/api/v1/{kind}/{}", created["id"].as_str().expect("an id"));
    expect(false, false).await;

    let prompt = app.post("/api/v1/prompts", &token, &json!({"name": "a", "prompt": "b"})).send().await.data(201);
    expect(true, false).await;

    let service = json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": "x"}});
    app.post("/api/v1/settings", &token, &service).send().await.data(201);
    let key = json!({"type": "llm-api-key", "data": {"provider": "ollama", "api_key": "x", "active": false}});
    let key = path_of("settings", &app.post("/api/v1/settings", &token, &key).send().await.data(201));
    expect(true, false).await;
    let active = json!({"type": "llm-api-key", "data": {"active": true}});
    app.put(&key, &token, &active).send().await.data(200);
    expect(true, true).await;

    app.delete(&path_of("prompts", &prompt), &token).send().await;
    expect(false, true).await;
    app.delete(&key, &token).send().await.data(200);
    expect(false, false).await;
    assert_eq!(app.call("GET", ONBOARDING).send().await.bare(401), "Unauthorized");
}

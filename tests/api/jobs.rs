//! Background jobs (contract 18, defects J-07 and W-01).

use serde_json::{Value, json};
use shared_core::users::Role;
use tests::TestApp;

const TRIGGER: &str = "/api/v1/jobs/single/trigger";

fn test_of(url: &str) -> Value {
    json!({"job": {"type": "webhook-delivery", "data": {"url": url, "unknown": true}}})
}

#[tokio::test]
async fn a_trigger_records_one_delivery_that_is_tried_once() {
    let (app, token) = TestApp::with_admin().await;
    let answer = app.post(TRIGGER, &token, &test_of(" https://example.com/hook?x=1 ")).send().await;
    assert_eq!(answer.data(201), json!({}));
    let page = app.get("/api/v1/jobs/", &token).send().await.data(200);
    assert_eq!(page["total"], 1);
    let job = page["data"][0].clone();
    assert_eq!((&job["type"], &job["status"]), (&json!("webhook-delivery"), &json!("pending")));
    assert_eq!((&job["attempts"], &job["maxAttempts"]), (&json!(0), &json!(1)));
    assert_eq!((&job["data"]["webhookId"], &job["data"]["url"]), (&json!(""), &json!("https://example.com/hook?x=1")));
    assert_eq!(job["data"]["data"]["event"], "webhook.test");
    assert_eq!(job["data"]["data"]["time"], job["scheduledAt"]);
    for absent in ["result", "error", "terminationReason", "nextRetryAt", "startedAt", "completedAt"] {
        assert!(job.get(absent).is_none(), "{absent}");
    }
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"));
    assert_eq!(app.get(&path, &token).send().await.data(200), job);
}

#[tokio::test]
async fn a_trigger_goes_only_where_webhooks_may_go() {
    let (app, token) = TestApp::with_admin().await;
    for url in [
        "",
        "example.com",
        "/hook",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@b.co",
        "http://example.com/hook",
        "https://localhost:1",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1",
        "https://u:p@x.com",
    ] {
        assert_eq!(app.post(TRIGGER, &token, &test_of(url)).send().await.issues("body"), ["job.data.url"], "{url}");
    }
    let wrong = [
        (json!({}), vec!["job"]),
        (json!({"job": {}, "more": 1}), vec!["job.type", "job.data", "request"]),
        (json!({"job": {"type": "generate-embedding", "data": {}}}), vec!["job.type", "job.data.url"]),
    ];
    for (body, fields) in wrong {
        assert_eq!(app.post(TRIGGER, &token, &body).send().await.issues("body"), fields, "{body}");
    }
    let user = app.sign_up("user@example.com", Role::User).await;
    assert_eq!(app.post(TRIGGER, &user, &test_of("https://example.com")).send().await.bare(403), "Forbidden");
    assert_eq!(app.get("/api/v1/jobs", &user).send().await.data(200)["total"], 0);
}

#[tokio::test]
async fn jobs_are_found_by_status_type_and_id() {
    let (app, token) = TestApp::with_admin().await;
    for _ in 0..3 {
        app.post(TRIGGER, &token, &test_of("https://example.com")).send().await.data(201);
    }
    let total =
        async |query: &str| app.get(&format!("/api/v1/jobs?{query}"), &token).send().await.data(200)["total"].clone();
    assert_eq!(total("status=pending&jobName=webhook-delivery").await, 3);
    assert_eq!(total("status=failed").await, 0);
    assert_eq!(total("jobName=webhook").await, 0, "exactly");
    let first = app.get("/api/v1/jobs?limit=1", &token).send().await.data(200)["data"][0]["id"].clone();
    let part = &first.as_str().expect("an id")[2..18];
    assert_eq!(total(&format!("search={part}&orderBy=startedAt")).await, 1);
    assert_eq!(total("search=%25").await, 0);
    for order in ["created_at", "updated_at", "scheduledAt", "startedAt", "completedAt"] {
        assert_eq!(total(&format!("orderBy={order}&orderDirection=ASC")).await, 3, "{order}");
    }
    let answer = app.get("/api/v1/jobs?status=done&orderBy=name&x=1", &token).send().await;
    assert_eq!(answer.issues("query"), ["status", "orderBy", "request"]);
    let missing = "/api/v1/jobs/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
    assert_eq!(app.get(missing, &token).send().await.refusal(404), "Job not found");
    assert_eq!(app.get("/api/v1/jobs/x", &token).send().await.issues("param"), ["id"]);
    assert_eq!(app.get("/api/v1/jobs/single", &token).send().await.issues("param"), ["id"]);
}

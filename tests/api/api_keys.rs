//! `/api/v1/api-keys` (contract 5).

use serde_json::{Value, json};
use shared_core::{Timestamp, users::Role};
use tests::TestApp;

const KEYS: &str = "/api/v1/api-keys";

async fn create(app: &TestApp, token: &str, name: &str, scopes: &[&str]) -> (Value, String) {
    let body = json!({"name": name, "scopes": scopes});
    let created = app.post("/api/v1/api-keys/", token, &body).send().await.data(201);
    (created["api_key"].clone(), created["plain_key"].as_str().expect("a key").to_owned())
}

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_key_is_shown_once_and_works() {
    let (app, admin) = TestApp::with_admin().await;
    let (key, plain) = create(&app, &admin, "ci", &["prompts:read", "prompts:read"]).await;
    let digits = plain.strip_prefix("api_").unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{plain}");
    assert_eq!(key["key_prefix"], plain[..16]);
    assert_eq!(key["permissions"], json!({"scopes": ["prompts:read", "prompts:read"]}));
    assert_eq!((&key["status"], &key["usage_stats"]), (&json!("active"), &json!({"total_requests": 0})));
    assert!(key.get("expires_at").is_none());

    let missing = "/api/v1/prompts/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
    assert_eq!(app.call("GET", missing).api_key(&plain).send().await.refusal(404), "Not Found");
    let listed = app.get(KEYS, &admin).send().await;
    assert!(!listed.text.contains(&plain) && !listed.text.contains("digest"), "{}", listed.text);
    let usage = listed.data(200)["api_keys"][0]["usage_stats"].clone();
    assert!(usage["total_requests"] == 1 && usage["last_used_at"].is_string(), "{usage}");
    let stored = app.db.read("SELECT data FROM api_keys", vec![]).await.unwrap();
    assert!(!stored.first().unwrap().get::<String>("data").unwrap().contains(&plain), "never stored in clear");
}

#[tokio::test]
async fn keys_are_listed_newest_first_and_only_to_their_owner() {
    let (app, admin) = TestApp::with_admin().await;
    let ada = app.sign_up("ada@example.com", Role::User).await;
    let (first, _) = create(&app, &admin, "same", &[]).await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let (second, _) = create(&app, &admin, "same", &["files:upload"]).await;
    let listed = app.get("/api/v1/api-keys/", &admin).send().await.data(200);
    assert_eq!(listed["api_keys"], json!([second, first]));
    assert_eq!(app.get(&path(&first), &admin).send().await.data(200), first);

    assert_eq!(app.get(KEYS, &ada).send().await.data(200)["api_keys"], json!([]));
    assert_eq!(app.get(&path(&first), &ada).send().await.refusal(404), "Not Found");
    assert_eq!(app.put(&path(&first), &ada, &json!({"name": "mine"})).send().await.refusal(404), "Not Found");
    assert_eq!(app.delete(&path(&first), &ada).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&format!("{KEYS}/nothing"), &admin).send().await.refusal(404), "Not Found");
}

#[tokio::test]
async fn a_revoked_key_stays_listed_and_stops_working() {
    let (app, admin) = TestApp::with_admin().await;
    let (key, plain) = create(&app, &admin, "old", &["prompts:read"]).await;
    let renamed = app.put(&path(&key), &admin, &json!({"name": "new"})).send().await.data(200);
    assert_eq!((&renamed["name"], &renamed["permissions"]), (&json!("new"), &key["permissions"]));
    let revoked = app.delete(&path(&key), &admin).send().await.data(200);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(app.delete(&path(&key), &admin).send().await.data(200), revoked, "once more changes nothing");
    assert_eq!(app.call("GET", "/api/v1/users/profile/me").api_key(&plain).send().await.bare(401), "Unauthorized");
    assert_eq!(app.get(KEYS, &admin).send().await.data(200)["api_keys"][0]["status"], "revoked");
}

#[tokio::test]
async fn totals_cover_the_keys_of_the_caller() {
    let (app, admin) = TestApp::with_admin().await;
    let ada = app.sign_up("ada@example.com", Role::User).await;
    let (_, used) = create(&app, &admin, "used", &[]).await;
    let (revoked, _) = create(&app, &admin, "revoked", &[]).await;
    app.delete(&path(&revoked), &admin).send().await.data(200);
    for _ in 0..3 {
        app.call("GET", "/api/v1/users/profile/me").api_key(&used).send().await.data(200);
    }
    assert_eq!(app.call("GET", "/api/v1/prompts").api_key(&used).send().await.bare(403), "Forbidden");
    let stats = app.get("/api/v1/api-keys/stats", &admin).send().await.data(200);
    assert_eq!(stats, json!({"total_keys": 2, "active_keys": 1, "revoked_keys": 1, "total_requests": 3}));
    let none = app.get("/api/v1/API-Keys/Stats/", &ada).send().await.data(200);
    assert_eq!(none, json!({"total_keys": 0, "active_keys": 0, "revoked_keys": 0, "total_requests": 0}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_use_is_lost_when_calls_come_together() {
    let (app, admin) = TestApp::with_admin().await;
    let (key, plain) = create(&app, &admin, "busy", &[]).await;
    let calls: Vec<_> =
        (0..20).map(|_| tokio::spawn(app.call("GET", "/api/v1/users/profile/me").api_key(&plain).send())).collect();
    for call in calls {
        call.await.unwrap().data(200);
    }
    assert_eq!(app.get(&path(&key), &admin).send().await.data(200)["usage_stats"]["total_requests"], 20);
}

#[tokio::test]
async fn a_key_may_expire() {
    let (app, admin) = TestApp::with_admin().await;
    let end = Timestamp::now().plus_seconds(3600);
    let body = json!({"name": "short", "scopes": [], "expires_at": end});
    let created = app.post(KEYS, &admin, &body).send().await.data(201);
    assert_eq!(created["api_key"]["expires_at"], end.to_string());
    let plain = created["plain_key"].as_str().unwrap();
    app.call("GET", "/api/v1/users/profile/me").api_key(plain).send().await.data(200);
    let sql = "UPDATE api_keys SET data = json_set(data, '$.expires_at', '2026-01-01T00:00:00.000Z')";
    app.db.write(vec![shared_core::db::Statement::new(sql, vec![])]).await.unwrap();
    assert_eq!(app.call("GET", "/api/v1/users/profile/me").api_key(plain).send().await.bare(401), "Unauthorized");
}

#[tokio::test]
async fn invalid_bodies_name_every_member() {
    let (app, admin) = TestApp::with_admin().await;
    let issues = async |body: Value| app.post(KEYS, &admin, &body).send().await.issues("body");
    assert_eq!(issues(json!({})).await, ["name", "scopes"]);
    let fields = issues(json!({"name": "", "scopes": ["prompts:read", "prompts:write"], "status": "active"})).await;
    assert_eq!(fields, ["name", "scopes.1", "request"]);
    assert_eq!(issues(json!({"name": "x".repeat(101), "scopes": "all"})).await, ["name", "scopes"]);
    for end in ["tomorrow", "2026-01-01T00:00:00.000Z", ""] {
        assert_eq!(issues(json!({"name": "x", "scopes": [], "expires_at": end})).await, ["expires_at"], "{end}");
    }
    create(&app, &admin, &"ä".repeat(100), &[]).await;
    let rename = app.put(&format!("{KEYS}/x"), &admin, &json!({"name": "", "scopes": []})).send().await;
    assert_eq!(rename.issues("body"), ["name", "request"]);
}

#[tokio::test]
async fn viewers_read_and_do_not_make_keys() {
    let (app, _) = TestApp::with_admin().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    app.get(KEYS, &viewer).send().await.data(200);
    let answer = app.post(KEYS, &viewer, &json!({"name": "x", "scopes": []})).send().await;
    assert_eq!(answer.bare(403), "Forbidden");
}

const ME: &str = "/api/v1/users/profile/me";

#[tokio::test]
async fn a_rotated_key_keeps_its_old_secret_for_a_while() {
    let (app, admin) = TestApp::with_admin().await;
    let (key, first) = create(&app, &admin, "ci", &["prompts:read"]).await;
    let rotate = |body: Option<Value>| {
        let call = app.call("POST", &format!("{}/rotate", path(&key))).bearer(&admin);
        match body {
            Some(body) => call.json(&body),
            None => call,
        }
    };
    let works = async |plain: &str| app.call("GET", ME).api_key(plain).send().await.status.as_u16() == 200;
    let started = Timestamp::now();
    let rotated = rotate(None).send().await.data(200);
    let second = rotated["plain_key"].as_str().unwrap().to_owned();
    let shown = &rotated["api_key"];
    assert_eq!((&shown["id"], &shown["name"], &shown["permissions"]), (&key["id"], &key["name"], &key["permissions"]));
    assert_eq!(shown["key_prefix"], second[..16]);
    let grace_ends: Timestamp = shown["previous_key_expires_at"].as_str().unwrap().parse().unwrap();
    assert!(grace_ends >= started.plus_seconds(86_400) && grace_ends < started.plus_seconds(86_460), "a day");
    assert!(works(&first).await && works(&second).await);
    assert_eq!(app.get(&path(&key), &admin).send().await.data(200)["usage_stats"]["total_requests"], 2, "one key");

    let third = rotate(Some(json!({"grace_hours": 0}))).send().await.data(200);
    assert!(third["api_key"].get("previous_key_expires_at").is_none(), "{third}");
    let third = third["plain_key"].as_str().unwrap().to_owned();
    assert_eq!([works(&first).await, works(&second).await, works(&third).await], [false, false, true]);

    for wrong in [json!({"grace_hours": 721}), json!({"grace_hours": -1}), json!({"grace_hours": "1"})] {
        assert_eq!(rotate(Some(wrong)).send().await.issues("body"), ["grace_hours"]);
    }
    assert_eq!(rotate(Some(json!({"hours": 1}))).send().await.issues("body"), ["request"]);
    app.delete(&path(&key), &admin).send().await.data(200);
    assert_eq!(rotate(None).send().await.refusal(400), "Bad Request");
    assert!(!works(&third).await);
}

#[tokio::test]
async fn only_the_owner_rotates_a_key() {
    let (app, admin) = TestApp::with_admin().await;
    let (key, plain) = create(&app, &admin, "mine", &[]).await;
    let ada = app.sign_up("ada@example.com", Role::User).await;
    let rotate = format!("{}/rotate", path(&key));
    assert_eq!(app.post(&rotate, &ada, &json!({})).send().await.refusal(404), "Not Found");
    assert_eq!(app.call("POST", &rotate).api_key(&plain).send().await.bare(401), "Unauthorized");
    app.call("GET", ME).api_key(&plain).send().await.data(200);
}

#[tokio::test]
async fn the_end_of_a_key_can_be_changed_with_its_name() {
    let (app, admin) = TestApp::with_admin().await;
    let (key, _) = create(&app, &admin, "ci", &[]).await;
    let end = Timestamp::now().plus_seconds(3600).to_string();
    let edit = async |body: Value| app.put(&path(&key), &admin, &body).send().await;
    assert_eq!(edit(json!({"name": "ci", "expires_at": end})).await.data(200)["expires_at"], end);
    let renamed = edit(json!({"name": "other"})).await.data(200);
    assert_eq!((&renamed["name"], &renamed["expires_at"]), (&json!("other"), &json!(end)), "it stays");
    for past in ["2026-01-01T00:00:00.000Z", "tomorrow"] {
        assert_eq!(edit(json!({"name": "x", "expires_at": past})).await.issues("body"), ["expires_at"], "{past}");
    }
}

#[tokio::test]
async fn the_keys_of_a_deleted_user_go_too() {
    let (app, admin) = TestApp::with_admin().await;
    let ada = app.sign_up("ada@example.com", Role::User).await;
    let (_, plain) = create(&app, &ada, "hers", &[]).await;
    let users = app.get("/api/v1/users?search=ada", &admin).send().await.data(200);
    let id = users["data"][0]["id"].as_str().unwrap();
    app.delete(&format!("/api/v1/users/{id}"), &admin).send().await.data(200);
    assert_eq!(app.call("GET", ME).api_key(&plain).send().await.bare(401), "Unauthorized");
    let left = app.db.read("SELECT count(*) AS n FROM api_keys", vec![]).await.unwrap();
    assert_eq!(left.first().unwrap().get::<i64>("n").unwrap(), 0);
}

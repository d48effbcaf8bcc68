//! Limits that hold across processes, on what costs something or could be guessed.

use serde_json::{Value, json};
use shared_core::{Timestamp, api_keys::Scope, db::Statement, limits, params, users::Role};
use tests::{Answer, PASSWORD, TestApp};

const ADMIN: &str = "admin@example.com";
const ME: &str = "/api/v1/users/profile/me";
const KEYS: &str = "/api/v1/api-keys";

/// Makes a key; gives its path and the key itself.
async fn create_key(app: &TestApp, token: &str, body: &Value) -> (String, String) {
    let created = app.post(KEYS, token, body).send().await.data(201);
    let id = created["api_key"]["id"].as_str().expect("an id");
    (format!("{KEYS}/{id}"), created["plain_key"].as_str().expect("a key").to_owned())
}

async fn log_in(app: &TestApp, password: &str, address: &str) -> u16 {
    let body = json!({"email": ADMIN, "password": password});
    let answer = app.call("POST", "/api/v1/auth/login").from_address(address).json(&body).send().await;
    answer.status.as_u16()
}

/// Lets time pass for every limit.
async fn let_time_pass(app: &TestApp) {
    let everything = ["UPDATE limits SET full_at = 0", "UPDATE api_keys SET full_at = 0"];
    let statements = everything.map(|sql| Statement::new(sql, params![]));
    app.db.write(statements.to_vec()).await.expect("the database answers");
}

/// Fails unless the answer says to a person that it is too much for now, in the way that every screen understands.
#[track_caller]
fn assert_too_many(answer: &Answer) {
    assert_eq!(answer.issues("body"), ["request"]);
    assert!(answer.text.contains("try again in"), "{}", answer.text);
    assert!(seconds(answer, "retry-after") >= 1);
}

#[track_caller]
fn seconds(answer: &Answer, header: &str) -> u64 {
    answer.headers[header].to_str().expect("text").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_so_many_requests_however_many_processes_serve_it() {
    let (app, admin) = TestApp::with_admin().await;
    let other = app.another(&[]).await;
    let body = json!({"name": "busy", "scopes": [], "requests_per_minute": 2});
    let (path, key) = create_key(&app, &admin, &body).await;
    let calls: Vec<_> = (0..12)
        .map(|n| tokio::spawn(if n % 2 == 0 { &app } else { &other }.call("GET", ME).api_key(&key).send()))
        .collect();
    let mut passed = 0;
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status.as_u16() == 200 {
            passed += 1;
        } else {
            assert_eq!(answer.bare(429), "Too Many Requests");
            assert!((1..=30).contains(&seconds(&answer, "retry-after")));
        }
    }
    assert_eq!(passed, 2);
    let shown = app.get(&path, &admin).send().await.data(200);
    assert_eq!((&shown["requests_per_minute"], &shown["usage_stats"]["total_requests"]), (&json!(2), &json!(2)));

    let restarted = app.another(&[]).await;
    assert_eq!(restarted.call("GET", ME).api_key(&key).send().await.bare(429), "Too Many Requests", "after a restart");
    let (_, second) = create_key(&app, &admin, &body).await;
    app.call("GET", ME).api_key(&second).send().await.data(200);
    app.get(ME, &admin).send().await.data(200);
    let_time_pass(&app).await;
    app.call("GET", ME).api_key(&key).send().await.data(200);
}

#[tokio::test]
async fn a_key_is_told_what_it_has_left() {
    let (app, admin) = TestApp::with_admin().await;
    let (_, key) = create_key(&app, &admin, &json!({"name": "x", "scopes": [], "requests_per_minute": 60})).await;
    let answer = app.call("GET", ME).api_key(&key).send().await;
    assert_eq!(answer.headers["ratelimit-policy"], "\"requests\";q=60;w=60");
    assert_eq!(answer.headers["ratelimit"], "\"requests\";r=59;t=1");
    assert!(!app.get(ME, &admin).send().await.headers.contains_key("ratelimit"), "people have no such limit");
}

#[tokio::test]
async fn the_limit_of_a_key_changes_at_once_and_stays_when_it_is_renamed() {
    let (app, admin) = TestApp::with_variables(&[("API_KEY_REQUESTS_PER_MINUTE", "1")]).await;
    let (path, key) = create_key(&app, &admin, &json!({"name": "x", "scopes": []})).await;
    let status = async || app.call("GET", ME).api_key(&key).send().await.status.as_u16();
    assert_eq!([status().await, status().await], [200, 429], "what the installation says");
    let wider = app.another(&[("API_KEY_REQUESTS_PER_MINUTE", "0")]).await;
    wider.call("GET", ME).api_key(&key).send().await.data(200);

    let raised = app.put(&path, &admin, &json!({"name": "x", "requests_per_minute": 3})).send().await.data(200);
    assert_eq!(raised["requests_per_minute"], 3);
    let renamed = app.put(&path, &admin, &json!({"name": "y"})).send().await.data(200);
    assert_eq!((&renamed["name"], &renamed["requests_per_minute"]), (&json!("y"), &json!(3)));
    let_time_pass(&app).await;
    assert_eq!([status().await, status().await, status().await, status().await], [200, 200, 200, 429]);
    let_time_pass(&app).await;
    app.put(&path, &admin, &json!({"name": "x", "requests_per_minute": 2})).send().await.data(200);
    assert_eq!([status().await, status().await, status().await], [200, 200, 429]);

    for most in [json!(0), json!(100_001), json!("many"), json!(1.5), json!(null)] {
        let body = json!({"name": "x", "scopes": [], "requests_per_minute": most});
        assert_eq!(app.post(KEYS, &admin, &body).send().await.issues("body"), ["requests_per_minute"], "{most}");
    }
}

#[tokio::test]
async fn wrong_passwords_from_an_address_close_sign_in_there_and_nothing_else() {
    let (app, session) = TestApp::with_variables(&[("FAILED_GUESSES_PER_ADDRESS", "3")]).await;
    let other = app.another(&[("FAILED_GUESSES_PER_ADDRESS", "3")]).await;
    for process in [&app, &other, &app] {
        let body = json!({"email": "nobody@example.com", "password": "wrong"});
        let call = process.call("POST", "/api/v1/auth/login").from_address("2001:db8::1").json(&body);
        assert_eq!(call.send().await.refusal(401), "Unauthorized");
    }
    for process in [&app, &other] {
        assert_eq!(log_in(process, PASSWORD, "2001:db8::2").await, 401, "from the same network");
        assert_eq!(log_in(process, PASSWORD, "2001:db8:0:1::1").await, 200, "from another one");
    }
    let mine = app.get(ME, &session).from_address("2001:db8::1").send().await;
    assert_eq!(mine.data(200)["email"], ADMIN, "who is signed in stays so");
    let_time_pass(&app).await;
    assert_eq!(log_in(&app, PASSWORD, "2001:db8::2").await, 200);
}

#[tokio::test]
async fn who_signs_in_well_is_never_counted() {
    let (app, _) = TestApp::with_variables(&[("FAILED_GUESSES_PER_ADDRESS", "2")]).await;
    for _ in 0..4 {
        assert_eq!(log_in(&app, PASSWORD, "203.0.113.7").await, 200);
    }
    assert_eq!(log_in(&app, "wrong", "203.0.113.7").await, 401);
    assert_eq!(log_in(&app, PASSWORD, "203.0.113.7").await, 200);
}

#[tokio::test]
async fn nobody_escapes_by_writing_another_address() {
    let limits = [("FAILED_GUESSES_PER_ADDRESS", "1")];
    let (app, _) = TestApp::with_variables(&limits).await;
    let status = async |app: &TestApp, password: &str, forwarded: &str| {
        let body = json!({"email": ADMIN, "password": password});
        let call = app.call("POST", "/api/v1/auth/login").from_address("203.0.113.7").json(&body);
        call.header("x-forwarded-for", forwarded).send().await.status.as_u16()
    };
    assert_eq!(status(&app, "wrong", "198.51.100.1, 203.0.113.7").await, 401);
    assert_eq!(status(&app, PASSWORD, "198.51.100.2, 203.0.113.7").await, 401);

    let behind_proxy = app.another(&[limits[0], ("TRUSTED_PROXIES", "1")]).await;
    assert_eq!(status(&behind_proxy, PASSWORD, "198.51.100.1, 203.0.113.7").await, 200, "what the proxy saw");
}

#[tokio::test]
async fn wrong_tokens_are_guesses_too() {
    let (app, admin) = TestApp::with_variables(&[("FAILED_GUESSES_PER_ADDRESS", "2")]).await;
    let body = json!({"email": "new@example.com", "name": "New", "role": "user"});
    let invited = app.post("/api/v1/users/invite", &admin, &body).send().await.data(201);
    let activate = async |token: &Value, address: &str| {
        let body = json!({"invitation_token": token, "password": PASSWORD});
        app.call("POST", "/api/v1/auth/activate").from_address(address).json(&body).send().await
    };
    let reset = json!({"token": "wrong", "password": PASSWORD});
    let reset = app.call("POST", "/api/v1/auth/reset-password").from_address("203.0.113.7").json(&reset);
    assert_eq!(reset.send().await.refusal(404), "Invalid or expired reset token");
    assert_eq!(activate(&json!("wrong"), "203.0.113.7").await.refusal(404), "Invalid or expired invitation token");
    assert_too_many(&activate(&invited["invitation_token"], "203.0.113.7").await);
    activate(&invited["invitation_token"], "203.0.113.8").await.data(200);
}

#[tokio::test]
async fn an_admin_makes_so_many_links_an_hour() {
    let (app, admin) = TestApp::with_variables(&[("INVITATIONS_PER_HOUR", "3")]).await;
    let second = app.sign_up("second@example.com", Role::Admin).await;
    let invite = async |token: &str, email: &str| {
        let body = json!({"email": email, "name": "New", "role": "user"});
        app.post("/api/v1/users/invite", token, &body).send().await
    };
    invite(&admin, "a@example.com").await.data(201);
    assert_eq!(invite(&admin, "a@example.com").await.refusal(400), "Validation Error", "made no link, counts nothing");
    let reset = async || {
        let page = app.get("/api/v1/users?search=second", &admin).send().await.data(200);
        let path = format!("/api/v1/users/{}/reset-link", page["data"][0]["id"].as_str().expect("an id"));
        app.call("POST", &path).bearer(&admin).send().await
    };
    reset().await.data(201);
    invite(&admin, "b@example.com").await.data(201);
    assert_too_many(&invite(&admin, "c@example.com").await);
    assert_too_many(&reset().await);
    invite(&second, "c@example.com").await.data(201);
    let_time_pass(&app).await;
    invite(&admin, "d@example.com").await.data(201);
}

#[tokio::test]
async fn an_admin_sends_so_many_webhooks_by_hand() {
    let (app, admin) = TestApp::with_variables(&[("WEBHOOK_TESTS_PER_MINUTE", "2")]).await;
    let trigger = async |url: &str| {
        let job = json!({"type": "webhook-delivery", "data": {"url": url}});
        app.post("/api/v1/jobs/single/trigger", &admin, &json!({"job": job})).send().await
    };
    assert_eq!(trigger("https://127.0.0.1/hook").await.issues("body"), ["job.data.url"], "counts nothing");
    trigger("https://example.com/hook").await.data(201);
    let missing = app.call("POST", "/api/v1/jobs/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10/redeliver").bearer(&admin);
    missing.send().await.data(404);
    assert_too_many(&trigger("https://example.com/hook").await);
    let again = app.call("POST", "/api/v1/jobs/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10/redeliver").bearer(&admin);
    assert_too_many(&again.send().await);
}

#[tokio::test]
async fn a_person_uploads_so_many_files_an_hour_with_all_keys_together() {
    let (app, admin) = TestApp::with_variables(&[("UPLOADS_PER_HOUR", "2")]).await;
    let key = app.add_api_key(ADMIN, &[Scope::FilesUpload]).await;
    let file = json!({"name": "a", "originalName": "a.txt", "mimeType": "text/plain", "size": 2, "data": "aGk="});
    let with_key = async || app.call("POST", "/api/v1/files").api_key(&key).json(&file).send().await;
    app.post("/api/v1/files", &admin, &file).send().await.data(201);
    with_key().await.data(201);
    assert_too_many(&app.post("/api/v1/files", &admin, &file).send().await);
    let refused = with_key().await;
    assert_eq!(refused.bare(429), "Too Many Requests", "a program knows what that means");
    assert!((1..=1800).contains(&seconds(&refused, "retry-after")));
    assert_eq!(app.get("/api/v1/files", &admin).send().await.data(200)["total"], 2);
    let ada = app.sign_up("ada@example.com", Role::User).await;
    app.post("/api/v1/files", &ada, &file).send().await.data(201);
}

#[tokio::test]
async fn maintenance_forgets_what_limits_nobody() {
    let (app, _) = TestApp::with_admin().await;
    for address in 0..5 {
        log_in(&app, "wrong", &format!("203.0.113.{address}")).await;
    }
    let now = Timestamp::now();
    let rows = async || {
        let rows = app.db.read("SELECT count(*) AS n FROM limits WHERE bucket LIKE 'guess 203.%'", params![]).await;
        rows.expect("the database answers").first().expect("a count").get::<i64>("n").expect("a number")
    };
    app.maintenance.run(now.plus_seconds(-3600), None).await.unwrap();
    assert_eq!(rows().await, 5, "not yet");
    app.maintenance.run(now.plus_seconds(3600), None).await.unwrap();
    assert_eq!(rows().await, 0);
    assert_eq!(limits::forget_full(&app.db, 100, now).await.unwrap(), 0);
}

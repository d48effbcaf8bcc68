//! New passwords: changed by who knows the present one, or set with a link that an admin makes (defect A-22).

use serde_json::{Value, json};
use shared_core::{Timestamp, api_keys::Scope, db::Statement, params, users::Role};
use tests::{Answer, PASSWORD, TestApp};

const ADA: &str = "ada@example.com";
const ME: &str = "/api/v1/users/profile/me";
const CHANGE: &str = "/api/v1/auth/change-password";
const RESET: &str = "/api/v1/auth/reset-password";
const NEW: &str = "battery staple";

async fn log_in(app: &TestApp, password: &str) -> Answer {
    app.call("POST", "/api/v1/auth/login").json(&json!({"email": ADA, "password": password})).send().await
}

async fn change(app: &TestApp, token: &str, present: &str, new: &str) -> Answer {
    app.post(CHANGE, token, &json!({"current_password": present, "new_password": new})).send().await
}

async fn is_signed_in(app: &TestApp, token: &str) -> bool {
    app.get(ME, token).send().await.status.as_u16() == 200
}

/// Path of the account with this address.
async fn path_of(app: &TestApp, email: &str) -> String {
    let rows = app.db.read("SELECT id FROM users WHERE email = ?1", params![email]).await.expect("an answer");
    format!("/api/v1/users/{}", rows.first().expect("the account exists").get::<String>("id").expect("an id"))
}

/// Has the admin make a link for Ada; gives its token.
async fn link(app: &TestApp, admin: &str) -> String {
    let path = format!("{}/reset-link", path_of(app, ADA).await);
    let data = app.call("POST", &path).bearer(admin).send().await.data(201);
    data["reset_token"].as_str().expect("a token").to_owned()
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    app.call("POST", RESET).json(&json!({"token": token, "password": password})).send().await
}

#[track_caller]
fn assert_link_ended(answer: &Answer, what: &str) {
    assert_eq!((answer.refusal(404).as_str(), what), ("Invalid or expired reset token", what));
}

#[tokio::test]
async fn a_changed_password_ends_every_session_but_the_new_one() {
    let (app, admin) = TestApp::with_admin().await;
    let first = app.sign_up(ADA, Role::Viewer).await;
    let second = log_in(&app, PASSWORD).await.data(200)["token"].as_str().unwrap().to_owned();
    let open = link(&app, &admin).await;
    let data = change(&app, &second, PASSWORD, NEW).await.data(200);
    let token = data["token"].as_str().unwrap();
    assert_eq!(data["user"], json!({"email": ADA, "name": ADA, "role": "viewer"}));
    assert!(is_signed_in(&app, token).await);
    assert!(!is_signed_in(&app, &first).await && !is_signed_in(&app, &second).await);
    assert!(is_signed_in(&app, &admin).await, "somebody else");
    assert_eq!(log_in(&app, PASSWORD).await.refusal(401), "Unauthorized");
    log_in(&app, NEW).await.data(200);
    assert_link_ended(&reset(&app, &open, "another password").await, "a link from before");
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_knows_it() {
    let (app, _) = TestApp::with_admin().await;
    let token = app.sign_up(ADA, Role::User).await;
    let key = app.add_api_key(ADA, &[Scope::PromptsRead]).await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    for call in [
        app.call("POST", CHANGE),
        app.call("POST", CHANGE).api_key(&key),
        app.call("POST", CHANGE).header("cookie", &format!("auth-token={token}")),
    ] {
        assert_eq!(call.json(&body).send().await.bare(401), "Unauthorized");
    }
    for _ in 0..10 {
        assert_eq!(change(&app, &token, "wrong", NEW).await.issues("body"), ["current_password"]);
    }
    let refused = change(&app, &token, PASSWORD, NEW).await;
    assert_eq!(refused.issues("body"), ["request"], "guessing with a stolen session ends");
    assert!(refused.headers.contains_key("retry-after"));
    assert!(is_signed_in(&app, &token).await);
    log_in(&app, PASSWORD).await.data(200);
    let later = Statement::new("UPDATE limits SET full_at = 0", params![]);
    app.db.write(vec![later]).await.unwrap();
    change(&app, &token, PASSWORD, NEW).await.data(200);
}

#[tokio::test]
async fn new_passwords_are_long_and_not_what_everybody_tries_first() {
    let (app, admin) = TestApp::with_admin().await;
    let token = app.sign_up(ADA, Role::User).await;
    let open = link(&app, &admin).await;
    for new in ["7 chars", "pässwör", "password1", "PASSWORD123", &"x".repeat(1025), ""] {
        assert_eq!(change(&app, &token, PASSWORD, new).await.issues("body"), ["new_password"], "{new}");
        assert_eq!(reset(&app, &open, new).await.issues("body"), ["password"], "{new}");
    }
    assert_eq!(change(&app, &token, PASSWORD, PASSWORD).await.issues("body"), ["new_password"], "the same");
    let issues = async |path: &str, body: Value| app.post(path, &token, &body).send().await.issues("body");
    assert_eq!(issues(CHANGE, json!({})).await, ["current_password", "new_password"]);
    assert_eq!(
        issues(RESET, json!({"token": "", "password": null, "email": ADA})).await,
        ["token", "password", "request"]
    );
    let long = "ü".repeat(1024);
    let token = change(&app, &token, PASSWORD, &long).await.data(200)["token"].as_str().unwrap().to_owned();
    log_in(&app, &long).await.data(200);
    assert!(log_in(&app, &long[2..]).await.status.as_u16() == 401, "every character counts");
    change(&app, &token, &long, "8 chars!").await.data(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_at_once_one_wins() {
    let (app, _) = TestApp::with_admin().await;
    let token = app.sign_up(ADA, Role::User).await;
    let (one, other) = tokio::join!(change(&app, &token, PASSWORD, NEW), change(&app, &token, PASSWORD, "other one"));
    let won = [&one, &other].iter().filter(|answer| answer.status.as_u16() == 200).count();
    assert_eq!(won, 1, "{} {}", one.text, other.text);
    log_in(&app, if one.status.as_u16() == 200 { NEW } else { "other one" }).await.data(200);
}

#[tokio::test]
async fn a_link_sets_a_password_once() {
    let (app, admin) = TestApp::with_admin().await;
    let session = app.sign_up(ADA, Role::User).await;
    let path = format!("{}/reset-link", path_of(&app, ADA).await);
    let before = Timestamp::now();
    let made = app.call("POST", &path).bearer(&admin).send().await.data(201);
    let token = made["reset_token"].as_str().unwrap();
    assert!(token.len() == 64 && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{token}");
    let expires_at: Timestamp = made["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at.millis_since(before) / 60_000, 24 * 60);
    let rows = app.db.read("SELECT data, reset_digest FROM users WHERE email = ?1", params![ADA]).await.unwrap();
    let row = rows.first().unwrap();
    let stored = row.get::<String>("data").unwrap() + &row.get::<String>("reset_digest").unwrap();
    assert!(!stored.contains(token), "never stored in clear");
    assert!(is_signed_in(&app, &session).await, "nothing has changed yet");
    for _ in 0..5 {
        log_in(&app, "wrong").await.refusal(401);
    }
    assert_eq!(log_in(&app, PASSWORD).await.refusal(401), "Unauthorized", "locked");

    assert_link_ended(&reset(&app, &token.to_uppercase(), NEW).await, "another token");
    let user = reset(&app, token, NEW).await.data(200);
    assert_eq!(user, json!({"email": ADA, "name": ADA, "role": "user"}));
    assert!(!is_signed_in(&app, &session).await, "sessions have ended");
    log_in(&app, NEW).await.data(200);
    assert_eq!(log_in(&app, PASSWORD).await.refusal(401), "Unauthorized");
    assert_link_ended(&reset(&app, token, "another password").await, "used up");
}

#[tokio::test]
async fn a_link_ends_with_its_day_with_the_next_one_and_with_sessions() {
    let (app, admin) = TestApp::with_admin().await;
    app.sign_up(ADA, Role::User).await;
    let first = link(&app, &admin).await;
    let second = link(&app, &admin).await;
    assert_link_ended(&reset(&app, &first, NEW).await, "replaced");

    let late = Statement::new("UPDATE users SET reset_expires_at = ?1", params![Timestamp::now()]);
    app.db.write(vec![late]).await.unwrap();
    assert_link_ended(&reset(&app, &second, NEW).await, "late");

    let third = link(&app, &admin).await;
    let ada = path_of(&app, ADA).await;
    app.put(&ada, &admin, &json!({"name": "Ada"})).send().await.data(200);
    app.put(&ada, &admin, &json!({"role": "viewer"})).send().await.data(200);
    assert_link_ended(&reset(&app, &third, NEW).await, "another role");

    let fourth = link(&app, &admin).await;
    app.put(&ada, &admin, &json!({"status": "inactive"})).send().await.data(200);
    assert_link_ended(&reset(&app, &fourth, NEW).await, "switched off");
    app.put(&ada, &admin, &json!({"status": "active"})).send().await.data(200);
    assert_link_ended(&reset(&app, &fourth, NEW).await, "and on again");

    let fifth = link(&app, &admin).await;
    let token = log_in(&app, PASSWORD).await.data(200)["token"].as_str().unwrap().to_owned();
    assert_eq!(app.call("POST", "/api/v1/auth/logout-all").bearer(&token).send().await.status.as_u16(), 204);
    assert_link_ended(&reset(&app, &fifth, NEW).await, "signed out everywhere");
}

#[tokio::test]
async fn only_admins_make_links_and_only_for_active_accounts() {
    let (app, admin) = TestApp::with_admin().await;
    let ada = app.sign_up(ADA, Role::User).await;
    let path = format!("{}/reset-link", path_of(&app, ADA).await);
    assert_eq!(app.call("POST", &path).bearer(&ada).send().await.bare(403), "Forbidden");
    assert_eq!(app.call("POST", &path).send().await.bare(401), "Unauthorized");
    let key = app.add_api_key("admin@example.com", &[Scope::PromptsRead]).await;
    assert_eq!(app.call("POST", &path).api_key(&key).send().await.bare(403), "Forbidden");

    let missing = app.call("POST", "/api/v1/users/nobody/reset-link").bearer(&admin);
    assert_eq!(missing.send().await.refusal(404), "Not Found");
    let body = json!({"email": "new@example.com", "name": "New", "role": "user"});
    app.post("/api/v1/users/invite", &admin, &body).send().await.data(201);
    app.put(&path_of(&app, ADA).await, &admin, &json!({"status": "inactive"})).send().await.data(200);
    for email in ["new@example.com", ADA] {
        let path = format!("{}/reset-link", path_of(&app, email).await);
        let answer = app.call("POST", &path).bearer(&admin).send().await;
        assert_eq!(answer.refusal(400), "Validation Error", "{email}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_used_twice_at_once_works_once() {
    let (app, admin) = TestApp::with_admin().await;
    app.sign_up(ADA, Role::User).await;
    for round in 0..3 {
        let token = link(&app, &admin).await;
        let (one, other) = tokio::join!(reset(&app, &token, NEW), reset(&app, &token, "other one"));
        let won = [&one, &other].iter().filter(|answer| answer.status.as_u16() == 200).count();
        assert_eq!(won, 1, "round {round}: {} {}", one.text, other.text);
        log_in(&app, if one.status.as_u16() == 200 { NEW } else { "other one" }).await.data(200);
    }
}

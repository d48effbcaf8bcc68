//! `/api/v1/auth` and what makes and ends a session (contract 2 and 4).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use shared_core::{
    Document, Timestamp,
    api_keys::Scope,
    db::Statement,
    ids, params,
    secrets::digest,
    users::{self, Invitation, Role, User, UserStatus},
};
use tests::{Answer, KEY, PASSWORD, TestApp, redacted};

const ADMIN: &str = "admin@example.com";
const CHECK: &str = "/api/v1/auth/check";
const REGISTER: &str = "/api/v1/auth/register-first-admin";
const LOGIN: &str = "/api/v1/auth/login";
const ACTIVATE: &str = "/api/v1/auth/activate";
const LOGOUT_ALL: &str = "/api/v1/auth/logout-all";
/// Any operation that only the signed-in may call.
const GUARDED: &str = "/api/v1/common/onboarding-status";

async fn register(app: &TestApp, email: &str) -> Answer {
    let body = json!({"email": email, "name": "Ada", "password": PASSWORD});
    app.call("POST", REGISTER).json(&body).send().await
}

async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    app.call("POST", LOGIN).json(&json!({"email": email, "password": password})).send().await
}

async fn activate(app: &TestApp, token: &str) -> Answer {
    app.call("POST", ACTIVATE).json(&json!({"invitation_token": token, "password": PASSWORD})).send().await
}

/// Fails unless the token opens a guarded operation.
#[track_caller]
fn assert_admits(answer: &Answer, what: &str) {
    assert_eq!(answer.status.as_u16(), 200, "{what}: {}", answer.text);
}

/// Fails unless the answer is the refusal of a session.
#[track_caller]
fn assert_refuses(answer: &Answer, what: &str) {
    assert_eq!((answer.bare(401).as_str(), what), ("Unauthorized", what));
}

/// The stored account with this address.
async fn account(app: &TestApp, email: &str) -> Document<User> {
    let rows =
        app.db.read("SELECT id FROM users WHERE email = ?1", params![email]).await.expect("the database answers");
    let id: String = rows.first().expect("the account exists").get("id").expect("an id");
    users::find(&app.db, &id).await.expect("the database answers").expect("the account exists")
}

/// Changes the stored account as an admin would.
async fn change(app: &TestApp, email: &str, edit: impl FnOnce(&mut User)) {
    let mut found = account(app, email).await;
    edit(&mut found.data);
    let replace = users::replace(&found.id, &found.data, found.revision, Timestamp::now());
    app.db.write(vec![replace]).await.expect("nobody else changes the account");
}

/// Adds an invited account whose invitation has this token and ends after so many seconds.
async fn invite(app: &TestApp, email: &str, token: &str, seconds: i64) {
    let now = Timestamp::now();
    let invitation = Invitation {
        token_digest: digest(token),
        token_encrypted: String::new(),
        invited_at: now,
        expires_at: now.plus_seconds(seconds),
    };
    let user = User {
        email: email.to_owned(),
        name: "New".to_owned(),
        role: Role::User,
        status: UserStatus::Pending,
        password_hash: None,
        session_version: 0,
        profile: None,
        invitation: Some(invitation),
        invited_by: None,
    };
    app.db.write(vec![users::insert(&ids::new_id(), &user, now)]).await.expect("the account is new");
}

#[tokio::test]
async fn check_asks_for_the_first_admin_while_no_account_of_any_status_exists() {
    let app = TestApp::empty().await;
    let wants_first_admin = async || app.call("GET", CHECK).bearer("garbage").send().await.data(200);
    assert_eq!(wants_first_admin().await, json!({"shouldRedirectToRegisterFirstAdmin": true}));
    invite(&app, "new@example.com", "token", 60).await;
    assert_eq!(wants_first_admin().await, json!({"shouldRedirectToRegisterFirstAdmin": false}), "a pending one counts");
    assert_eq!(register(&app, ADMIN).await.refusal(409), "Conflict");
}

#[tokio::test]
async fn the_first_admin_gets_a_session_and_nobody_becomes_it_again() {
    let app = TestApp::empty().await;
    let answer = register(&app, "Ada@Example.com").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let data = answer.data(201);
    let token = data["token"].as_str().unwrap();
    assert_eq!(data, json!({"token": token, "user": {"email": "ada@example.com", "name": "Ada", "role": "admin"}}));
    assert!(!token.contains(|c: char| c.is_whitespace() || matches!(c, ';' | ',')), "cookie-safe: {token}");
    assert_admits(&app.get(GUARDED, token).send().await, "a new session");

    let stored = account(&app, "ada@example.com").await.data;
    assert_eq!((stored.role, stored.status), (Role::Admin, UserStatus::Active));
    assert!(stored.password_hash.unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));

    assert_eq!(register(&app, "bob@example.com").await.refusal(409), "Conflict");
    assert_eq!(register(&app, "ada@example.com").await.refusal(409), "Conflict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_first_admins_at_once_exactly_one_wins() {
    let app = TestApp::empty().await;
    for round in 0..20 {
        let (ada, bob) = tokio::join!(register(&app, "ada@example.com"), register(&app, "bob@example.com"));
        let (winner, loser) = if ada.status.as_u16() == 201 { (ada, bob) } else { (bob, ada) };
        winner.data(201);
        assert_eq!(loser.refusal(409), "Conflict", "round {round}");
        let answers = app.db.write(vec![Statement::new("DELETE FROM users", vec![])]).await.unwrap();
        assert_eq!(answers[0].affected, 1, "round {round}");
    }
}

#[tokio::test]
async fn the_first_admin_needs_address_name_and_password() {
    let app = TestApp::empty().await;
    let good = json!({"email": ADMIN, "name": "Ada", "password": PASSWORD});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({}), vec!["email", "name", "password"]),
        (json!({"email": null, "name": null, "password": null}), vec!["email", "name", "password"]),
        (json!({"email": "ada", "name": "", "password": "7 chars"}), vec!["email", "name", "password"]),
        (with("email", json!(" admin@example.com")), vec!["email"]),
        (with("email", json!("admin@example")), vec!["email"]),
        (with("name", json!(7)), vec!["name"]),
        (with("password", json!("pässwör")), vec!["password"]),
        (with("role", json!("admin")), vec!["request"]),
    ] {
        let answer = app.call("POST", REGISTER).json(&body).send().await;
        assert_eq!(answer.issues("body"), fields, "{body}");
    }
    let mut body = with("role", json!("admin"));
    body["status"] = json!("active");
    let unknown = app.call("POST", REGISTER).json(&body).send().await.json();
    let message = unknown["error"][0]["message"].as_str().unwrap();
    assert!(message.contains("role") && message.contains("status"), "one issue names all: {message}");
    app.call("POST", REGISTER).json(&with("password", json!("8 chars!"))).send().await.data(201);
    let answer = app.call("POST", REGISTER).json(&json!({})).send().await;
    assert_eq!(answer.issues("body").len(), 3, "422 comes before 409");
}

#[tokio::test]
async fn sign_in_answers_a_session_whatever_the_letter_case_of_the_address() {
    let (app, first) = TestApp::with_admin().await;
    for email in [ADMIN, "Admin@EXAMPLE.com"] {
        let data = login(&app, email, PASSWORD).await.data(200);
        let token = data["token"].as_str().unwrap();
        assert_eq!(data, json!({"token": token, "user": {"email": ADMIN, "name": ADMIN, "role": "admin"}}));
        assert_admits(&app.get(GUARDED, token).send().await, email);
    }
    assert_admits(&app.get(GUARDED, &first).send().await, "an earlier session goes on");
    let rows = app.db.read("SELECT last_login FROM users", vec![]).await.unwrap();
    let last_login: String = rows.first().unwrap().get("last_login").unwrap();
    assert_eq!(redacted(&json!(last_login)), "<time>");
}

#[tokio::test]
async fn every_refused_sign_in_looks_the_same() {
    let (app, _) = TestApp::with_admin().await;
    app.sign_up("off@example.com", Role::User).await;
    change(&app, "off@example.com", |user| user.status = UserStatus::Inactive).await;
    invite(&app, "new@example.com", "token", 60).await;
    let reference = login(&app, ADMIN, "wrong").await;
    assert_eq!(reference.refusal(401), "Unauthorized");
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("off@example.com", PASSWORD),
        ("new@example.com", PASSWORD),
        (ADMIN, "correct horse "),
        (ADMIN, "x"),
    ] {
        let answer = login(&app, email, password).await;
        assert_eq!((answer.status, answer.text), (reference.status, reference.text.clone()), "{email} {password}");
    }
}

/// That one password hash is computed whatever is stored, is tested where that is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refused_sign_in_asks_the_database_alike() {
    let (app, _, _queue, server) = TestApp::at_server().await;
    app.sign_up("locked@example.com", Role::User).await;
    app.sign_up("off@example.com", Role::User).await;
    change(&app, "off@example.com", |user| user.status = UserStatus::Inactive).await;
    invite(&app, "new@example.com", "token", 60).await;
    for _ in 0..5 {
        login(&app, "locked@example.com", "wrong").await.refusal(401);
    }
    for email in [ADMIN, "nobody@example.com", "locked@example.com", "off@example.com", "new@example.com"] {
        let before = server.requests();
        login(&app, email, "wrong").await.refusal(401);
        assert_eq!(server.requests() - before, 2, "{email}");
    }
}

#[tokio::test]
async fn sign_in_needs_an_address_and_a_password() {
    let (app, _) = TestApp::with_admin().await;
    for (body, fields) in [
        (json!({}), vec!["email", "password"]),
        (json!({"email": "", "password": ""}), vec!["email", "password"]),
        (json!({"email": null, "password": 1}), vec!["email", "password"]),
        (json!({"email": "admin@example.com ", "password": PASSWORD}), vec!["email"]),
        (json!({"email": ADMIN, "password": PASSWORD, "remember": true}), vec!["request"]),
    ] {
        let answer = app.call("POST", LOGIN).json(&body).send().await;
        assert_eq!(answer.issues("body"), fields, "{body}");
    }
}

#[tokio::test]
async fn five_wrong_passwords_close_sign_in_for_half_an_hour_but_not_the_live_session() {
    let (app, token) = TestApp::with_admin().await;
    for _ in 0..5 {
        assert_eq!(login(&app, ADMIN, "wrong").await.refusal(401), "Unauthorized");
    }
    assert_eq!(login(&app, ADMIN, PASSWORD).await.refusal(401), "Unauthorized", "locked");
    assert_admits(&app.get(GUARDED, &token).send().await, "the session goes on");
    assert_admits(&app.get("/api/v1/settings", &token).send().await, "with all its rights");

    let locked_until = async || {
        let rows = app.db.read("SELECT locked_until FROM users", vec![]).await.unwrap();
        rows.first().unwrap().get::<Timestamp>("locked_until").unwrap()
    };
    let lock = locked_until().await;
    let minutes_left = lock.millis_since(Timestamp::now()) / 60_000;
    assert!((28..=30).contains(&minutes_left), "{minutes_left}");
    login(&app, ADMIN, "wrong").await.refusal(401);
    assert_eq!(locked_until().await, lock, "attempts do not prolong the lock");

    let over = Statement::new("UPDATE users SET locked_until = ?1", params![Timestamp::now().plus_seconds(-1)]);
    app.db.write(vec![over]).await.unwrap();
    login(&app, ADMIN, "wrong").await.refusal(401);
    login(&app, ADMIN, PASSWORD).await.data(200);
}

#[tokio::test]
async fn a_success_starts_the_count_anew() {
    let (app, _) = TestApp::with_admin().await;
    for _ in 0..2 {
        for _ in 0..4 {
            login(&app, ADMIN, "wrong").await.refusal(401);
        }
        login(&app, ADMIN, PASSWORD).await.data(200);
    }
}

/// A token with these claims, signed with a key of this text.
fn signed(algorithm: &str, key: &str, claims: &Value) -> String {
    let head = json!({"typ": "JWT", "alg": algorithm});
    let signed = [head, claims.clone()].map(|part| BASE64.encode(part.to_string())).join(".");
    let signature = match algorithm {
        "HS256" => mac::<Hmac<Sha256>>(key, &signed),
        "HS384" => mac::<Hmac<Sha384>>(key, &signed),
        _ => mac::<Hmac<Sha512>>(key, &signed),
    };
    format!("{signed}.{signature}")
}

fn mac<M: Mac + KeyInit>(key: &str, signed: &str) -> String {
    let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    BASE64.encode(mac.chain_update(signed).finalize().into_bytes())
}

#[tokio::test]
async fn only_a_token_that_is_ours_and_current_opens_a_guarded_operation() {
    let (app, token) = TestApp::with_admin().await;
    let id = account(&app, ADMIN).await.id;
    let now = Timestamp::now().unix_seconds();
    let good = json!({"sub": id, "iat": now, "exp": now + 60, "ver": 0});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let ours = |claims: &Value| signed("HS256", KEY, claims);
    let admitted = ours(&good);
    assert_admits(&app.get(GUARDED, &admitted).send().await, "made as the contract says");
    assert_admits(&app.get(GUARDED, &token).send().await, "issued by sign-in");

    let [head, claims, signature] = admitted.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other_claims = ours(&with("exp", json!(now + 61)));
    let foreign_claims = other_claims.split('.').nth(1).unwrap();
    // {"alg":"none"} and {"alg":"RS256","typ":"JWT"}
    let (none, asymmetric) = ("eyJhbGciOiJub25lIn0", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9");
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        ours(&claims)
    };
    for (what, token) in [
        ("another key", signed("HS256", "another key, just as long as ours is", &good)),
        ("another algorithm with our key", signed("HS512", KEY, &good)),
        ("another algorithm with our key", signed("HS384", KEY, &good)),
        ("no algorithm", format!("{none}.{claims}.")),
        ("an asymmetric algorithm", format!("{asymmetric}.{claims}.{signature}")),
        ("no signature", format!("{head}.{claims}.")),
        ("claims that were not signed", format!("{head}.{foreign_claims}.{signature}")),
        ("a part too few", format!("{head}.{claims}")),
        ("expired", ours(&with("exp", json!(now - 1)))),
        ("issued long ago and expired", ours(&json!({"sub": id, "iat": 0, "exp": 1, "ver": 0}))),
        ("from the future", ours(&with("iat", json!(now + 3600)))),
        ("an earlier session version", ours(&with("ver", json!(-1)))),
        ("a later session version", ours(&with("ver", json!(1)))),
        ("of nobody", ours(&with("sub", json!("0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10")))),
        ("without a name", without("sub")),
        ("without an issue time", without("iat")),
        ("without an end", without("exp")),
        ("without a session version", without("ver")),
        ("expiry as text", ours(&with("exp", json!((now + 60).to_string())))),
        ("garbage", "garbage".to_owned()),
    ] {
        assert_refuses(&app.get(GUARDED, &token).send().await, what);
        let cookie = format!("auth-token={token}");
        assert_refuses(&app.call("GET", GUARDED).header("cookie", &cookie).send().await, what);
    }
    assert_refuses(&app.call("GET", GUARDED).send().await, "no token");
}

#[tokio::test]
async fn a_token_lives_thirty_days() {
    let app = TestApp::empty().await;
    let data = register(&app, ADMIN).await.data(201);
    let claims = data["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).unwrap()).unwrap();
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["sub", "iat", "exp", "ver"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 30 * 24 * 60 * 60);
}

#[tokio::test]
async fn logout_all_ends_every_session_of_the_caller_and_of_nobody_else() {
    let (app, first) = TestApp::with_admin().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let second = login(&app, ADMIN, PASSWORD).await.data(200)["token"].as_str().unwrap().to_owned();

    let answer = app.call("POST", LOGOUT_ALL).bearer(&second).send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert!(!answer.headers.contains_key("content-type") && !answer.headers.contains_key("content-length"));
    assert_refuses(&app.get(GUARDED, &first).send().await, "the other session");
    assert_refuses(&app.get(GUARDED, &second).send().await, "the session itself");
    assert_refuses(&app.call("POST", LOGOUT_ALL).bearer(&second).send().await, "twice");
    assert_admits(&app.get(GUARDED, &viewer).send().await, "somebody else");

    let third = login(&app, ADMIN, PASSWORD).await.data(200)["token"].as_str().unwrap().to_owned();
    assert_admits(&app.get(GUARDED, &third).send().await, "a session after it");
}

#[tokio::test]
async fn logout_all_needs_a_session_in_the_header_whatever_the_role() {
    let (app, token) = TestApp::with_admin().await;
    assert_refuses(&app.call("POST", LOGOUT_ALL).send().await, "nobody");
    let cookie = format!("auth-token={token}");
    assert_refuses(&app.call("POST", LOGOUT_ALL).header("cookie", &cookie).send().await, "only the cookie");
    let key = app.add_api_key(ADMIN, &[Scope::PromptsRead]).await;
    assert_refuses(&app.call("POST", LOGOUT_ALL).api_key(&key).send().await, "only an API key");
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    assert_eq!(app.call("POST", LOGOUT_ALL).bearer(&viewer).send().await.status.as_u16(), 204);
}

#[tokio::test]
async fn a_change_of_the_account_takes_effect_at_once() {
    let (app, admin) = TestApp::with_admin().await;
    let setting = json!({"type": "webhook-destination", "data": {"name": "a", "url": "https://example.com"}});
    app.post("/api/v1/settings", &admin, &setting).send().await.data(201);
    change(&app, ADMIN, |user| user.role = Role::Viewer).await;
    assert_eq!(app.post("/api/v1/settings", &admin, &setting).send().await.bare(403), "Forbidden");

    for (email, edit) in [
        ("version@example.com", (|user| user.session_version += 1) as fn(&mut User)),
        ("inactive@example.com", |user| user.status = UserStatus::Inactive),
        ("pending@example.com", |user| user.status = UserStatus::Pending),
    ] {
        let token = app.sign_up(email, Role::User).await;
        assert_admits(&app.get(GUARDED, &token).send().await, email);
        change(&app, email, edit).await;
        assert_refuses(&app.get(GUARDED, &token).send().await, email);
    }

    let token = app.sign_up("deleted@example.com", Role::User).await;
    let delete = Statement::new("DELETE FROM users WHERE email = 'deleted@example.com'", vec![]);
    app.db.write(vec![delete]).await.unwrap();
    assert_refuses(&app.get(GUARDED, &token).send().await, "deleted");
}

#[tokio::test]
async fn an_accepted_invitation_makes_an_account_and_gives_no_session() {
    let (app, _) = TestApp::with_admin().await;
    invite(&app, "new@example.com", "token", 60).await;
    let data = activate(&app, "token").await.data(200);
    assert_eq!(data, json!({"email": "new@example.com", "name": "New", "role": "user"}));
    let stored = account(&app, "new@example.com").await.data;
    assert_eq!((stored.status, stored.invitation), (UserStatus::Active, None));
    login(&app, "new@example.com", PASSWORD).await.data(200);
    assert_eq!(activate(&app, "token").await.refusal(404), "Invalid or expired invitation token", "used up");
}

#[tokio::test]
async fn an_unknown_expired_or_withdrawn_invitation_is_refused() {
    let (app, _) = TestApp::with_admin().await;
    invite(&app, "late@example.com", "late", -1).await;
    invite(&app, "off@example.com", "off", 60).await;
    change(&app, "off@example.com", |user| user.status = UserStatus::Inactive).await;
    for token in ["unknown", "late", "off", "", &digest("off")] {
        assert_eq!(activate(&app, token).await.refusal(404), "Invalid or expired invitation token", "{token}");
    }
    assert_eq!(account(&app, "late@example.com").await.data.status, UserStatus::Pending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_that_is_accepted_twice_at_once_works_once() {
    let app = TestApp::empty().await;
    for round in 0..5 {
        let (email, token) = (format!("new{round}@example.com"), format!("token {round}"));
        invite(&app, &email, &token, 60).await;
        let (one, other) = tokio::join!(activate(&app, &token), activate(&app, &token));
        let (winner, loser) = if one.status.as_u16() == 200 { (one, other) } else { (other, one) };
        winner.data(200);
        loser.refusal(404);
    }
}

#[tokio::test]
async fn activation_needs_a_token_and_a_password() {
    let (app, _) = TestApp::with_admin().await;
    invite(&app, "new@example.com", "token", 60).await;
    for (body, fields) in [
        (json!({}), vec!["invitation_token", "password"]),
        (json!({"invitation_token": "token"}), vec!["password"]),
        (json!({"invitation_token": "token", "password": null}), vec!["password"]),
        (json!({"invitation_token": "token", "password": "7 chars"}), vec!["password"]),
        (json!({"invitation_token": 1, "password": ""}), vec!["invitation_token", "password"]),
        (json!({"invitation_token": "token", "password": PASSWORD, "role": "admin"}), vec!["request"]),
    ] {
        let answer = app.call("POST", ACTIVATE).json(&body).send().await;
        assert_eq!(answer.issues("body"), fields, "{body}");
    }
    activate(&app, "token").await.data(200);
}

#[tokio::test]
async fn public_operations_ignore_credentials() {
    let (app, _) = TestApp::with_admin().await;
    let body = json!({"email": ADMIN, "password": PASSWORD});
    for (name, value) in [("authorization", "Bearer garbage"), ("authorization", "Basic x"), ("x-api-key", "api_wrong")]
    {
        app.call("POST", LOGIN).header(name, value).json(&body).send().await.data(200);
        app.call("GET", CHECK).header(name, value).send().await.data(200);
    }
}

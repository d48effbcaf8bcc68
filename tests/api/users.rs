//! `/api/v1/users` (contract 4).

use serde_json::{Value, json};
use shared_core::{api_keys::Scope, users::Role};
use tests::{PASSWORD, TestApp};

const USERS: &str = "/api/v1/users";

fn path(id: &Value) -> String {
    format!("{USERS}/{}", id.as_str().expect("an id"))
}

async fn invite(app: &TestApp, token: &str, email: &str, role: &str) -> Value {
    let body = json!({"email": email, "name": "New", "role": role});
    app.post("/api/v1/users/invite", token, &body).send().await.data(201)
}

/// Id of the account with this address.
async fn id_of(app: &TestApp, token: &str, email: &str) -> Value {
    let page = app.get(&format!("{USERS}?search={email}"), token).send().await.data(200);
    page["data"][0]["id"].clone()
}

async fn log_in(app: &TestApp, email: &str) -> u16 {
    let body = json!({"email": email, "password": PASSWORD});
    app.call("POST", "/api/v1/auth/login").json(&body).send().await.status.as_u16()
}

#[tokio::test]
async fn an_invited_person_activates_once_and_signs_in() {
    let (app, admin) = TestApp::with_admin().await;
    let body = json!({"email": "New@Example.com", "name": "New", "role": "user",
        "profile": {"timezone": "Europe/Berlin", "colour": "red"}});
    let invited = app.post("/api/v1/users/invite", &admin, &body).send().await.data(201);
    let token = invited["invitation_token"].as_str().unwrap();
    assert!(token.len() == 64 && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{token}");
    let user = &invited["user"];
    assert_eq!(
        (&user["email"], &user["status"], &user["profile"]),
        (&json!("new@example.com"), &json!("pending"), &json!({"timezone": "Europe/Berlin"}))
    );
    assert_eq!(user["invitation"]["token"], token);
    assert_eq!(user["invitation"]["invited_by"], id_of(&app, &admin, "admin@example.com").await);
    let day = |instant: &Value| instant.as_str().unwrap().parse::<shared_core::Timestamp>().unwrap();
    let lifetime = day(&user["invitation"]["expires_at"]).millis_since(day(&user["invitation"]["invited_at"]));
    assert_eq!(lifetime, 7 * 86_400_000);
    for secret in ["password_hash", "session_version", "token_digest", "token_encrypted"] {
        assert!(!invited.to_string().contains(secret), "{secret}");
    }
    let stored = app.db.read("SELECT data FROM users WHERE status = 'pending'", vec![]).await.unwrap();
    assert!(!stored.first().unwrap().get::<String>("data").unwrap().contains(token), "never stored in clear");

    let activate = json!({"invitation_token": token, "password": PASSWORD});
    let call = || app.call("POST", "/api/v1/auth/activate").json(&activate);
    call().send().await.data(200);
    assert_eq!(call().send().await.refusal(404), "Invalid or expired invitation token", "used twice");
    assert_eq!(log_in(&app, "NEW@example.com").await, 200);
    let shown = app.get(&path(&user["id"]), &admin).send().await.data(200);
    assert_eq!((&shown["status"], shown.get("invitation")), (&json!("active"), None));
}

#[tokio::test]
async fn an_address_is_taken_in_any_letter_case() {
    let (app, admin) = TestApp::with_admin().await;
    invite(&app, &admin, "inv@b.co", "viewer").await;
    let body = json!({"email": "INV@b.co", "name": "Again", "role": "viewer"});
    let answer = app.post("/api/v1/users/invite", &admin, &body).send().await;
    assert_eq!(answer.refusal(400), "Validation Error");
}

#[tokio::test]
async fn invalid_bodies_name_every_member() {
    let (app, admin) = TestApp::with_admin().await;
    let issues = async |body: Value| app.post("/api/v1/users/invite", &admin, &body).send().await.issues("body");
    let fields =
        issues(json!({"email": "nobody", "name": "", "role": "owner", "profile": {"timezone": 1}, "x": 1})).await;
    for field in ["email", "name", "role", "profile.timezone", "request"] {
        assert!(fields.contains(&field.to_owned()), "{field} in {fields:?}");
    }
    assert_eq!(issues(json!({})).await, ["email", "name", "role"]);
    let id = id_of(&app, &admin, "admin@example.com").await;
    let update = async |body: Value| app.put(&path(&id), &admin, &body).send().await.issues("body");
    assert_eq!(update(json!({"email": "other@example.com"})).await, ["request"], "the address cannot be changed");
    assert_eq!(update(json!({"name": "", "role": "owner", "status": "gone"})).await, ["name", "role", "status"]);
    let profile = app.put(&format!("{}/profile", path(&id)), &admin, &json!({"timezone": 1, "x": 1})).send().await;
    assert_eq!(profile.issues("body"), ["timezone", "request"]);
    let query = app.get(&format!("{USERS}?role=owner&status=x&limit=0&colour=red"), &admin).send().await;
    let fields = query.issues("query");
    assert_eq!(fields.len(), 4, "{fields:?}");
}

#[tokio::test]
async fn only_admins_see_the_token_of_an_invitation() {
    let (app, admin) = TestApp::with_admin().await;
    let invited = invite(&app, &admin, "new@example.com", "admin").await;
    let url = path(&invited["user"]["id"]);
    let as_admin = app.get(&url, &admin).send().await.data(200);
    assert_eq!(as_admin["invitation"]["token"], invited["invitation_token"]);
    for role in [Role::Viewer, Role::User] {
        let token = app.sign_up(&format!("{}@example.com", role.as_str()), role).await;
        let invitation = app.get(&url, &token).send().await.data(200)["invitation"].clone();
        assert!(invitation.get("token").is_none() && invitation["expires_at"].is_string(), "{invitation}");
        let list = app.get(USERS, &token).send().await;
        assert!(!list.text.contains("invitation"), "{}", list.text);
    }
}

#[tokio::test]
async fn the_list_filters_and_puts_matches_of_the_name_first() {
    let (app, admin) = TestApp::with_admin().await;
    for (email, name) in [("z1@ann.co", "Zoe"), ("b@x.co", "Annabel"), ("z2@ann.co", "Zack"), ("c@x.co", "JoANN")] {
        let body = json!({"email": email, "name": name, "role": "viewer", "profile": {"timezone": "UTC"}});
        app.post("/api/v1/users/invite", &admin, &body).send().await.data(201);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let names = async |query: &str| {
        let page = app.get(&format!("{USERS}/?{query}"), &admin).send().await.data(200);
        let names: Vec<String> =
            page["data"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect();
        (names, page["total"].as_u64().unwrap())
    };
    assert_eq!(names("search=ann").await, (["JoANN", "Annabel", "Zack", "Zoe"].map(str::to_owned).to_vec(), 4));
    assert_eq!(names("search=ann&limit=2&page=2").await, (["Zack", "Zoe"].map(str::to_owned).to_vec(), 4));
    assert_eq!(names("search=%25").await.1, 0, "a percent sign is a percent sign");
    assert_eq!(names("search=").await.1, 5);
    assert_eq!(names("role=viewer&status=pending").await.1, 4);
    assert_eq!(names("role=viewer&status=active&search=ann").await.1, 0);
    assert_eq!(names("role=admin").await, (vec!["admin@example.com".to_owned()], 1));

    let page = app.get(&format!("{USERS}?limit=1000"), &admin).send().await.data(200);
    let (pending, me) = (&page["data"][0], &page["data"][4]);
    assert_eq!((&pending["profile"], pending.get("last_login")), (&json!({}), None));
    assert!(me.get("profile").is_none() && me["last_login"].is_string(), "{me}");
    assert_eq!((&page["limit"], &page["totalPages"], &page["hasNext"]), (&json!(1000), &json!(1), &json!(false)));
}

#[tokio::test]
async fn a_changed_role_or_status_ends_every_session_and_the_rest_does_not() {
    let (app, admin) = TestApp::with_admin().await;
    let token = app.sign_up("ada@example.com", Role::User).await;
    let id = id_of(&app, &admin, "ada@example.com").await;
    let me = async |token: &str| app.get("/api/v1/users/profile/me", token).send().await.status.as_u16();
    let changed = app.put(&path(&id), &admin, &json!({"name": "Ada L.", "role": "user"})).send().await.data(200);
    assert_eq!((&changed["name"], &changed["role"]), (&json!("Ada L."), &json!("user")));
    assert_eq!(me(&token).await, 200);
    app.put(&path(&id), &admin, &json!({"role": "viewer", "status": "active"})).send().await.data(200);
    assert_eq!(me(&token).await, 401);
    app.put(&path(&id), &admin, &json!({"status": "inactive"})).send().await.data(200);
    assert_eq!(log_in(&app, "ada@example.com").await, 401);
    assert_eq!(app.put(&path(&json!("nobody")), &admin, &json!({})).send().await.refusal(404), "Not Found");
}

#[tokio::test]
async fn an_account_that_is_no_longer_pending_has_no_invitation() {
    let (app, admin) = TestApp::with_admin().await;
    for status in ["active", "inactive"] {
        let invited = invite(&app, &admin, &format!("{status}@example.com"), "user").await;
        let url = path(&invited["user"]["id"]);
        let changed = app.put(&url, &admin, &json!({"status": status})).send().await.data(200);
        assert!(changed.get("invitation").is_none(), "{changed}");
        let body = json!({"invitation_token": invited["invitation_token"], "password": PASSWORD});
        let answer = app.call("POST", "/api/v1/auth/activate").json(&body).send().await;
        assert_eq!(answer.refusal(404), "Invalid or expired invitation token");
    }
}

#[tokio::test]
async fn profiles_are_replaced_by_an_update_and_merged_by_a_profile_update() {
    let (app, admin) = TestApp::with_admin().await;
    let id = id_of(&app, &admin, "admin@example.com").await;
    let (user, profile) = (path(&id), format!("{}/profile", path(&id)));
    let put = async |url: &str, body: Value| app.put(url, &admin, &body).send().await.data(200);
    let before = put(&profile, json!({})).await;
    assert!(before.get("profile").is_none(), "an empty body changes nothing");
    assert_eq!(put(&profile, json!({"timezone": "UTC"})).await["profile"], json!({"timezone": "UTC"}));
    let unchanged = put(&profile, json!({})).await;
    assert_eq!(unchanged["profile"], json!({"timezone": "UTC"}));
    assert_eq!(put(&user, json!({"name": "Me"})).await["profile"], json!({"timezone": "UTC"}));
    assert!(put(&user, json!({"profile": {}})).await.get("profile").is_none());
    assert_eq!(put(&profile, json!({"timezone": ""})).await["profile"], json!({"timezone": ""}), "empty is a value");
    let missing = app.put(&format!("{USERS}/nobody/profile"), &admin, &json!({})).send().await;
    assert_eq!(missing.refusal(404), "Not Found");
}

#[tokio::test]
async fn the_last_active_admin_stays() {
    let (app, admin) = TestApp::with_admin().await;
    let url = path(&id_of(&app, &admin, "admin@example.com").await);
    invite(&app, &admin, "pending@example.com", "admin").await;
    for body in [json!({"role": "user"}), json!({"status": "inactive"}), json!({"status": "pending"})] {
        assert_eq!(app.put(&url, &admin, &body).send().await.issues("param"), ["id"], "{body}");
    }
    assert_eq!(app.delete(&url, &admin).send().await.issues("param"), ["id"]);
    app.put(&url, &admin, &json!({"name": "Still here", "role": "admin"})).send().await.data(200);

    let second = app.sign_up("second@example.com", Role::Admin).await;
    app.put(&url, &second, &json!({"role": "viewer"})).send().await.data(200);
    let second_url = path(&id_of(&app, &second, "second@example.com").await);
    assert_eq!(app.delete(&second_url, &second).send().await.issues("param"), ["id"]);
    app.delete(&url, &second).send().await.data(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_cannot_resign_at_once() {
    let (app, first) = TestApp::with_admin().await;
    let second = app.sign_up("second@example.com", Role::Admin).await;
    let urls = [id_of(&app, &first, "admin@").await, id_of(&app, &first, "second@").await].map(|id| path(&id));
    let (one, other) = tokio::join!(
        tokio::spawn(app.put(&urls[0], &second, &json!({"role": "user"})).send()),
        tokio::spawn(app.delete(&urls[1], &first).send()),
    );
    let statuses = [one.unwrap().status.as_u16(), other.unwrap().status.as_u16()];
    let admins = app.db.read("SELECT 1 AS one FROM users WHERE role = 'admin'", vec![]).await.unwrap().rows.len();
    assert_eq!(admins, 1, "{statuses:?}");
}

#[tokio::test]
async fn a_deleted_user_leaves_with_sessions_and_keys() {
    let (app, admin) = TestApp::with_admin().await;
    let token = app.sign_up("ada@example.com", Role::User).await;
    let key = app.add_api_key("ada@example.com", &[Scope::PromptsRead]).await;
    let url = path(&id_of(&app, &admin, "ada@example.com").await);
    let gone = app.delete(&url, &admin).send().await.data(200);
    assert!(gone["success"] == json!(true) && gone["message"].is_string(), "{gone}");
    assert_eq!(app.get("/api/v1/prompts", &token).send().await.bare(401), "Unauthorized");
    assert_eq!(app.call("GET", "/api/v1/users/profile/me").api_key(&key).send().await.bare(401), "Unauthorized");
    let keys = app.db.read("SELECT 1 AS one FROM api_keys", vec![]).await.unwrap().rows.len();
    assert_eq!(keys, 0);
    assert_eq!(app.delete(&url, &admin).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&url, &admin).send().await.refusal(404), "Not Found");
}

#[tokio::test]
async fn cleanup_deletes_expired_invitations_only() {
    let (app, admin) = TestApp::with_admin().await;
    let cleanup = async || app.call("POST", "/api/v1/users/cleanup").bearer(&admin).send().await.data(200);
    invite(&app, &admin, "open@example.com", "user").await;
    let expired = invite(&app, &admin, "late@example.com", "user").await;
    assert_eq!(cleanup().await["deleted_count"], 0);
    let sql = "UPDATE users SET data = json_set(data, '$.invitation.expires_at', '2026-01-01T00:00:00.000Z')
        WHERE email = 'late@example.com'";
    app.db.write(vec![shared_core::db::Statement::new(sql, vec![])]).await.unwrap();
    let activate = json!({"invitation_token": expired["invitation_token"], "password": PASSWORD});
    let answer = app.call("POST", "/api/v1/auth/activate").json(&activate).send().await;
    assert_eq!(answer.refusal(404), "Invalid or expired invitation token");
    let result = cleanup().await;
    assert!(result["deleted_count"] == 1 && result["message"].is_string(), "{result}");
    assert_eq!(app.get(USERS, &admin).send().await.data(200)["total"], 2);
}

#[tokio::test]
async fn me_is_open_to_every_role_and_every_working_key() {
    let (app, _) = TestApp::with_admin().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let expected = json!({"email": "viewer@example.com", "name": "viewer@example.com", "role": "viewer"});
    assert_eq!(app.get("/api/v1/users/profile/me", &viewer).send().await.data(200), expected);
    for scopes in [&[][..], &[Scope::FilesUpload]] {
        let key = app.add_api_key("viewer@example.com", scopes).await;
        let call = app.call("GET", "/api/v1/users/profile/me").api_key(&key);
        assert_eq!(call.send().await.data(200), expected);
        assert_eq!(app.call("GET", USERS).api_key(&key).send().await.bare(403), "Forbidden");
    }
}

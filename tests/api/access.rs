//! The access table against the routers and against every kind of caller (contract 2.4 and 2.5, decision A-03).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use shared_core::{Timestamp, api_keys::Scope, db::Statement, params, secrets::digest, users::Role};
use shared_http::access::{Access, Keys, RULES, Rule};
use tests::{KEY, TestApp};

#[tokio::test]
async fn the_table_and_the_routers_know_the_same_operations() {
    let document = TestApp::empty().await.openapi();
    let routed: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let ruled = RULES.iter().map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
    assert_eq!(routed, ruled);
}

/// The operation's path with this id in place of its parameters.
fn path(rule: &Rule, id: &str) -> String {
    let path = rule.path.replace("{type}", "llm-api-key").replace("{identifier}", "x").replace("{pattern}", "x");
    path.replace("{id}", id).replace("{groupId}", id).replace("{name}", "x")
}

/// An id of nothing.
const NOTHING: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

/// What a caller shows.
#[derive(Debug, Clone)]
enum Shows {
    Nothing,
    Token(String),
    Cookie(String),
    Key(String),
}

/// Whom that should be taken for.
#[derive(Debug, Clone)]
enum Is {
    Nobody,
    Person(Role),
    /// Who is recognised by the cookie, which counts for reading only.
    Browser(Role),
    Key(Role, Vec<Scope>),
}

impl Is {
    /// The status that refuses this caller; `None` where the operation itself answers.
    fn refusal(&self, rule: &Rule) -> Option<u16> {
        let Access::SignedIn { least, keys } = rule.access else { return None };
        match self {
            Self::Nobody => Some(401),
            Self::Browser(_) if rule.method != "GET" => Some(401),
            Self::Person(role) | Self::Browser(role) => (*role < least).then_some(403),
            Self::Key(role, scopes) => match keys {
                Keys::Ignored => Some(401),
                Keys::Refused => Some(403),
                Keys::Scope(scope) if !scopes.contains(&scope) => Some(403),
                Keys::Scope(_) | Keys::AnyScope => (*role < least).then_some(403),
            },
        }
    }
}

const SCOPES: [Scope; 7] = [
    Scope::ExecutionsRun,
    Scope::ExecutionsRead,
    Scope::PromptsPreview,
    Scope::PromptsRead,
    Scope::FilesUpload,
    Scope::DeploymentsRun,
    Scope::DeploymentEmbeddingsRun,
];

/// A session token as somebody could make it who has this key; both times from now on, in seconds.
async fn forged(app: &TestApp, email: &str, issued: i64, expires: i64, algorithm: &str, key: &str) -> String {
    let rows =
        app.db.read("SELECT id FROM users WHERE email = ?1", params![email]).await.expect("the database answers");
    let (id, now) = (
        rows.first().expect("the account exists").get::<String>("id").expect("an id"),
        Timestamp::now().unix_seconds(),
    );
    let claims = json!({"sub": id, "iat": now + issued, "exp": now + expires, "ver": 0});
    let head = json!({"typ": "JWT", "alg": algorithm});
    let signed = [head, claims].map(|part| BASE64.encode(part.to_string())).join(".");
    let signature = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("keys of any length").chain_update(&signed);
    format!("{signed}.{}", BASE64.encode(signature.finalize().into_bytes()))
}

/// Changes a member of what is stored about an account.
async fn change_user(app: &TestApp, email: &str, member: &str, value: &str) {
    let sql = "UPDATE users SET data = json_set(data, ?2, ?3) WHERE email = ?1";
    app.db.write(vec![Statement::new(sql, params![email, member, value]).expecting_one()]).await.expect("one row");
}

/// Changes a member of what is stored about a key.
async fn change_key(app: &TestApp, key: &str, member: &str, value: &str) {
    let sql = "UPDATE api_keys SET data = json_set(data, ?2, ?3) WHERE key_digest = ?1";
    app.db
        .write(vec![Statement::new(sql, params![digest(key), member, value]).expecting_one()])
        .await
        .expect("one row");
}

/// Everybody who may knock.
async fn callers(app: &TestApp) -> Vec<(String, Shows, Is)> {
    let mut callers = vec![("no credential".to_owned(), Shows::Nothing, Is::Nobody)];
    let mut add = |name: &str, shows: Shows, is: Is| callers.push((name.to_owned(), shows, is));
    for role in [Role::Viewer, Role::User, Role::Admin] {
        let token = app.sign_up(&format!("{}@example.com", role.as_str()), role).await;
        add(&format!("cookie of {role:?}"), Shows::Cookie(token.clone()), Is::Browser(role));
        add(&format!("session of {role:?}"), Shows::Token(token), Is::Person(role));
    }
    for scope in SCOPES {
        let key = app.add_api_key("admin@example.com", &[scope]).await;
        add(&format!("key with {}", scope.as_str()), Shows::Key(key), Is::Key(Role::Admin, vec![scope]));
    }
    for role in [Role::Viewer, Role::User, Role::Admin] {
        let key = app.add_api_key(&format!("{}@example.com", role.as_str()), &SCOPES).await;
        add(&format!("key of {role:?} with every scope"), Shows::Key(key), Is::Key(role, SCOPES.to_vec()));
    }
    let key = app.add_api_key("admin@example.com", &[]).await;
    add("key without scopes", Shows::Key(key), Is::Key(Role::Admin, Vec::new()));
    for (name, member, value) in
        [("revoked key", "$.status", "revoked"), ("expired key", "$.expires_at", "2020-01-01T00:00:00.000Z")]
    {
        let key = app.add_api_key("admin@example.com", &SCOPES).await;
        change_key(app, &key, member, value).await;
        add(name, Shows::Key(key), Is::Nobody);
    }
    add("unknown key", Shows::Key("no such key".to_owned()), Is::Nobody);

    // Made here, so that what makes the others wrong is one thing each. The good one comes last: it ends all others.
    let forger = "forger@example.com";
    app.sign_up(forger, Role::Admin).await;
    for (name, issued, expires, algorithm, key) in [
        ("expired token", -600, -1, "HS256", KEY),
        ("token from the future", 600, 1200, "HS256", KEY),
        ("token with another signature", 0, 600, "HS256", "another key that is long enough for tests"),
        ("token with another algorithm", 0, 600, "HS384", KEY),
    ] {
        add(name, Shows::Token(forged(app, forger, issued, expires, algorithm, key).await), Is::Nobody);
    }
    let token = forged(app, forger, 0, 600, "HS256", KEY).await;
    add(
        "token without a signature",
        Shows::Token(format!("{}.", token.trim_end_matches(|letter| letter != '.').trim_end_matches('.'))),
        Is::Nobody,
    );
    add("token made in this test", Shows::Token(token), Is::Person(Role::Admin));

    for status in ["inactive", "pending"] {
        let email = format!("{status}@example.com");
        let token = app.sign_up(&email, Role::Admin).await;
        let key = app.add_api_key(&email, &SCOPES).await;
        change_user(app, &email, "$.status", status).await;
        add(&format!("session of an account that is {status}"), Shows::Token(token), Is::Nobody);
        add(&format!("key of an account that is {status}"), Shows::Key(key), Is::Nobody);
    }
    let token = app.sign_up("deleted@example.com", Role::Admin).await;
    let key = app.add_api_key("deleted@example.com", &SCOPES).await;
    app.db
        .write(vec![Statement::new("DELETE FROM users WHERE email = 'deleted@example.com'", params![])])
        .await
        .expect("the database answers");
    add("session of an account that was deleted", Shows::Token(token), Is::Nobody);
    add("key of an account that was deleted", Shows::Key(key), Is::Nobody);
    let token = app.sign_up("ended@example.com", Role::Admin).await;
    app.call("POST", "/api/v1/auth/logout-all").bearer(&token).send().await;
    add("session that its owner ended", Shows::Token(token), Is::Nobody);
    callers
}

#[tokio::test]
async fn every_operation_answers_every_caller_as_the_table_says() {
    let app = TestApp::empty().await;
    // Ending all sessions of a caller comes last.
    let (ending, others): (Vec<&Rule>, Vec<&Rule>) = RULES.iter().partition(|rule| rule.path.ends_with("logout-all"));
    for (name, shows, is) in callers(&app).await {
        for rule in others.iter().chain(&ending) {
            let call = app.call(rule.method, &path(rule, NOTHING));
            let call = match &shows {
                Shows::Nothing => call,
                Shows::Token(token) => call.bearer(token),
                Shows::Cookie(token) => call.header("cookie", &format!("theme=dark; auth-token={token}")),
                Shows::Key(key) => call.api_key(key),
            };
            let status = call.send().await.status.as_u16();
            match is.refusal(rule) {
                Some(expected) => assert_eq!(status, expected, "{name} at {rule:?}"),
                // The operation may still refuse, for instance because nothing was sent.
                None => assert!(!matches!(status, 401 | 403 | 405), "{name} at {rule:?}: {status}"),
            }
        }
    }
}

/// Operations on one thing that has an owner, by the path of its family; a new one below these is walked too.
#[tokio::test]
async fn what_has_an_owner_is_not_there_for_others() {
    let app = TestApp::empty().await;
    let owner = app.sign_up("owner@example.com", Role::Admin).await;
    let prompt = json!({"name": "p", "prompt": "x"});
    let prompt = app.post("/api/v1/prompts", &owner, &prompt).send().await.data(201)["id"].clone();
    let key = json!({"name": "k", "scopes": ["executions:run"]});
    let key = app.post("/api/v1/api-keys", &owner, &key).send().await.data(201)["api_key"]["id"].clone();
    let comment = json!({"text": "c", "data": {"type": "generic"}, "prompt_id": prompt});
    let comment = app.post("/api/v1/comments", &owner, &comment).send().await.data(201)["id"].clone();
    let (user, admin) =
        (app.sign_up("user@example.com", Role::User).await, app.sign_up("other-admin@example.com", Role::Admin).await);

    let body = |rule: &Rule| match rule.path {
        "/api/v1/api-keys/{id}/rotate" => json!({"grace_hours": 0}),
        _ => json!({"name": "taken over"}),
    };
    let mut walked = 0;
    // Not even admins see keys of others; comments they may delete.
    for (family, id, strangers) in [
        ("/api/v1/api-keys/{id}", key.as_str().unwrap(), vec![&user, &admin]),
        ("/api/v1/comments/{id}", comment.as_str().unwrap(), vec![&user]),
    ] {
        for rule in RULES.iter().filter(|rule| rule.path.starts_with(family)) {
            for stranger in &strangers {
                let answer = app.call(rule.method, &path(rule, id)).bearer(stranger).json(&body(rule)).send().await;
                assert_eq!(answer.status.as_u16(), 404, "{rule:?}: {}", answer.text);
                walked += 1;
            }
        }
    }
    assert_eq!(walked, 9, "reading, changing, rotating and deleting a key by two strangers, deleting a comment by one");
    let kept = app.get(&format!("/api/v1/api-keys/{}", key.as_str().unwrap()), &owner).send().await.data(200);
    assert_eq!(kept["name"], "k");
    let path = format!("/api/v1/comments/{}", comment.as_str().unwrap());
    assert_eq!(app.delete(&path, &owner).send().await.status.as_u16(), 204);
}

/// The rights that the contract gives, written out once more, so that a slip in the table is noticed.
#[test]
fn the_table_gives_the_rights_of_the_contract() {
    let least = |method: &str, path: &str| match shared_http::access::access(method, path) {
        Some(Access::SignedIn { least, .. }) => Some(least),
        _ => None,
    };
    let reading = RULES.iter().filter(|rule| rule.method == "GET" && rule.access != Access::Public);
    for rule in reading.filter(|rule| rule.path != "/api/v1/audit") {
        assert_eq!(least(rule.method, rule.path), Some(Role::Viewer), "everybody reads {}", rule.path);
    }
    for (method, path, role) in [
        ("GET", "/api/v1/audit", Role::Admin),
        ("POST", "/api/v1/prompts/preview", Role::Viewer),
        ("POST", "/api/v1/executions/update-fields/{id}", Role::Viewer),
        ("POST", "/api/v1/prompts", Role::User),
        ("PUT", "/api/v1/prompts/{id}", Role::User),
        ("DELETE", "/api/v1/prompts/{id}", Role::User),
        ("POST", "/api/v1/executions", Role::User),
        ("DELETE", "/api/v1/executions/{id}", Role::User),
        ("POST", "/api/v1/executions/{id}/erase", Role::Admin),
        ("POST", "/api/v1/test-data/compile-prompt", Role::Viewer),
        ("POST", "/api/v1/test-data/groups", Role::User),
        ("PUT", "/api/v1/test-data/groups/{id}", Role::User),
        ("DELETE", "/api/v1/test-data/groups/{id}", Role::User),
        ("POST", "/api/v1/test-data/groups/{groupId}/items", Role::User),
        ("POST", "/api/v1/test-data/groups/{groupId}/items/bulk", Role::User),
        ("PUT", "/api/v1/test-data/items/{id}", Role::User),
        ("DELETE", "/api/v1/test-data/items/{id}", Role::User),
        ("POST", "/api/v1/files", Role::User),
        ("DELETE", "/api/v1/files/{id}", Role::User),
        ("POST", "/api/v1/prompts/{id}/generate-adjustment", Role::Viewer),
        ("POST", "/api/v1/comments", Role::Viewer),
        ("DELETE", "/api/v1/comments/{id}", Role::Viewer),
        ("POST", "/api/v1/api-keys", Role::User),
        ("PUT", "/api/v1/api-keys/{id}", Role::User),
        ("DELETE", "/api/v1/api-keys/{id}", Role::User),
        ("POST", "/api/v1/api-keys/{id}/rotate", Role::User),
        ("POST", "/api/v1/users/invite", Role::Admin),
        ("POST", "/api/v1/users/cleanup", Role::Admin),
        ("PUT", "/api/v1/users/{id}", Role::Admin),
        ("PUT", "/api/v1/users/{id}/profile", Role::Admin),
        ("DELETE", "/api/v1/users/{id}", Role::Admin),
        ("POST", "/api/v1/users/{id}/reset-link", Role::Admin),
        ("POST", "/api/v1/auth/change-password", Role::Viewer),
        ("POST", "/api/v1/settings", Role::Admin),
        ("PUT", "/api/v1/settings/{id}", Role::Admin),
        ("DELETE", "/api/v1/settings/{id}", Role::Admin),
        ("POST", "/api/v1/settings/{id}/rotate-secret", Role::Admin),
        ("POST", "/api/v1/jobs/single/trigger", Role::Admin),
        ("POST", "/api/v1/jobs/{id}/redeliver", Role::Admin),
    ] {
        assert_eq!(least(method, path), Some(role), "{method} {path}");
    }
}

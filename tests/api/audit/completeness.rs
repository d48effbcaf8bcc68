//! Walks every operation of the access table that changes something.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared_core::{ProviderName, audit::AuditEntry, db::Statement, params, users::Role};
use shared_http::access::RULES;
use shared_testing::vendor::voyageai;
use tests::{Call, PASSWORD, TestApp};

use super::{MISSING, entries, id};

/// Operations that compute an answer and store nothing.
const ONLY_COMPUTE: [&str; 3] = [
    "POST /api/v1/prompts/preview",
    "POST /api/v1/prompts/{id}/generate-adjustment",
    "POST /api/v1/test-data/compile-prompt",
];

/// Texts and secrets that the walk sends, or is given, and that no entry may hold.
const SENSITIVE: [&str; 13] = [
    "marker-deployment",
    "marker-name",
    "marker-prompt",
    "marker-input",
    "marker-text",
    "marker@example.com",
    "marker-key",
    "marker-url",
    "marker-description",
    "bWFya2VyLWZpbGU=",
    PASSWORD,
    "whsec_",
    "api_",
];

/// Every operation that is not a reading one, as "METHOD path".
fn mutating() -> BTreeSet<String> {
    let rules = RULES.iter().filter(|rule| rule.method != "GET");
    let mut rules: BTreeSet<String> = rules.map(|rule| format!("{} {}", rule.method, rule.path)).collect();
    for rule in ONLY_COMPUTE {
        assert!(rules.remove(rule), "the table does not know {rule}");
    }
    rules
}

/// What was recorded since.
async fn actions_since(app: &TestApp, before: &[AuditEntry]) -> Vec<String> {
    let news = entries(app).await.into_iter().filter(|entry| !before.contains(entry));
    news.map(|entry| entry.action).collect()
}

struct Walk {
    app: TestApp,
    seen: Vec<AuditEntry>,
    walked: BTreeSet<String>,
}

impl Walk {
    async fn begin(app: TestApp) -> Self {
        let seen = entries(&app).await;
        Self { app, seen, walked: BTreeSet::new() }
    }

    /// The entries since the last look.
    async fn news(&mut self) -> Vec<AuditEntry> {
        let all = entries(&self.app).await;
        // By id: what an entry shows of a person ends with the account.
        let is_new = |entry: &&AuditEntry| self.seen.iter().all(|seen| seen.id != entry.id);
        let news = all.iter().filter(is_new).cloned().collect();
        self.seen = all;
        news
    }

    /// Makes a call that succeeds; gives its answer and the one entry that it left.
    async fn step(&mut self, rule: &str, call: Call, action: &str) -> (Value, AuditEntry) {
        self.news().await;
        let answer = call.send().await;
        assert!(answer.status.is_success(), "{rule}: {}", answer.text);
        let news = self.news().await;
        let actions: Vec<&str> = news.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, [action], "what {rule} left");
        assert_eq!(answer.headers["x-request-id"].to_str().ok(), news[0].request_id.as_deref(), "{rule}");
        self.walked.insert(rule.to_owned());
        let data = answer.json()["data"].clone();
        (data, news.into_iter().next().expect("one entry"))
    }

    /// Makes a call with a session, whose entry must name the account behind it.
    async fn signed_in(&mut self, rule: &str, path_id: &str, token: &str, body: &Value, action: &str) -> Value {
        let (method, pattern) = rule.split_once(' ').expect("a method and a path");
        let path = pattern.replace("{id}", path_id).replace("{groupId}", path_id).replace("{name}", path_id);
        let mut call = self.app.call(method, &path).bearer(token);
        if !body.is_null() {
            call = call.json(body);
        }
        let (data, entry) = self.step(rule, call, action).await;
        assert_eq!(entry.actor, "user", "{rule}");
        assert!(entry.user_id.is_some() && entry.role.is_some() && entry.user_email.is_some(), "{entry:?}");
        data
    }
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_exactly_one_entry() {
    let mut walk = Walk::begin(TestApp::empty().await).await;
    let first = json!({"email": "first@example.com", "name": "First", "password": PASSWORD});
    let call = walk.app.call("POST", "/api/v1/auth/register-first-admin").json(&first);
    let (_, entry) = walk.step("POST /api/v1/auth/register-first-admin", call, "user.registered").await;
    assert_eq!(entry.actor, "anonymous");
    let mut walked = walk.walked;

    let (app, token) = TestApp::with_receiver().await;
    let mut walk = Walk::begin(app).await;
    accounts(&mut walk, &token).await;
    settings(&mut walk, &token).await;
    prompts_and_runs(&mut walk, &token).await;
    test_data(&mut walk, &token).await;
    embeddings_and_jobs(&mut walk, &token).await;
    // Ends the session, hence last.
    walk.signed_in("POST /api/v1/auth/logout-all", "", &token, &Value::Null, "user.sessions-ended").await;

    walked.append(&mut walk.walked);
    assert_eq!(walked, mutating(), "left: the operations of this walk, right: those that change something");
    for entry in entries(&walk.app).await {
        let kept = format!("{:?} {:?} {:?}", entry.resource_id, entry.before, entry.after);
        for sensitive in SENSITIVE {
            assert!(!kept.contains(sensitive), "{sensitive} in {entry:?}");
        }
    }
}

async fn accounts(walk: &mut Walk, token: &str) {
    let nothing = Value::Null;
    let sign_in = json!({"email": "admin@example.com", "password": PASSWORD});
    let call = walk.app.call("POST", "/api/v1/auth/login").json(&sign_in);
    let (_, entry) = walk.step("POST /api/v1/auth/login", call, "user.signed-in").await;
    assert_eq!((entry.actor.as_str(), &entry.user_id), ("user", &entry.resource_id));

    let invite = json!({"email": "marker@example.com", "name": "marker-name", "role": "user"});
    let invited = walk.signed_in("POST /api/v1/users/invite", "", token, &invite, "user.invited").await;
    let activate = json!({"invitation_token": invited["invitation_token"], "password": PASSWORD});
    let call = walk.app.call("POST", "/api/v1/auth/activate").json(&activate);
    let (_, entry) = walk.step("POST /api/v1/auth/activate", call, "user.activated").await;
    let user_id = id(&invited["user"]);
    assert_eq!((entry.actor.as_str(), entry.resource_id.as_deref()), ("anonymous", Some(user_id.as_str())));
    assert_eq!(
        (&entry.before.expect("members")["status"], &entry.after.expect("members")["status"]),
        (&json!("pending"), &json!("active"))
    );

    passwords(walk, &user_id, token).await;
    let role = json!({"role": "viewer"});
    walk.signed_in("PUT /api/v1/users/{id}", &user_id, token, &role, "user.updated").await;
    let profile = json!({"timezone": "Europe/Berlin"});
    let rule = "PUT /api/v1/users/{id}/profile";
    walk.signed_in(rule, &user_id, token, &profile, "user.profile-updated").await;
    walk.signed_in("DELETE /api/v1/users/{id}", &user_id, token, &nothing, "user.deleted").await;

    walk.signed_in("POST /api/v1/users/invite", "", token, &invite, "user.invited").await;
    let expire = "UPDATE users SET data = json_set(data, '$.invitation.expires_at', '2026-01-01T00:00:00.000Z')
        WHERE status = 'pending'";
    walk.app.db.write(vec![Statement::new(expire, params![])]).await.expect("the database answers");
    let rule = "POST /api/v1/users/cleanup";
    walk.signed_in(rule, "", token, &nothing, "user.invitations-expired").await;

    let key = json!({"name": "marker-name", "scopes": ["executions:run"]});
    let created = walk.signed_in("POST /api/v1/api-keys", "", token, &key, "api-key.created").await;
    let key_id = id(&created["api_key"]);
    let name = json!({"name": "marker-name 2"});
    walk.signed_in("PUT /api/v1/api-keys/{id}", &key_id, token, &name, "api-key.updated").await;
    walk.signed_in("POST /api/v1/api-keys/{id}/rotate", &key_id, token, &nothing, "api-key.rotated").await;
    walk.signed_in("DELETE /api/v1/api-keys/{id}", &key_id, token, &nothing, "api-key.revoked").await;
}

/// Of the account `marker@example.com`.
async fn passwords(walk: &mut Walk, user_id: &str, token: &str) {
    let rule = "POST /api/v1/users/{id}/reset-link";
    let link = walk.signed_in(rule, user_id, token, &Value::Null, "user.reset-link-created").await;
    let reset = json!({"token": link["reset_token"], "password": "marker-key 1"});
    let call = walk.app.call("POST", "/api/v1/auth/reset-password").json(&reset);
    let (_, entry) = walk.step("POST /api/v1/auth/reset-password", call, "user.password-reset").await;
    assert_eq!((entry.actor.as_str(), entry.resource_id.as_deref()), ("anonymous", Some(user_id)));
    let sign_in = json!({"email": "marker@example.com", "password": "marker-key 1"});
    let session = walk.app.call("POST", "/api/v1/auth/login").json(&sign_in).send().await.data(200);
    let change = json!({"current_password": "marker-key 1", "new_password": "marker-key 2"});
    let session = session["token"].as_str().expect("a token");
    walk.signed_in("POST /api/v1/auth/change-password", "", session, &change, "user.password-changed").await;
}

async fn settings(walk: &mut Walk, token: &str) {
    let data = json!({"name": "marker-name", "url": format!("{}/hook?marker-url", walk.app.receiver.url())});
    let hook = json!({"type": "webhook-destination", "data": data});
    let hook = id(&walk.signed_in("POST /api/v1/settings", "", token, &hook, "setting.created").await);
    let off = json!({"type": "webhook-destination", "data": {"active": false}});
    walk.signed_in("PUT /api/v1/settings/{id}", &hook, token, &off, "setting.updated").await;
    let rule = "POST /api/v1/settings/{id}/rotate-secret";
    walk.signed_in(rule, &hook, token, &Value::Null, "setting.secret-rotated").await;
    walk.signed_in("DELETE /api/v1/settings/{id}", &hook, token, &Value::Null, "setting.deleted").await;
    let service = json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": "marker-key"}});
    walk.signed_in("POST /api/v1/settings", "", token, &service, "setting.created").await;
}

async fn prompts_and_runs(walk: &mut Walk, token: &str) {
    let nothing = Value::Null;
    let new = json!({"name": "marker-name", "prompt": "marker-prompt"});
    let prompt = id(&walk.signed_in("POST /api/v1/prompts", "", token, &new, "prompt.created").await);
    let edit = json!({"prompt": "marker-prompt 2"});
    walk.signed_in("PUT /api/v1/prompts/{id}", &prompt, token, &edit, "prompt.updated").await;

    let run = json!({"promptId": prompt, "userInput": "marker-input",
        "providerModel": ["ollama:demo:latest", "ollama:demo:latest"]});
    let created = walk.signed_in("POST /api/v1/executions", "", token, &run, "execution.created").await;
    let execution = created["executionIds"][0].as_str().expect("an id").to_owned();
    let fields = json!({"starred": true, "userStatus": "marker-text"});
    let rule = "POST /api/v1/executions/update-fields/{id}";
    walk.signed_in(rule, &execution, token, &fields, "execution.updated").await;
    let rule = "DELETE /api/v1/executions/{id}";
    walk.signed_in(rule, &execution, token, &nothing, "execution.cancelled").await;

    let comment = json!({"text": "marker-text", "data": {"type": "generic"}, "execution_id": execution});
    let comment = id(&walk.signed_in("POST /api/v1/comments", "", token, &comment, "comment.created").await);
    walk.signed_in("DELETE /api/v1/comments/{id}", &comment, token, &nothing, "comment.deleted").await;

    let rule = "POST /api/v1/executions/{id}/erase";
    walk.signed_in(rule, &execution, token, &nothing, "execution.erased").await;

    let deployment = json!({"name": "marker-deployment", "promptId": prompt, "promptVersion": 1, "provider": "ollama",
        "model": "demo:latest"});
    let rule = "POST /api/v1/deployments";
    let deployment = id(&walk.signed_in(rule, "", token, &deployment, "deployment.created").await);
    let edit = json!({"promptVersion": 2});
    walk.signed_in("PUT /api/v1/deployments/{id}", &deployment, token, &edit, "deployment.updated").await;
    let input = json!({"userInput": "marker-input"});
    let rule = "POST /api/v1/deployments/run/{name}";
    walk.signed_in(rule, "marker-deployment", token, &input, "execution.created").await;
    let rule = "DELETE /api/v1/deployments/{id}";
    walk.signed_in(rule, &deployment, token, &nothing, "deployment.deleted").await;
    walk.signed_in("DELETE /api/v1/prompts/{id}", &prompt, token, &nothing, "prompt.deleted").await;

    let file = json!({"name": "marker-name", "originalName": "marker-name.txt", "mimeType": "text/plain", "size": 1,
        "data": "bWFya2VyLWZpbGU=", "description": "marker-description"});
    let file = id(&walk.signed_in("POST /api/v1/files", "", token, &file, "file.created").await);
    walk.signed_in("DELETE /api/v1/files/{id}", &file, token, &nothing, "file.deleted").await;
}

async fn test_data(walk: &mut Walk, token: &str) {
    let nothing = Value::Null;
    let group = json!({"name": "marker-name", "mode": "raw", "description": "marker-description"});
    let rule = "POST /api/v1/test-data/groups";
    let group = id(&walk.signed_in(rule, "", token, &group, "test-data-group.created").await);
    let edit = json!({"mode": "raw", "name": "marker-name 2"});
    let rule = "PUT /api/v1/test-data/groups/{id}";
    walk.signed_in(rule, &group, token, &edit, "test-data-group.updated").await;
    let item = json!({"name": "marker-name", "content": "marker-input"});
    let rule = "POST /api/v1/test-data/groups/{groupId}/items";
    let one = id(&walk.signed_in(rule, &group, token, &item, "test-data-item.created").await);
    let rule = "POST /api/v1/test-data/groups/{groupId}/items/bulk";
    walk.signed_in(rule, &group, token, &json!({"items": [item, item]}), "test-data-item.created").await;

    let prompt = json!({"name": "over a group", "prompt": "marker-prompt"});
    let prompt = id(&walk.app.post("/api/v1/prompts", token, &prompt).send().await.data(201));
    let run = json!({"promptId": prompt, "testDataGroupId": group, "providerModel": ["ollama:demo:latest"]});
    walk.signed_in("POST /api/v1/executions", "", token, &run, "execution-bundle.created").await;

    let rule = "PUT /api/v1/test-data/items/{id}";
    walk.signed_in(rule, &one, token, &json!({"content": "marker-input 2"}), "test-data-item.updated").await;
    let rule = "DELETE /api/v1/test-data/items/{id}";
    walk.signed_in(rule, &one, token, &nothing, "test-data-item.deleted").await;
    let rule = "DELETE /api/v1/test-data/groups/{id}";
    walk.signed_in(rule, &group, token, &nothing, "test-data-group.deleted").await;
}

async fn embeddings_and_jobs(walk: &mut Walk, token: &str) {
    walk.app.vendor.on("POST", "/v1/embeddings", voyageai::embedded(&[vec![0.25]]));
    let new = json!({"name": "texts", "model": "voyage-3-large"});
    let rule = "POST /api/v1/deployment-embeddings";
    let deployment = id(&walk.signed_in(rule, "", token, &new, "deployment-embedding.created").await);
    let rule = "PUT /api/v1/deployment-embeddings/{id}";
    let edit = json!({"inputType": "query"});
    walk.signed_in(rule, &deployment, token, &edit, "deployment-embedding.updated").await;
    let rule = "POST /api/v1/deployment-embeddings/run/{name}";
    walk.signed_in(rule, "texts", token, &json!({"inputs": ["marker-input"]}), "job.created").await;
    let rule = "DELETE /api/v1/deployment-embeddings/{id}";
    walk.signed_in(rule, &deployment, token, &Value::Null, "deployment-embedding.deleted").await;

    let url = format!("{}/hook?marker-url", walk.app.receiver.url());
    let job = json!({"job": {"type": "webhook-delivery", "data": {"url": url}}});
    walk.signed_in("POST /api/v1/jobs/single/trigger", "", token, &job, "job.created").await;
    walk.app.run_webhooks().await;
    let page = walk.app.get("/api/v1/jobs?jobName=webhook-delivery", token).send().await.data(200);
    let rule = "POST /api/v1/jobs/{id}/redeliver";
    walk.signed_in(rule, &id(&page["data"][0]), token, &Value::Null, "job.redelivered").await;
}

#[tokio::test]
async fn what_is_refused_or_only_computed_leaves_nothing() {
    let (app, token) = TestApp::with_providers().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let before = entries(&app).await;
    // Ends sessions, however little one sends.
    let walked = RULES.iter().filter(|rule| !rule.path.ends_with("logout-all") && !rule.path.ends_with("login"));
    for (rule, token) in walked.flat_map(|rule| [(rule, None), (rule, Some(&viewer)), (rule, Some(&token))]) {
        let path = rule.path.replace("{id}", MISSING).replace("{groupId}", MISSING).replace("{type}", "llm-api-key");
        let path = path.replace("{name}", "x").replace("{identifier}", "x").replace("{pattern}", "x");
        for body in [None, Some(json!({}))] {
            let mut call = app.call(rule.method, &path);
            if let Some(token) = token {
                call = call.bearer(token);
            }
            if let Some(body) = body.filter(|_| rule.method != "GET") {
                call = call.json(&body);
            }
            call.send().await;
        }
    }
    assert_eq!(actions_since(&app, &before).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_somebody_else_prevents_leaves_nothing() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = json!({"name": "greeting", "prompt": "Say hello"});
    let prompt = id(&app.post("/api/v1/prompts", &token, &prompt).send().await.data(201));
    let deployment = json!({"name": "d", "promptId": prompt, "promptVersion": 1, "provider": "ollama",
        "model": "demo:latest"});
    app.post("/api/v1/deployments", &token, &deployment).send().await.data(201);
    let run = json!({"promptId": prompt, "userInput": "x", "providerModel": ["ollama:demo:latest"]});
    let execution = app.post("/api/v1/executions", &token, &run).send().await.data(201);
    app.run_waiting(ProviderName::Ollama).await;
    let admin = app.get("/api/v1/users?search=admin@example.com", &token).send().await.data(200);

    let before = entries(&app).await;
    let execution = format!("/api/v1/executions/{}", execution["executionIds"][0].as_str().expect("an id"));
    let admin = format!("/api/v1/users/{}", id(&admin["data"][0]));
    let refused = [
        ("a taken name", app.post("/api/v1/prompts", &token, &json!({"name": "greeting", "prompt": "x"}))),
        ("a taken name", app.post("/api/v1/deployments", &token, &deployment)),
        ("a prompt in use", app.delete(&format!("/api/v1/prompts/{prompt}"), &token)),
        ("an execution that has ended", app.delete(&execution, &token)),
        ("the last admin", app.delete(&admin, &token)),
        ("the last admin", app.put(&admin, &token, &json!({"role": "user"}))),
    ];
    for (what, call) in refused {
        let answer = call.send().await;
        assert!(answer.status.is_client_error(), "{what}: {}", answer.text);
    }
    assert_eq!(actions_since(&app, &before).await, Vec::<String>::new());
}

#[tokio::test]
async fn of_two_who_do_the_same_at_once_one_is_recorded() {
    let (app, token) = TestApp::with_admin().await;
    let prompt = json!({"name": "greeting", "prompt": "Say hello"});
    let prompt = id(&app.post("/api/v1/prompts", &token, &prompt).send().await.data(201));
    let path = format!("/api/v1/prompts/{prompt}");
    let delete = || app.delete(&path, &token).send();
    let (one, other) = tokio::join!(delete(), delete());
    assert_eq!([one, other].iter().filter(|answer| answer.status.is_success()).count(), 1);
    let mut actions: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries(&app).await {
        *actions.entry(entry.action).or_default() += 1;
    }
    assert_eq!(actions.get("prompt.deleted"), Some(&1), "{actions:?}");
}

#[tokio::test]
async fn failed_sign_ins_are_recorded_up_to_a_limit_and_without_what_was_typed() {
    let (app, _) = TestApp::with_variables(&[("FAILED_GUESSES_PER_ADDRESS", "2")]).await;
    let before = entries(&app).await.len();
    let sign_in = async |email: &str| {
        let body = json!({"email": email, "password": "marker-password"});
        app.call("POST", "/api/v1/auth/login").json(&body).send().await.refusal(401)
    };
    sign_in("admin@example.com").await;
    sign_in("marker@example.com").await;
    let news = entries(&app).await.split_off(before);
    let found: Vec<(&str, &str, bool)> =
        news.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str(), entry.resource_id.is_some())).collect();
    let failed = |is_known| ("user.sign-in-failed", "anonymous", is_known);
    assert_eq!(found, [failed(true), failed(false)]);
    assert!(!format!("{news:?}").contains("marker"), "{news:?}");

    // The address is throttled now.
    sign_in("marker@example.com").await;
    assert_eq!(entries(&app).await.len(), before + 2);
}

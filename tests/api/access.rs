//! The access table against the routers and against every kind of caller (contract 2.4 and 2.5, decision A-03).

use std::collections::BTreeSet;

use shared_core::{api_keys::Scope, users::Role};
use shared_http::access::{Access, Keys, RULES, Rule};
use tests::TestApp;

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

/// The operation with something in place of its path parameters, so that it is reached whatever it then answers.
async fn status(app: &TestApp, rule: &Rule, token: Option<&str>, key: Option<&str>) -> u16 {
    let path = rule.path.replace("{type}", "llm-api-key").replace("{identifier}", "x").replace("{pattern}", "x");
    let path = path
        .replace("{id}", "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10")
        .replace("{groupId}", "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10");
    let mut call = app.call(rule.method, &path);
    call = match token {
        Some(token) => call.bearer(token),
        None => call,
    };
    call = match key {
        Some(key) => call.api_key(key),
        None => call,
    };
    call.send().await.status.as_u16()
}

/// Not refused before the operation; it may still refuse, for instance because nothing was sent.
fn is_admitted(status: u16) -> bool {
    !matches!(status, 401 | 403 | 405)
}

#[tokio::test]
async fn nobody_gets_past_a_closed_operation() {
    let app = TestApp::empty().await;
    for rule in RULES {
        let status = status(&app, rule, None, None).await;
        match rule.access {
            Access::Public => assert!(is_admitted(status), "{rule:?} answered {status}"),
            Access::SignedIn { .. } => assert_eq!(status, 401, "{rule:?}"),
        }
    }
}

#[tokio::test]
async fn roles_reach_what_the_table_says() {
    let app = TestApp::empty().await;
    for role in [Role::Viewer, Role::User, Role::Admin] {
        for rule in RULES.iter().filter(|rule| !rule.path.ends_with("logout-all")) {
            let Access::SignedIn { least, .. } = rule.access else { continue };
            let email = format!("{}@example.com", role.as_str());
            let token = match app.token_of(&email) {
                Some(token) => token,
                None => app.sign_up(&email, role).await,
            };
            let status = status(&app, rule, Some(&token), None).await;
            if role >= least {
                assert!(is_admitted(status), "{role:?} at {rule:?}: {status}");
            } else {
                assert_eq!(status, 403, "{role:?} at {rule:?}");
            }
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

#[tokio::test]
async fn keys_reach_what_their_scope_opens() {
    let (app, _) = TestApp::with_admin().await;
    for scope in SCOPES {
        let key = app.add_api_key("admin@example.com", &[scope]).await;
        for rule in RULES {
            let status = status(&app, rule, None, Some(&key)).await;
            match rule.access {
                Access::Public => assert!(is_admitted(status), "{rule:?}: {status}"),
                Access::SignedIn { keys: Keys::Ignored, .. } => assert_eq!(status, 401, "{rule:?}"),
                Access::SignedIn { keys: Keys::AnyScope, .. } => {
                    assert!(is_admitted(status), "{scope:?} at {rule:?}: {status}");
                }
                Access::SignedIn { keys: Keys::Scope(wanted), .. } if wanted == scope => {
                    assert!(is_admitted(status), "{scope:?} at {rule:?}: {status}");
                }
                Access::SignedIn { .. } => assert_eq!(status, 403, "{scope:?} at {rule:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_key_can_do_no_more_than_its_owner() {
    let (app, _) = TestApp::with_admin().await;
    app.sign_up("viewer@example.com", Role::Viewer).await;
    let key = app.add_api_key("viewer@example.com", &SCOPES).await;
    let run = RULES.iter().find(|rule| rule.method == "POST" && rule.path == "/api/v1/executions").unwrap();
    assert_eq!(status(&app, run, None, Some(&key)).await, 403);
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
        ("POST", "/api/v1/users/invite", Role::Admin),
        ("POST", "/api/v1/users/cleanup", Role::Admin),
        ("PUT", "/api/v1/users/{id}", Role::Admin),
        ("PUT", "/api/v1/users/{id}/profile", Role::Admin),
        ("DELETE", "/api/v1/users/{id}", Role::Admin),
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

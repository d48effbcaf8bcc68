//! The operations that can be repeated, as calls.

use serde_json::{Value, json};

use super::{
    functions::Functions,
    load::Call,
    stock::{Stock, execution_body, input, prompt_body},
};
use crate::api::{EMAIL, PASSWORD};

/// The operation that a goal speaks of.
pub(super) const PROMPTS_LIST: &str = "GET /api/v1/prompts";
/// Takes a password hash, which is slow on purpose.
pub(super) const SIGN_IN: &str = "POST /api/v1/auth/login";

/// Every operation of the document that can be repeated, under its method and path; those that change something last.
pub(super) fn operations(functions: &Functions, stock: &Stock) -> Vec<Call> {
    let calls = reads(stock).into_iter().chain(writes(stock)).map(|call| call.with_session(functions));
    let run = "POST /api/v1/deployments/run/{name}";
    let body = json!({"userInput": input()});
    let with_key = Call::post(&format!("{run}, with an API key"), filled(run, stock.deployment), &body);
    calls.chain([with_key.with_key(&stock.api_key)]).collect()
}

/// Path of an operation with its only parameter filled in.
fn filled(operation: &str, value: &str) -> String {
    let path = operation.split_once(' ').map_or(operation, |(_, path)| path);
    match (path.find('{'), path.find('}')) {
        (Some(start), Some(end)) => format!("{}{value}{}", &path[..start], &path[end + 1..]),
        _ => path.to_owned(),
    }
}

fn reads(stock: &Stock) -> Vec<Call> {
    let Stock { prompt, execution, group, .. } = stock;
    let plain = [
        "GET /api/health",
        "GET /api/json-schema",
        "GET /api/v1/common/onboarding-status",
        "GET /api/v1/auth/check",
        "GET /api/v1/users",
        "GET /api/v1/users/profile/me",
        "GET /api/v1/api-keys",
        "GET /api/v1/api-keys/stats",
        "GET /api/v1/settings",
        PROMPTS_LIST,
        "GET /api/v1/prompts/select-list",
        "GET /api/v1/prompts/recent",
        "GET /api/v1/executions",
        "GET /api/v1/executions/stats/all",
        "GET /api/v1/executions/providers/list",
        "GET /api/v1/executions/providers/models",
        "GET /api/v1/deployments",
        "GET /api/v1/deployment-embeddings",
        "GET /api/v1/jobs",
        "GET /api/v1/audit",
        "GET /api/v1/dashboard/stats",
        "GET /api/v1/dashboard/token-usage/summary",
        "GET /api/v1/dashboard/token-usage/daily",
        "GET /api/v1/dashboard/token-usage/hourly",
        "GET /api/v1/dashboard/token-usage/daily/grouped",
        "GET /api/v1/dashboard/token-usage/hourly/grouped",
        "GET /api/v1/test-data/select-list",
        "GET /api/v1/test-data/groups",
        "GET /api/v1/files",
        "GET /api/v1/files/select-list",
    ];
    let of_one = [
        ("GET /api/v1/users/{id}", stock.user.as_str()),
        ("GET /api/v1/api-keys/{id}", &stock.api_key_id),
        ("GET /api/v1/settings/type/{type}", "llm-api-key"),
        ("GET /api/v1/settings/{id}", &stock.setting),
        ("GET /api/v1/prompts/search/{pattern}", "greeting"),
        ("GET /api/v1/prompts/{id}", prompt),
        ("GET /api/v1/executions/{id}", execution),
        ("GET /api/v1/deployments/name/{name}", stock.deployment),
        ("GET /api/v1/deployments/{id}", &stock.deployment_id),
        ("GET /api/v1/test-data/groups/{id}", group),
        ("GET /api/v1/test-data/groups/{groupId}/items", group),
        ("GET /api/v1/test-data/items/{id}", &stock.item),
        ("GET /api/v1/files/search/{pattern}", "drawing"),
        ("GET /api/v1/files/{id}", &stock.file),
        ("GET /api/v1/files/{id}/download", &stock.file),
    ];
    let with_query = [
        ("GET /api/v1/comments", format!("/api/v1/comments?prompt_id={prompt}")),
        ("GET /api/v1/execution-bundles", format!("/api/v1/execution-bundles?prompt_id={prompt}")),
        (
            "GET /api/v1/settings/type/{type}/identifier/{identifier}",
            "/api/v1/settings/type/llm-api-key/identifier/ollama".to_owned(),
        ),
    ];
    let plain = plain.into_iter().map(|operation| Call::get(operation, filled(operation, "")));
    let of_one = of_one.into_iter().map(|(operation, value)| Call::get(operation, filled(operation, value)));
    let with_query = with_query.into_iter().map(|(operation, path)| Call::get(operation, path));
    plain.chain(of_one).chain(with_query).collect()
}

fn writes(stock: &Stock) -> Vec<Call> {
    let Stock { prompt, execution, group, item, .. } = stock;
    let post = |operation: &str, value: &str, body: Value| Call::post(operation, filled(operation, value), &body);
    let put = |operation: &str, value: &str, body: Value| Call::put(operation, filled(operation, value), &body);
    let comment = json!({"text": "good", "data": {"type": "generic"}, "prompt_id": prompt});
    let deployment = json!({
        "name": "service-{number}", "promptId": prompt, "promptVersion": 2, "provider": "ollama", "model": stock.model,
    });
    let invitation = json!({"email": "person-{number}@example.org", "name": "Person", "role": "user"});
    vec![
        // Several of one account at once look like somebody who guesses.
        post(SIGN_IN, "", json!({"email": EMAIL, "password": PASSWORD})).expecting(200).exclusive(),
        post("POST /api/v1/users/invite", "", invitation),
        put("PUT /api/v1/users/{id}/profile", &stock.user, json!({"timezone": "UTC"})),
        post("POST /api/v1/api-keys", "", json!({"name": "key {number}", "scopes": ["prompts:read"]})),
        put("PUT /api/v1/api-keys/{id}", &stock.api_key_id, json!({"name": "key {number}"})),
        post("POST /api/v1/prompts", "", prompt_body("prompt {number}", "friendly")),
        // A change of the text would make the prompt longer each time.
        put("PUT /api/v1/prompts/{id}", prompt, prompt_body("the same again", "kind")),
        post("POST /api/v1/prompts/preview", "", json!({"promptId": prompt, "userInput": input()})).expecting(200),
        post("POST /api/v1/prompts/{id}/generate-adjustment", prompt, json!({"commentIds": [stock.comment]}))
            .expecting(200),
        post("POST /api/v1/comments", "", comment),
        post("POST /api/v1/executions", "", execution_body(prompt, 1)),
        post("POST /api/v1/executions/update-fields/{id}", execution, json!({"starred": true})),
        post("POST /api/v1/deployments", "", deployment),
        put("PUT /api/v1/deployments/{id}", &stock.deployment_id, json!({"promptVersion": 2})),
        post("POST /api/v1/deployments/run/{name}", stock.deployment, json!({"userInput": input()})),
        post("POST /api/v1/test-data/groups", "", json!({"name": "group {number}", "mode": "raw"})),
        put("PUT /api/v1/test-data/groups/{id}", group, json!({"name": "cases", "mode": "raw"})),
        post("POST /api/v1/test-data/groups/{groupId}/items", group, json!({"content": "text"})),
        post(
            "POST /api/v1/test-data/groups/{groupId}/items/bulk",
            group,
            json!({"items": vec![json!({"content": "text"}); 10]}),
        ),
        put("PUT /api/v1/test-data/items/{id}", item, json!({"content": input()})),
        post("POST /api/v1/test-data/compile-prompt", "", json!({"promptId": prompt, "testDataItemId": item}))
            .expecting(200),
        post("POST /api/v1/files", "", stock.upload.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;
    use crate::openapi::{self, DOCUMENT_PATH};

    /// What is not measured, and why.
    const LEFT_OUT: [(&str, &str); 4] = [
        (
            "can be done once",
            "POST /api/v1/auth/register-first-admin, POST /api/v1/auth/activate, POST /api/v1/auth/reset-password,
            POST /api/v1/auth/change-password, POST /api/v1/auth/logout-all, POST /api/v1/users/cleanup,
            POST /api/v1/users/{id}/reset-link, PUT /api/v1/users/{id}, POST /api/v1/api-keys/{id}/rotate,
            POST /api/v1/executions/{id}/erase, POST /api/v1/settings/{id}/rotate-secret",
        ),
        (
            "asks a provider or a queue, whose time would be measured",
            "GET /api/v1/executions/providers/health, POST /api/v1/settings, PUT /api/v1/settings/{id},
            POST /api/v1/deployment-embeddings/run/{name}, POST /api/v1/jobs/single/trigger",
        ),
        ("there are no jobs", "GET /api/v1/jobs/{id}, POST /api/v1/jobs/{id}/redeliver"),
        (
            "as with deployments",
            "POST /api/v1/deployment-embeddings, GET /api/v1/deployment-embeddings/name/{name},
            GET /api/v1/deployment-embeddings/{id}, PUT /api/v1/deployment-embeddings/{id}",
        ),
    ];

    fn stock() -> Stock {
        Stock { deployment: "x", ..Stock::default() }
    }

    #[test]
    fn every_operation_is_measured_or_left_out_for_a_reason() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let document = openapi::read(&root.join(DOCUMENT_PATH)).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        let all: BTreeSet<String> = paths
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            // What is deleted is gone.
            .filter(|operation| !operation.starts_with("DELETE "))
            .collect();
        let calls: Vec<Call> = reads(&stock()).into_iter().chain(writes(&stock())).collect();
        let left_out = LEFT_OUT.iter().flat_map(|(_, operations)| operations.split(',')).map(str::trim);
        let named: Vec<&str> = calls.iter().map(|call| call.name.as_str()).chain(left_out).collect();
        assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), all);
        assert_eq!(named.len(), all.len(), "one is there twice");
    }

    #[test]
    fn parameters_are_filled_in() {
        assert_eq!(filled("GET /api/v1/files/{id}/download", "7"), "/api/v1/files/7/download");
        assert_eq!(filled("GET /api/health", ""), "/api/health");
    }
}

//! Deployments (contract 15, defects DP-01 to DP-08, P-09, W-05, E-11).

use serde_json::{Value, json};
use shared_core::{ProviderName, api_keys::Scope, users::Role};
use shared_testing::vendor::{self, Reply};
use tests::TestApp;

const DEPLOYMENTS: &str = "/api/v1/deployments";
const MISSING: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

/// An installation with Ollama and its models, and a prompt of two versions.
async fn installation() -> (TestApp, String, String) {
    let (app, token) = TestApp::with_admin().await;
    app.vendor.on("GET", "/api/tags", vendor::ollama::tags(["demo:latest", "qwen:7b", "qwen:70b", "solo"]));
    app.vendor.on("POST", "/api/generate", vendor::ollama::generated("hello"));
    app.add_provider(ProviderName::Ollama, &token).await;
    let prompt = prompt(&app, &token, "greeting").await;
    let edit = json!({"name": "greeting", "prompt": "Second text"});
    app.put(&format!("/api/v1/prompts/{prompt}"), &token, &edit).send().await.data(200);
    (app, token, prompt)
}

async fn prompt(app: &TestApp, token: &str, name: &str) -> String {
    let body = json!({"name": name, "prompt": "First text"});
    id_of(&app.post("/api/v1/prompts", token, &body).send().await.data(201))
}

async fn destination(app: &TestApp, token: &str, name: &str) -> String {
    let data = json!({"name": name, "url": "https://example.com/hook"});
    let body = json!({"type": "webhook-destination", "data": data});
    id_of(&app.post("/api/v1/settings", token, &body).send().await.data(201))
}

fn id_of(resource: &Value) -> String {
    resource["id"].as_str().expect("an id").to_owned()
}

fn body(name: &str, prompt: &str) -> Value {
    json!({"name": name, "promptId": prompt, "promptVersion": 1, "provider": "ollama", "model": "demo:latest"})
}

/// The body with some members replaced.
fn with(mut body: Value, members: Value) -> Value {
    let members = members.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    body
}

async fn create(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(DEPLOYMENTS, token, body).send().await.data(201)
}

fn path_of(deployment: &Value) -> String {
    format!("{DEPLOYMENTS}/{}", id_of(deployment))
}

async fn run(app: &TestApp, token: &str, name: &str, body: &Value) -> String {
    let data = app.post(&format!("{DEPLOYMENTS}/run/{name}"), token, body).send().await.data(201);
    data["executionId"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_deployment_is_created_read_changed_and_deleted() {
    let (app, token, prompt) = installation().await;
    let hook = destination(&app, &token, "hook").await;
    let sent = with(
        body("first_one-1", &prompt),
        json!({"promptVersion": 2, "options": {"temperature": 1, "topP": 0.5, "colour": "red"},
            "webhookDestinationIds": [hook, hook]}),
    );
    let created = create(&app, &token, &sent).await;
    for member in ["name", "promptId", "promptVersion", "provider", "model"] {
        assert_eq!(created[member], sent[member], "{member}");
    }
    assert_eq!(created["options"], json!({"temperature": 1, "topP": 0.5}), "unknown options are dropped");
    assert_eq!(created["webhookDestinationIds"], json!([hook]), "stored at once (DP-01), each once");
    assert_eq!(app.get(&path_of(&created), &token).send().await.data(200), created);
    let by_name = format!("{DEPLOYMENTS}/name/first_one-1");
    assert_eq!(app.get(&by_name, &token).send().await.data(200), created);

    let edit = json!({"promptVersion": 1, "options": {}, "webhookDestinationIds": []});
    let updated = app.put(&path_of(&created), &token, &edit).send().await.data(200);
    assert_eq!((&updated["promptVersion"], &updated["options"]), (&json!(1), &json!({})));
    assert_eq!((&updated["webhookDestinationIds"], &updated["model"]), (&json!([]), &json!("demo:latest")));
    assert_eq!(app.get(&by_name, &token).send().await.data(200), updated);

    let gone = app.delete(&path_of(&created), &token).send().await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(app.delete(&path_of(&created), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&path_of(&created), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&by_name, &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.put(&path_of(&created), &token, &edit).send().await.refusal(404), "Not Found");
}

#[tokio::test]
async fn optional_members_without_a_value_stay_away() {
    let (app, token, prompt) = installation().await;
    let bare = create(&app, &token, &body("bare", &prompt)).await;
    assert!(bare.get("options").is_none() && bare.get("webhookDestinationIds").is_none(), "{bare}");
}

#[tokio::test]
async fn what_a_deployment_names_must_exist() {
    let (app, token, prompt) = installation().await;
    create(&app, &token, &body("taken", &prompt)).await;
    let cases = [
        (json!({"name": "taken"}), "taken"),
        (json!({"promptId": MISSING}), MISSING),
        (json!({"promptVersion": 3}), "version 3"),
        (json!({"provider": "openai"}), "not configured"),
        (json!({"model": "unheard"}), "unheard"),
        (json!({"model": "qwen"}), "qwen"),
        (json!({"webhookDestinationIds": ["nobody", "", "nothing"]}), "nobody, nothing"),
    ];
    for (members, text) in cases {
        let sent = with(body("new", &prompt), members);
        let refused = app.post(DEPLOYMENTS, &token, &sent).send().await.data(400);
        assert_eq!(refused["error"], "Validation Error", "{sent}");
        assert!(refused["message"].as_str().expect("a message").contains(text), "{refused}");
    }
    assert_eq!(app.get(DEPLOYMENTS, &token).send().await.data(200)["total"], 1, "nothing was stored");

    let key = app.get("/api/v1/settings/type/llm-api-key", &token).send().await.data(200)["settings"][0].clone();
    let other = with(body("other", &prompt), json!({"webhookDestinationIds": [key["id"]]}));
    assert_eq!(app.post(DEPLOYMENTS, &token, &other).send().await.refusal(400), "Validation Error", "another setting");
}

#[tokio::test]
async fn everything_wrong_about_a_body_is_said_at_once() {
    let (app, token, prompt) = installation().await;
    let wrong = json!({
        "name": "Big Name", "promptId": "x", "promptVersion": 0, "provider": "nobody", "model": "",
        "options": {"temperature": 1.5, "topP": -1, "topK": 0}, "webhookDestinationIds": [1], "colour": "red",
    });
    let mut fields = app.post(DEPLOYMENTS, &token, &wrong).send().await.issues("body");
    fields.sort_unstable();
    let expected = [
        "model",
        "name",
        "options.temperature",
        "options.topK",
        "options.topP",
        "promptId",
        "promptVersion",
        "provider",
        "request",
        "webhookDestinationIds.0",
    ];
    assert_eq!(fields, expected);
    for version in [json!(1.5), json!("1"), json!(-1), json!(null)] {
        let sent = with(body("new", &prompt), json!({"promptVersion": version}));
        assert_eq!(app.post(DEPLOYMENTS, &token, &sent).send().await.issues("body"), ["promptVersion"], "{version}");
    }
    let path = format!("{DEPLOYMENTS}/{MISSING}");
    assert_eq!(app.put(&path, &token, &json!({})).send().await.issues("body"), ["promptVersion"]);
    let rename = json!({"promptVersion": 1, "name": "other"});
    assert_eq!(app.put(&path, &token, &rename).send().await.issues("body"), ["request"], "the name cannot change");
    assert_eq!(app.get(&format!("{DEPLOYMENTS}/x"), &token).send().await.issues("param"), ["id"]);
    let run = json!({"userInput": "", "fileId": "x", "options": {}});
    let fields = app.post(&format!("{DEPLOYMENTS}/run/x"), &token, &run).send().await.issues("body");
    assert_eq!(fields, ["userInput", "fileId", "request"], "options cannot be overridden");
}

#[tokio::test]
async fn the_faults_of_the_form_are_absorbed() {
    let (app, token, prompt) = installation().await;
    let sent = with(
        body("form", &prompt),
        json!({"model": "demo", "options": {"temperature": 0.5, "topP": "", "topK": ""},
            "webhookDestinationIds": [""]}),
    );
    let created = create(&app, &token, &sent).await;
    assert_eq!(created["model"], "demo:latest", "cut at its second colon (DP-06)");
    assert_eq!(created["options"], json!({"temperature": 0.5}));
    assert_eq!(created["webhookDestinationIds"], json!([]));

    let edit = json!({"promptId": prompt, "promptVersion": 0, "provider": "ollama", "model": "demo",
        "webhookDestinationIds": [""]});
    let updated = app.put(&path_of(&created), &token, &edit).send().await.data(200);
    assert_eq!((&updated["promptVersion"], &updated["model"]), (&json!(1), &json!("demo:latest")));

    let ambiguous = create(&app, &token, &with(body("ambiguous", &prompt), json!({"model": "qwen:7b"}))).await;
    let edit = json!({"promptVersion": 0, "provider": "ollama", "model": "qwen"});
    let updated = app.put(&path_of(&ambiguous), &token, &edit).send().await.data(200);
    assert_eq!(updated["model"], "qwen:7b", "saving the form unchanged changes nothing");
    let edit = json!({"promptVersion": 0, "provider": "ollama", "model": "unheard"});
    assert_eq!(app.put(&path_of(&ambiguous), &token, &edit).send().await.refusal(400), "Validation Error");
    let edit = json!({"promptVersion": 0, "provider": "openai"});
    assert_eq!(app.put(&path_of(&ambiguous), &token, &edit).send().await.refusal(400), "Validation Error");
    let edit = json!({"promptVersion": 9});
    assert_eq!(app.put(&path_of(&ambiguous), &token, &edit).send().await.refusal(400), "Validation Error");
}

#[tokio::test]
async fn a_vendor_that_is_away_does_not_stop_a_deployment() {
    let (app, token, prompt) = installation().await;
    app.vendor.on("GET", "/api/tags", Reply::status(503));
    let created = create(&app, &token, &with(body("blind", &prompt), json!({"model": "any"}))).await;
    assert_eq!(created["model"], "any");
}

#[tokio::test]
async fn lists_page_search_and_order() {
    let (app, token, prompt) = installation().await;
    for (name, model) in [("b-one", "solo"), ("a_two", "qwen:7b"), ("c_100", "demo:latest")] {
        create(&app, &token, &with(body(name, &prompt), json!({"model": model}))).await;
    }
    let names = async |query: &str| {
        let page = app.get(&format!("{DEPLOYMENTS}/?{query}"), &token).send().await.data(200);
        let list = page["data"].as_array().expect("a list").clone();
        list.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["c_100", "a_two", "b-one"], "newest first");
    assert_eq!(names("orderBy=name&orderDirection=ASC&limit=2").await, ["a_two", "b-one"]);
    assert_eq!(names("orderBy=name&orderDirection=ASC&limit=2&page=2").await, ["c_100"]);
    assert_eq!(names("orderBy=model&orderDirection=ASC").await, ["c_100", "a_two", "b-one"]);
    assert_eq!(names("search=_").await, ["c_100", "a_two"], "literally");
    assert_eq!(names("search=QWEN").await, ["a_two"]);
    assert_eq!(names("search=olla").await.len(), 3);
    let page = app.get(&format!("{DEPLOYMENTS}?page=9&limit=2"), &token).send().await.data(200);
    assert_eq!((&page["total"], &page["totalPages"], &page["hasPrev"]), (&json!(3), &json!(2), &json!(true)));
    let answer = app.get(&format!("{DEPLOYMENTS}?orderBy=status&colour=red"), &token).send().await;
    assert_eq!(answer.issues("query"), ["orderBy", "request"]);
}

#[tokio::test]
async fn a_run_executes_the_configuration() {
    let (app, token, prompt) = installation().await;
    let hook = destination(&app, &token, "hook").await;
    let options = json!({"temperature": 0.5, "topK": 7});
    let members = json!({"options": options, "webhookDestinationIds": [hook]});
    create(&app, &token, &with(body("service", &prompt), members)).await;
    let id = run(&app, &token, "service", &json!({"userInput": "Ada", "traceId": "t-1"})).await;
    let execution = app.get(&format!("/api/v1/executions/{id}"), &token).send().await.data(200);
    assert_eq!(execution["prompt"], json!({"name": "greeting", "version": 1}), "not the newest version (DP-02)");
    assert_eq!((&execution["provider"], &execution["model"]), (&json!("ollama"), &json!("demo:latest")));
    assert_eq!((&execution["options"], &execution["user_input"]), (&options, &json!("Ada")));
    assert_eq!((&execution["traceId"], &execution["origin"]), (&json!("t-1"), &json!("app")));
    assert_eq!(execution["status"], "pending");

    let key = app.add_api_key("admin@example.com", &[Scope::DeploymentsRun, Scope::ExecutionsRead]).await;
    let call = app.call("POST", &format!("{DEPLOYMENTS}/run/service")).api_key(&key);
    let data = call.json(&json!({"userInput": "x"})).send().await.data(201);
    let path = format!("/api/v1/executions/{}", data["executionId"].as_str().expect("an id"));
    assert_eq!(app.call("GET", &path).api_key(&key).send().await.data(200)["origin"], "api");
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let answer = app.post(&format!("{DEPLOYMENTS}/run/service"), &viewer, &json!({"userInput": "x"})).send().await;
    assert_eq!(answer.bare(403), "Forbidden");
}

#[tokio::test]
async fn a_run_that_cannot_work_is_refused_with_the_reason() {
    let (app, token, prompt) = installation().await;
    let input = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    let strict = json!({"name": "strict", "prompt": "Hello {{name}}", "json_schema_input": input,
        "options": {"acceptFileUpload": true}});
    let strict = id_of(&app.post("/api/v1/prompts", &token, &strict).send().await.data(201));
    create(&app, &token, &body("strict", &strict)).await;
    create(&app, &token, &body("plain", &prompt)).await;
    let refused = async |name: &str, body: Value| {
        app.post(&format!("{DEPLOYMENTS}/run/{name}"), &token, &body).send().await.refusal(400)
    };
    assert_eq!(refused("strict", json!({"userInput": "{\"name\": \"Ada\"}"})).await, "Validation Error", "no file");
    assert_eq!(refused("plain", json!({"userInput": "x", "fileId": MISSING})).await, "Validation Error");
    let file = json!({"name": "f", "originalName": "f.txt", "mimeType": "text/plain", "size": 1, "data": "YQ=="});
    let file = id_of(&app.post("/api/v1/files", &token, &file).send().await.data(201));
    assert_eq!(refused("strict", json!({"userInput": "{}", "fileId": file})).await, "Validation Error");
    assert_eq!(refused("strict", json!({"userInput": "text", "fileId": file})).await, "Validation Error");
    run(&app, &token, "strict", &json!({"userInput": "{\"name\": \"Ada\"}", "fileId": file})).await;

    let answer = app.post(&format!("{DEPLOYMENTS}/run/unknown"), &token, &json!({"userInput": "x"})).send().await;
    assert_eq!(answer.refusal(404), "Not Found");
    // As an installation may look that was copied over.
    app.db.write(vec![shared_core::db::Statement::new("DELETE FROM prompts", vec![])]).await.unwrap();
    assert_eq!(refused("plain", json!({"userInput": "x"})).await, "Validation Error", "the prompt is gone");
}

#[tokio::test]
async fn a_prompt_in_use_is_not_deleted() {
    let (app, token, prompt) = installation().await;
    let first = create(&app, &token, &body("b-user", &prompt)).await;
    let second = create(&app, &token, &body("a-user", &prompt)).await;
    let path = format!("/api/v1/prompts/{prompt}");
    let refused = app.delete(&path, &token).send().await.data(400);
    assert_eq!(refused["error"], "Validation Error");
    let message = refused["message"].as_str().expect("a message");
    assert!(message.contains("\"a-user\", \"b-user\""), "{message}");
    app.get(&path, &token).send().await.data(200);

    app.delete(&path_of(&first), &token).send().await;
    let other = prompt_of(&app, &token, &second).await;
    assert_eq!(app.delete(&path, &token).send().await.status.as_u16(), 204, "the other one moved to {other}");
    assert_eq!(app.delete(&path, &token).send().await.refusal(404), "Not Found");
}

/// Moves the deployment to a prompt of its own.
async fn prompt_of(app: &TestApp, token: &str, deployment: &Value) -> String {
    let other = prompt(app, token, "other").await;
    let edit = json!({"promptId": other, "promptVersion": 1});
    app.put(&path_of(deployment), token, &edit).send().await.data(200);
    other
}

#[tokio::test]
async fn a_deleted_destination_leaves_no_trace() {
    let (app, token, prompt) = installation().await;
    let (kept, gone) = (destination(&app, &token, "kept").await, destination(&app, &token, "gone").await);
    let members = json!({"webhookDestinationIds": [gone, kept]});
    let deployment = create(&app, &token, &with(body("service", &prompt), members.clone())).await;
    let embedding = with(json!({"name": "vectors", "model": "voyage-3.5"}), members);
    let embedding = app.post("/api/v1/deployment-embeddings", &token, &embedding).send().await.data(201);
    app.delete(&format!("/api/v1/settings/{gone}"), &token).send().await.data(200);
    let path = format!("/api/v1/deployment-embeddings/{}", id_of(&embedding));
    for path in [path_of(&deployment), path] {
        assert_eq!(app.get(&path, &token).send().await.data(200)["webhookDestinationIds"], json!([kept]), "{path}");
    }
}

/// The deliveries that are recorded for an execution, as (destination, status, job).
async fn deliveries(app: &TestApp, token: &str, execution: &str) -> Vec<Value> {
    let jobs = app.get("/api/v1/jobs?limit=100&jobName=webhook-delivery", token).send().await.data(200);
    let jobs = jobs["data"].as_array().expect("a list").clone();
    jobs.into_iter().filter(|job| job["data"]["data"]["executionId"] == execution).collect()
}

#[tokio::test]
async fn every_end_is_told_to_every_destination_once() {
    let (app, token, prompt) = installation().await;
    let hooks = [destination(&app, &token, "one").await, destination(&app, &token, "two").await];
    create(&app, &token, &with(body("service", &prompt), json!({"webhookDestinationIds": hooks}))).await;
    create(&app, &token, &body("silent", &prompt)).await;
    let input = json!({"userInput": "x"});
    let (completed, silent) = (run(&app, &token, "service", &input).await, run(&app, &token, "silent", &input).await);
    assert!(deliveries(&app, &token, &completed).await.is_empty(), "nothing has ended");
    app.run_waiting(ProviderName::Ollama).await;
    app.run_waiting(ProviderName::Ollama).await;
    app.vendor.on("POST", "/api/generate", Reply::json(&json!({"error": "bad"})).with_status(400));
    let failed = run(&app, &token, "service", &input).await;
    app.run_waiting(ProviderName::Ollama).await;
    let cancelled = run(&app, &token, "service", &input).await;
    for _ in 0..2 {
        app.delete(&format!("/api/v1/executions/{cancelled}"), &token).send().await;
    }
    let star = format!("/api/v1/executions/update-fields/{completed}");
    app.post(&star, &token, &json!({"starred": true})).send().await.data(201);

    assert!(deliveries(&app, &token, &silent).await.is_empty());
    for (execution, status) in [(completed, "completed"), (failed, "failed"), (cancelled, "failed")] {
        let jobs = deliveries(&app, &token, &execution).await;
        let mut told: Vec<&str> = jobs.iter().filter_map(|job| job["data"]["webhookId"].as_str()).collect();
        told.sort_unstable();
        let mut expected = hooks.clone();
        expected.sort_unstable();
        assert_eq!(told, expected, "{status}");
        for job in &jobs {
            let payload = json!({"event": "webhook.deployment.execution", "executionId": execution, "status": status});
            assert_eq!(job["data"]["data"], payload);
            assert_eq!(
                (&job["status"], &job["attempts"], &job["maxAttempts"]),
                (&json!("pending"), &json!(0), &json!(8))
            );
            assert_eq!((&job["retryDelayMs"], &job["maxRetryDelayMs"]), (&json!(5000), &json!(300_000)));
            assert_eq!(job["retryBackoffMultiplier"].as_f64(), Some(5.0));
            app.get(&format!("/api/v1/jobs/{}", id_of(job)), &token).send().await.data(200);
        }
    }
}

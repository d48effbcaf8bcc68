//! Group runs and the bundles that they leave (contract 9.1 and 10, defects E-04 to E-06).

use serde_json::{Value, json};
use shared_core::{ProviderName, Timestamp, api_keys::Scope, executions::pipeline};
use shared_testing::vendor;
use tests::TestApp;

const MISSING: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

/// An installation with Ollama, a prompt and a group of three items.
struct Scene {
    app: TestApp,
    token: String,
    prompt: String,
    group: String,
    /// Newest first.
    items: Vec<String>,
}

impl Scene {
    async fn set(prompt: Value) -> Self {
        let (app, token) = TestApp::with_admin().await;
        app.vendor.on("GET", "/api/tags", vendor::ollama::tags(["demo:latest"]));
        app.vendor.on("POST", "/api/generate", vendor::ollama::generated("hello"));
        app.add_provider(ProviderName::Ollama, &token).await;
        let id = |data: Value| data["id"].as_str().expect("an id").to_owned();
        let prompt = id(app.post("/api/v1/prompts", &token, &prompt).send().await.data(201));
        let body = json!({"name": "cases", "mode": "raw"});
        let group = id(app.post("/api/v1/test-data/groups", &token, &body).send().await.data(201));
        let scene = Self { app, token, prompt, group, items: Vec::new() };
        let created = scene.add_items(&["{\"n\":0}", "{\"n\":1}", "{\"n\":2}"]).await;
        Self { items: created.into_iter().rev().collect(), ..scene }
    }

    async fn add_items(&self, contents: &[&str]) -> Vec<String> {
        let items: Vec<Value> = contents.iter().map(|content| json!({"name": "case", "content": content})).collect();
        let path = format!("/api/v1/test-data/groups/{}/items/bulk", self.group);
        let created = self.app.post(&path, &self.token, &json!({"items": items})).send().await.data(201);
        let created = created["created"].as_array().expect("a list");
        created.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
    }

    fn run(&self) -> Value {
        json!({"promptId": self.prompt, "testDataGroupId": self.group, "providerModel": ["ollama:b:1", "ollama:a"]})
    }

    async fn start(&self, body: &Value) -> Vec<String> {
        let data = self.app.post("/api/v1/executions", &self.token, body).send().await.data(201);
        data["executionIds"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|id| id.as_str().expect("an id").to_owned())
            .collect()
    }

    async fn refusal(&self, body: &Value, status: u16) -> (String, String) {
        let answer = self.app.post("/api/v1/executions", &self.token, body).send().await;
        (answer.refusal(status), answer.text)
    }

    async fn bundles(&self, query: &str) -> Value {
        self.app.get(&format!("/api/v1/execution-bundles?{query}"), &self.token).send().await.data(200)
    }

    async fn executions(&self) -> i64 {
        let rows =
            self.app.db.read("SELECT count(*) AS n FROM executions", vec![]).await.expect("the database answers");
        rows.first().expect("a count").get("n").expect("a number")
    }
}

fn plain() -> Value {
    json!({"name": "plain", "prompt": "Say hello"})
}

fn with_schema() -> Value {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    json!({"name": "strict", "prompt": "Count to {{n}}", "json_schema_input": schema})
}

#[tokio::test]
async fn every_item_runs_with_every_model_in_order() {
    let scene = Scene::set(plain()).await;
    let mut body = scene.run();
    body["traceId"] = json!("trace");
    body["options"] = json!({"temperature": 0.5, "last_name": "March 7", "nothing": null});
    body["userInput"] = json!("ignored");
    let ids = scene.start(&body).await;
    assert_eq!(ids.len(), 6);
    for (position, id) in ids.iter().enumerate() {
        let execution = scene.app.get(&format!("/api/v1/executions/{id}"), &scene.token).send().await.data(200);
        let (model, number) = (if position < 3 { "b:1" } else { "a" }, 2 - position % 3);
        assert_eq!(execution["model"], model, "providerModel order first");
        assert_eq!(execution["user_input"], json!(format!("{{\"n\":{number}}}")), "then the newest item");
        assert_eq!(execution["test_data_item_id"], json!(scene.items[position % 3]));
        assert_eq!(execution["test_data_group_id"], json!(scene.group));
        assert_eq!(execution["traceId"], "trace");
        assert_eq!(execution["options"], body["options"], "as given");
        assert_eq!((&execution["origin"], &execution["status"]), (&json!("app"), &json!("pending")));
        assert_eq!(execution["prompt"], json!({"name": "plain", "version": 1}));
    }
    let stats = scene.app.get("/api/v1/executions/stats/all", &scene.token).send().await.data(200);
    assert_eq!((&stats["total"], &stats["byProvider"]), (&json!(6), &json!({"ollama": 6})));
}

#[tokio::test]
async fn a_run_leaves_a_bundle_that_outlives_its_group() {
    let scene = Scene::set(plain()).await;
    let first = scene.start(&scene.run()).await;
    let second = scene.start(&scene.run()).await;
    let (of_group, of_prompt) = (format!("test_group_id={}", scene.group), format!("prompt_id={}", scene.prompt));
    let bundles = scene.bundles(&of_group).await;
    assert_eq!(bundles[0]["execution_ids"], json!(second), "newest first");
    assert_eq!(bundles[1]["execution_ids"], json!(first));
    let members: Vec<&String> = bundles[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "test_group_id", "execution_ids", "created_at", "updated_at"]);
    assert_eq!(scene.bundles(&of_prompt).await, bundles);
    assert_eq!(scene.bundles(&format!("{of_group}&{of_prompt}")).await, bundles);
    assert_eq!(scene.bundles(&format!("{of_group}&prompt_id={MISSING}")).await, json!([]), "AND");
    assert_eq!(scene.bundles(&format!("test_group_id={MISSING}")).await, json!([]));

    let path = format!("/api/v1/test-data/groups/{}", scene.group);
    assert_eq!(scene.app.delete(&path, &scene.token).send().await.status.as_u16(), 204);
    assert_eq!(scene.bundles(&of_group).await, bundles, "T-05");
    assert_eq!(scene.executions().await, 12);
}

#[tokio::test]
async fn the_list_of_bundles_needs_a_filter() {
    let (app, token) = TestApp::with_admin().await;
    let issues =
        async |query: &str| app.get(&format!("/api/v1/execution-bundles/{query}"), &token).send().await.issues("query");
    assert_eq!(issues("").await, ["request"]);
    assert_eq!(issues("?test_group_id=x&prompt_id=").await, ["test_group_id", "prompt_id"]);
    assert_eq!(issues(&format!("?prompt_id={MISSING}&page=1")).await, ["request"]);
    assert_eq!(app.call("GET", "/api/v1/execution-bundles").send().await.bare(401), "Unauthorized");
}

#[tokio::test]
async fn single_runs_leave_no_bundle() {
    let scene = Scene::set(plain()).await;
    let body = json!({"promptId": scene.prompt, "userInput": "x", "providerModel": ["ollama:a", "ollama:b"]});
    scene.start(&body).await;
    assert_eq!(scene.bundles(&format!("prompt_id={}", scene.prompt)).await, json!([]));
}

#[tokio::test]
async fn what_cannot_run_is_refused_as_a_whole() {
    let scene = Scene::set(with_schema()).await;
    let with = |change: Value| {
        let mut body = scene.run();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (change, status, label) in [
        (json!({"promptId": MISSING}), 404, "Not Found"),
        (json!({"promptVersion": 2}), 404, "Not Found"),
        (json!({"testDataGroupId": MISSING}), 404, "Not Found"),
        (json!({"testDataGroupId": "any text"}), 404, "Not Found"),
        (json!({"fileId": MISSING}), 400, "Validation error"),
        (json!({"providerModel": ["ollama:a", "openai:b"]}), 400, "Validation error"),
    ] {
        assert_eq!(scene.refusal(&with(change.clone()), status).await.0, label, "{change}");
    }
    let text = json!({"promptText": "x", "testDataGroupId": scene.group, "providerModel": ["ollama:a"]});
    assert_eq!(scene.refusal(&text, 400).await.0, "Validation error", "only stored prompts");

    let odd = scene.add_items(&["{\"n\":\"three\"}"]).await.remove(0);
    let (label, text) = scene.refusal(&scene.run(), 400).await;
    assert_eq!(label, "Validation error");
    assert!(text.contains(&odd) && text.contains("/n"), "names the item and the violation: {text}");
    scene.app.delete(&format!("/api/v1/test-data/items/{odd}"), &scene.token).send().await;
    let odd = scene.add_items(&["no JSON"]).await.remove(0);
    assert!(scene.refusal(&scene.run(), 400).await.1.contains(&odd));

    let empty = json!({"name": "empty", "mode": "raw"});
    let empty = scene.app.post("/api/v1/test-data/groups", &scene.token, &empty).send().await.data(201)["id"].clone();
    assert_eq!(scene.refusal(&with(json!({"testDataGroupId": empty})), 400).await.0, "Validation error");
    assert_eq!(scene.executions().await, 0, "nothing was created");
    assert_eq!(scene.bundles(&format!("prompt_id={}", scene.prompt)).await, json!([]));
}

#[tokio::test]
async fn items_are_compiled_into_the_prompt_when_they_run() {
    let scene = Scene::set(with_schema()).await;
    let ids = scene.start(&scene.run()).await;
    scene.app.vendor.forget_requests();
    for _ in 0..ids.len() {
        scene.app.run_waiting(ProviderName::Ollama).await;
    }
    let sent: Vec<String> =
        scene.app.vendor.requests_to("POST", "/api/generate").iter().map(|request| format!("{request:?}")).collect();
    assert_eq!(sent.len(), 6);
    for number in 0..3 {
        assert_eq!(sent.iter().filter(|text| text.contains(&format!("Count to {number}"))).count(), 2, "{sent:?}");
    }
}

#[tokio::test]
async fn a_file_goes_with_every_execution_when_the_prompt_takes_one() {
    let prompt = json!({"name": "files", "prompt": "Look", "options": {"acceptFileUpload": true, "webSearch": true}});
    let scene = Scene::set(prompt).await;
    assert_eq!(scene.refusal(&scene.run(), 400).await.0, "Validation error", "the file is missing");
    let file = json!({"name": "f", "originalName": "f", "mimeType": "text/plain", "size": 1, "data": "YQ=="});
    let file = scene.app.post("/api/v1/files", &scene.token, &file).send().await.data(201)["id"].clone();
    let mut body = scene.run();
    body["fileId"] = file.clone();
    for id in scene.start(&body).await {
        let execution = scene.app.get(&format!("/api/v1/executions/{id}"), &scene.token).send().await.data(200);
        assert_eq!((&execution["fileId"], &execution["options"]), (&file, &json!({"webSearch": true})));
    }
}

#[tokio::test]
async fn runs_of_keys_say_so() {
    let scene = Scene::set(plain()).await;
    let key = scene.app.add_api_key("admin@example.com", &[Scope::ExecutionsRun]).await;
    let data = scene.app.call("POST", "/api/v1/executions").api_key(&key).json(&scene.run()).send().await.data(201);
    let path = format!("/api/v1/executions/{}", data["executionIds"][0].as_str().unwrap());
    assert_eq!(scene.app.get(&path, &scene.token).send().await.data(200)["origin"], "api");
}

#[tokio::test]
async fn people_go_before_groups() {
    let scene = Scene::set(plain()).await;
    scene.app.limit(ProviderName::Ollama, 0, &scene.token).await;
    scene.start(&scene.run()).await;
    let body = json!({"promptId": scene.prompt, "userInput": "x", "providerModel": ["ollama:a"]});
    let interactive = scene.start(&body).await;
    scene.app.limit(ProviderName::Ollama, 1, &scene.token).await;
    let first = pipeline::dispatch(&scene.app.db, ProviderName::Ollama, Timestamp::now()).await.unwrap();
    assert_eq!(first, interactive);
}

#[tokio::test]
async fn a_thousand_items_run_with_several_models_at_once() {
    let scene = Scene::set(with_schema()).await;
    let contents: Vec<String> = (3..1000).map(|number| json!({"n": number}).to_string()).collect();
    scene.add_items(&contents.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut body = scene.run();
    body["providerModel"] = json!(["ollama:a", "ollama:b", "ollama:c", "ollama:d", "ollama:e"]);
    let ids = scene.start(&body).await;
    assert_eq!((ids.len(), scene.executions().await), (5000, 5000));
    let bundle = scene.bundles(&format!("prompt_id={}", scene.prompt)).await;
    assert_eq!(bundle[0]["execution_ids"].as_array().unwrap().len(), 5000);
    let newest = scene.app.get(&format!("/api/v1/executions/{}", ids[0]), &scene.token).send().await.data(200);
    assert_eq!(newest["user_input"], "{\"n\":999}");
    body["providerModel"] = json!(vec!["ollama:a"; 11]);
    let (_, text) = scene.refusal(&body, 400).await;
    assert!(text.contains("10000"), "{text}");
}

//! Embedding deployments (contract 16, defects EM-01 and EM-05 to EM-08).

use serde_json::{Value, json};
use shared_core::api_keys::Scope;
use tests::TestApp;

const EMBEDDINGS: &str = "/api/v1/deployment-embeddings";
const MISSING: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

async fn create(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(EMBEDDINGS, token, body).send().await.data(201)
}

fn path_of(deployment: &Value) -> String {
    format!("{EMBEDDINGS}/{}", deployment["id"].as_str().expect("an id"))
}

async fn destination(app: &TestApp, token: &str) -> String {
    let body = json!({"type": "webhook-destination", "data": {"name": "hook", "url": "https://example.com"}});
    let setting = app.post("/api/v1/settings", token, &body).send().await.data(201);
    setting["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_embedding_deployment_is_created_read_changed_and_deleted() {
    let (app, token) = TestApp::with_admin().await;
    let hook = destination(&app, &token).await;
    let bare = create(&app, &token, &json!({"name": "bare", "model": "voyage-law-2"})).await;
    assert_eq!((&bare["inputType"], &bare["webhookDestinationIds"]), (&Value::Null, &json!([])));
    assert!(bare.as_object().expect("an object").contains_key("inputType"));
    let explicit = json!({"name": "explicit", "model": "voyage-3.5", "inputType": null, "webhookDestinationIds": [""]});
    let explicit = create(&app, &token, &explicit).await;
    assert_eq!((&explicit["inputType"], &explicit["webhookDestinationIds"]), (&Value::Null, &json!([])));

    let sent = json!({"name": "full_1-x", "model": "voyage-3-large", "inputType": "query",
        "webhookDestinationIds": [hook]});
    let full = create(&app, &token, &sent).await;
    for member in ["name", "model", "inputType", "webhookDestinationIds"] {
        assert_eq!(full[member], sent[member], "{member}");
    }
    assert_eq!(app.get(&path_of(&full), &token).send().await.data(200), full);
    assert_eq!(app.get(&format!("{EMBEDDINGS}/name/full_1-x"), &token).send().await.data(200), full);

    let updated = app.put(&path_of(&full), &token, &json!({"model": "voyage-code-3"})).send().await.data(200);
    assert_eq!((&updated["inputType"], &updated["model"]), (&json!("query"), &json!("voyage-code-3")), "EM-08");
    let updated = app.put(&path_of(&full), &token, &json!({"inputType": null})).send().await.data(200);
    assert_eq!((&updated["inputType"], &updated["webhookDestinationIds"]), (&Value::Null, &json!([hook])));
    let updated = app.put(&path_of(&full), &token, &json!({"webhookDestinationIds": []})).send().await.data(200);
    assert_eq!(updated["webhookDestinationIds"], json!([]));
    app.put(&path_of(&full), &token, &json!({})).send().await.data(200);

    assert_eq!(app.delete(&path_of(&full), &token).send().await.status.as_u16(), 204);
    assert_eq!(app.delete(&path_of(&full), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&path_of(&full), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.put(&path_of(&full), &token, &json!({})).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&format!("{EMBEDDINGS}/name/full_1-x"), &token).send().await.refusal(404), "Not Found");
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let (app, token) = TestApp::with_admin().await;
    create(&app, &token, &json!({"name": "taken", "model": "voyage-3.5"})).await;
    let wrong =
        json!({"name": "No", "model": "voyage-2", "inputType": "text", "webhookDestinationIds": [null], "x": 1});
    let fields = app.post(EMBEDDINGS, &token, &wrong).send().await.issues("body");
    assert_eq!(fields, ["name", "model", "inputType", "webhookDestinationIds.0", "request"]);
    assert_eq!(app.post(EMBEDDINGS, &token, &json!({})).send().await.issues("body"), ["name", "model"]);
    let taken = json!({"name": "taken", "model": "voyage-3.5"});
    assert_eq!(app.post(EMBEDDINGS, &token, &taken).send().await.refusal(400), "Validation Error");
    let unknown = json!({"name": "new", "model": "voyage-3.5", "webhookDestinationIds": ["nobody"]});
    assert_eq!(app.post(EMBEDDINGS, &token, &unknown).send().await.refusal(400), "Validation Error", "EM-07");
    let path = format!("{EMBEDDINGS}/{MISSING}");
    assert_eq!(app.put(&path, &token, &json!({"name": "x"})).send().await.issues("body"), ["request"]);
    let fields = app.put(&path, &token, &json!({"model": null})).send().await.issues("body");
    assert!(!fields.is_empty() && fields.iter().all(|field| field == "model"), "{fields:?}");
}

#[tokio::test]
async fn lists_search_and_accept_every_declared_order() {
    let (app, token) = TestApp::with_admin().await;
    for (name, model) in [("b", "voyage-3.5"), ("a", "voyage-law-2"), ("c", "voyage-3.5-lite")] {
        create(&app, &token, &json!({"name": name, "model": model})).await;
    }
    let names = async |query: &str| {
        let page = app.get(&format!("{EMBEDDINGS}?{query}"), &token).send().await.data(200);
        let list = page["data"].as_array().expect("a list").clone();
        list.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["c", "a", "b"]);
    assert_eq!(names("orderBy=status").await, ["c", "a", "b"], "accepted and ignored (EM-06)");
    assert_eq!(names("orderBy=name&orderDirection=ASC").await, ["a", "b", "c"]);
    assert_eq!(names("orderBy=model&orderDirection=ASC").await, ["b", "c", "a"]);
    assert_eq!(names("search=VOYAGE-3.5&orderBy=name").await, ["c", "b"]);
    assert_eq!(names("search=law").await, ["a"]);
    assert_eq!(app.get(&format!("{EMBEDDINGS}?orderBy=x"), &token).send().await.issues("query"), ["orderBy"]);
}

#[tokio::test]
async fn a_run_records_a_job_and_tells_its_id() {
    let (app, token) = TestApp::with_admin().await;
    let hook = destination(&app, &token).await;
    let body = json!({"name": "full", "model": "voyage-3.5", "inputType": "document", "webhookDestinationIds": [hook]});
    create(&app, &token, &body).await;
    create(&app, &token, &json!({"name": "bare", "model": "voyage-3.5"})).await;
    let key = app.add_api_key("admin@example.com", &[Scope::DeploymentEmbeddingsRun]).await;
    let run = async |name: &str, inputs: Value| {
        let call = app.call("POST", &format!("{EMBEDDINGS}/run/{name}")).api_key(&key);
        let id = call.json(&json!({"inputs": inputs})).send().await.data(201)["jobId"].clone();
        app.get(&format!("/api/v1/jobs/{}", id.as_str().expect("an id")), &token).send().await.data(200)
    };
    let job = run("full", json!(["a", "b"])).await;
    let data = json!({"inputs": ["a", "b"], "model": "voyage-3.5", "inputType": "document",
        "webhookDestinationIds": [hook]});
    assert_eq!((&job["type"], &job["data"]), (&json!("generate-embedding"), &data));
    assert_eq!((&job["status"], &job["attempts"], &job["maxAttempts"]), (&json!("pending"), &json!(0), &json!(3)));
    let job = run("bare", json!("one text")).await;
    assert_eq!(job["data"], json!({"inputs": "one text", "model": "voyage-3.5"}));
}

#[tokio::test]
async fn a_run_is_measured_before_it_is_recorded() {
    let (app, token) = TestApp::with_admin().await;
    create(&app, &token, &json!({"name": "small", "model": "voyage-law-2"})).await;
    create(&app, &token, &json!({"name": "large", "model": "voyage-3.5"})).await;
    let run = async |name: &str, inputs: Value| {
        app.post(&format!("{EMBEDDINGS}/run/{name}"), &token, &json!({"inputs": inputs})).send().await
    };
    for inputs in [json!(""), json!([]), json!(["a", ""]), json!(1), json!([1]), json!({}), json!(null)] {
        assert_eq!(run("small", inputs.clone()).await.issues("body"), ["inputs"], "{inputs}");
    }
    assert_eq!(run("small", json!(vec!["a"; 1001])).await.issues("body"), ["inputs"]);
    let long = "word ".repeat(120_001);
    assert_eq!(run("small", json!(long)).await.issues("body"), ["inputs"], "a single text too");
    assert_eq!(run("small", json!([long])).await.issues("body"), ["inputs"]);
    assert_eq!(app.get("/api/v1/jobs", &token).send().await.data(200)["total"], 0, "nothing was recorded");
    run("large", json!(long)).await.data(201);
    run("small", json!(vec!["a"; 1000])).await.data(201);
    assert_eq!(run("unknown", json!("a")).await.refusal(404), "Not Found");
}

//! Embedding deployments and the jobs that they create (contract 16, defects EM-01 to EM-08).

use std::{cmp::Reverse, time::Duration};

use serde_json::{Value, json};
use shared_core::{
    Timestamp,
    api_keys::Scope,
    db::Statement,
    embeddings::{self, EmbeddingInputs, EmbeddingModel, EmbeddingWork, Embeddings},
    ids,
    jobs::{self, pipeline},
    params,
};
use shared_jobs::{JobType, types::GenerateEmbedding};
use shared_testing::vendor::{Reply, voyageai};
use tests::TestApp;

/// Where Voyage AI computes.
const VENDOR: &str = "/v1/embeddings";
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
    // Two that were created within a millisecond are in the order of their ids.
    let list = app.get(EMBEDDINGS, &token).send().await.data(200)["data"].as_array().expect("a list").clone();
    let text = |entry: &Value, member: &str| entry[member].as_str().expect("a text").to_owned();
    assert!(list.is_sorted_by_key(|entry| Reverse((text(entry, "created_at"), text(entry, "id")))), "newest first");
    let newest_first: Vec<_> = list.iter().map(|entry| text(entry, "name")).collect();
    assert_eq!(names("orderBy=status").await, newest_first, "accepted and ignored (EM-06)");
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

/// An installation with a key for Voyage AI and an embedding deployment `library` that tells one destination; also gives
/// the admin's token and the destination.
async fn with_library() -> (TestApp, String, String) {
    adding_library(TestApp::with_admin().await).await
}

async fn adding_library((app, token): (TestApp, String)) -> (TestApp, String, String) {
    app.vendor.on("POST", VENDOR, voyageai::embedded_each(3));
    store_key(&app, &token).await;
    let hook = destination(&app, &token).await;
    let body = json!({"name": "library", "model": "voyage-3.5", "inputType": "query", "webhookDestinationIds": [hook]});
    create(&app, &token, &body).await;
    (app, token, hook)
}

/// Stores the key and tells the path of its setting.
async fn store_key(app: &TestApp, token: &str) -> String {
    let body = json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": "pa-test-0123456789"}});
    let setting = app.post("/api/v1/settings", token, &body).send().await.data(201);
    format!("/api/v1/settings/{}", setting["id"].as_str().expect("an id"))
}

/// Starts a run and tells the id of its job.
async fn run(app: &TestApp, token: &str, inputs: Value) -> String {
    let path = format!("{EMBEDDINGS}/run/library");
    let data = app.post(&path, token, &json!({"inputs": inputs})).send().await.data(201);
    data["jobId"].as_str().expect("an id").to_owned()
}

async fn read_job(app: &TestApp, token: &str, id: &str) -> Value {
    app.get(&format!("/api/v1/jobs/{id}"), token).send().await.data(200)
}

/// Sends messages about the job until it has ended, however many attempts that takes.
async fn run_to_the_end(app: &TestApp, token: &str, id: &str) -> Value {
    for _ in 0..500 {
        let job = read_job(app, token, id).await;
        if ["completed", "failed", "terminated"].contains(&job["status"].as_str().expect("a status")) {
            return job;
        }
        app.embed(id).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the job does not end");
}

/// What the destinations are told, in the order in which it was recorded.
async fn told(app: &TestApp, token: &str) -> Vec<Value> {
    let path = "/api/v1/jobs?jobName=webhook-delivery&orderDirection=ASC&limit=100";
    let page = app.get(path, token).send().await.data(200);
    page["data"].as_array().expect("a list").iter().map(|job| job["data"].clone()).collect()
}

#[tokio::test]
async fn vectors_are_kept_with_the_job_and_the_destination_is_told() {
    let (app, token, hook) = with_library().await;
    let id = run(&app, &token, json!(["first", "second"])).await;
    let before = Timestamp::now();
    let job = run_to_the_end(&app, &token, &id).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("completed"), &json!(1)), "{job}");
    let result = &job["result"];
    assert_eq!((&result["model"], &result["totalTokens"]), (&json!("voyage-3.5"), &json!(14)));
    assert_eq!((&result["count"], &result["dimensions"]), (&json!(2), &json!(3)));
    let filler = -0.031_265_258_789_062_5;
    assert_eq!(result["embeddings"], json!([[0.0, filler, filler], [1.0, filler, filler]]));
    let expires_at: Timestamp = result["expiresAt"].as_str().expect("an instant").parse().expect("an instant");
    let days = expires_at.millis_since(before) as f64 / 86_400_000.0;
    assert!((6.99..7.01).contains(&days), "{days}");

    let request = &app.vendor.requests_to("POST", VENDOR)[0];
    assert_eq!(request.json(), json!({"input": ["first", "second"], "model": "voyage-3.5", "input_type": "query"}));
    assert_eq!(request.header("authorization"), Some("Bearer pa-test-0123456789"));

    let event = json!({"event": "webhook.deployment.embedding", "status": "success", "jobId": id});
    assert_eq!(told(&app, &token).await, [json!({"webhookId": hook, "data": event})]);
    let vectors = embeddings::find_result(&app.db, &id).await.unwrap().expect("vectors for the delivery");
    assert_eq!(json!(vectors), result["embeddings"]);

    let page = app.get("/api/v1/jobs?jobName=generate-embedding", &token).send().await.data(200);
    assert_eq!(page["data"][0]["result"]["count"], 2);
    assert!(page["data"][0]["result"].get("embeddings").is_none(), "lists never contain vectors");
}

#[tokio::test]
async fn a_single_text_gives_a_list_of_one_vector() {
    let (app, token, _) = with_library().await;
    let id = run(&app, &token, json!("alone")).await;
    let job = run_to_the_end(&app, &token, &id).await;
    assert_eq!(job["result"]["embeddings"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.vendor.requests_to("POST", VENDOR)[0].json()["input"], "alone");
}

#[tokio::test]
async fn passing_failures_are_tried_again_and_leave_no_trace() {
    let (app, token, _) = with_library().await;
    app.vendor.enqueue("POST", VENDOR, voyageai::error(429, "slow down"));
    app.vendor.enqueue("POST", VENDOR, Reply::close());
    let id = run(&app, &token, json!(["text"])).await;
    app.embed(&id).await;
    let job = read_job(&app, &token, &id).await;
    assert_eq!(job["status"], "retrying");
    assert_eq!(job["error"], "ProviderError: Voyage AI answered 429 Too Many Requests: slow down");
    assert!(told(&app, &token).await.is_empty(), "nothing has ended");
    let job = run_to_the_end(&app, &token, &id).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("completed"), &json!(3)));
    assert!(job.get("error").is_none() && job.get("nextRetryAt").is_none(), "{job}");
    assert_eq!(told(&app, &token).await.len(), 1);
}

#[tokio::test]
async fn a_vendor_that_asks_to_wait_is_left_alone() {
    let (app, token, _) = with_library().await;
    app.vendor.on("POST", VENDOR, voyageai::error(429, "slow down").with_header("retry-after", "60"));
    let id = run(&app, &token, json!(["text"])).await;
    let before = Timestamp::now();
    app.embed(&id).await;
    app.embed(&id).await;
    app.maintenance.run(Timestamp::now(), None).await.unwrap();
    let job = read_job(&app, &token, &id).await;
    let due: Timestamp = job["nextRetryAt"].as_str().expect("an instant").parse().expect("an instant");
    assert!(due.millis_since(before) >= 60_000, "{job}");
    assert_eq!(app.vendor.requests().len(), 1, "nobody asked again");
}

#[tokio::test]
async fn failures_end_as_failed_and_are_told() {
    let cases = [
        (voyageai::error(400, "bad request"), 1, "ProviderError"),
        (voyageai::error(401, "who are you"), 1, "ProviderError"),
        (voyageai::error(403, "not from here"), 1, "ProviderError"),
        (voyageai::embedded(&[]), 1, "ProviderError"),
        (Reply::text("garbage"), 1, "ProviderError"),
        (voyageai::error(500, "oops"), 3, "ProviderError"),
        (Reply::close(), 3, "ProviderUnavailableError"),
        (Reply::hang(), 3, "ProviderTimeoutError"),
    ];
    for (case, (reply, calls, class)) in cases.into_iter().enumerate() {
        let (app, token, hook) = match class {
            "ProviderTimeoutError" => adding_library(TestApp::impatient().await).await,
            _ => with_library().await,
        };
        app.vendor.on("POST", VENDOR, reply);
        let id = run(&app, &token, json!(["text"])).await;
        let job = run_to_the_end(&app, &token, &id).await;
        assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(calls)), "case {case}");
        let error = job["error"].as_str().expect("an error");
        assert!(error.starts_with(&format!("{class}: ")), "case {case}: {error}");
        assert!(job.get("result").is_none() && embeddings::find_result(&app.db, &id).await.unwrap().is_none());
        assert_eq!(app.vendor.requests_to("POST", VENDOR).len(), calls, "case {case}");
        let event = json!({"event": "webhook.deployment.embedding", "status": "error", "jobId": id, "error": error});
        assert_eq!(told(&app, &token).await, [json!({"webhookId": hook, "data": event})], "case {case}");
    }
}

#[tokio::test]
async fn without_an_active_key_the_job_terminates() {
    let (app, token) = TestApp::with_admin().await;
    let hook = destination(&app, &token).await;
    let body = json!({"name": "library", "model": "voyage-3.5", "webhookDestinationIds": [hook]});
    create(&app, &token, &body).await;
    let reason = "there is no active service key for voyageai";
    let missing = run(&app, &token, json!(["text"])).await;
    let job = run_to_the_end(&app, &token, &missing).await;
    assert_eq!((&job["status"], &job["terminationReason"]), (&json!("terminated"), &json!(reason)));
    assert_eq!(told(&app, &token).await[0]["data"]["error"], reason);

    let setting = store_key(&app, &token).await;
    let edit = json!({"type": "service-api-key", "data": {"active": false}});
    app.put(&setting, &token, &edit).send().await.data(200);
    let inactive = run(&app, &token, json!(["text"])).await;
    assert_eq!(run_to_the_end(&app, &token, &inactive).await["terminationReason"], reason);
    assert!(app.vendor.requests().is_empty(), "the vendor was not asked");
    assert_eq!(told(&app, &token).await.len(), 2);
}

#[tokio::test]
async fn what_no_request_has_measured_the_job_measures() {
    let (app, token, _) = with_library().await;
    let work = EmbeddingWork {
        inputs: EmbeddingInputs::Many(vec!["a".to_owned(); 1001]),
        model: EmbeddingModel::Voyage35,
        input_type: None,
        webhook_destination_ids: Vec::new(),
    };
    let id = ids::new_id();
    let insert = jobs::insert(&id, &GenerateEmbedding(work).to_job(), Timestamp::now());
    app.db.write(vec![insert]).await.expect("the job is new");
    let job = run_to_the_end(&app, &token, &id).await;
    assert_eq!(job["status"], "terminated");
    assert_eq!(job["terminationReason"], "inputs must not hold more than 1000 texts, and there are 1001");
    assert!(app.vendor.requests().is_empty() && told(&app, &token).await.is_empty());
}

#[tokio::test]
async fn a_message_delivered_twice_asks_the_vendor_once() {
    let (app, token, _) = with_library().await;
    let answer = voyageai::embedded(&[vec![1.0]]).after(Duration::from_millis(50));
    app.vendor.on("POST", VENDOR, answer);
    let id = run(&app, &token, json!(["text"])).await;
    tokio::join!(app.embed(&id), app.embed(&id), app.embed(&id));
    app.embed(&id).await;
    app.embed("unknown").await;
    assert_eq!(app.vendor.requests().len(), 1);
    assert_eq!(read_job(&app, &token, &id).await["status"], "completed");
    assert_eq!(told(&app, &token).await.len(), 1, "told once");
}

/// Claims the job as a worker that dies at once.
async fn claim_and_die(app: &TestApp, id: &str) {
    let (kind, lease) = (GenerateEmbedding::KIND.name, Duration::from_millis(1));
    let claim = pipeline::claim(&app.db, kind, id, lease, Timestamp::now()).await.expect("the database answers");
    assert!(claim.is_some(), "the job can be claimed");
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced_and_in_the_end_the_destination_is_told() {
    let (app, token, _) = with_library().await;
    let id = run(&app, &token, json!(["text"])).await;
    claim_and_die(&app, &id).await;
    let report = app.maintenance.run(Timestamp::now(), None).await.unwrap();
    assert_eq!(report.jobs_requeued, 1);
    let job = run_to_the_end(&app, &token, &id).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("completed"), &json!(2)));
    assert_eq!(told(&app, &token).await.len(), 1);

    let lost = run(&app, &token, json!(["text"])).await;
    for attempt in 1..=3 {
        claim_and_die(&app, &lost).await;
        let report = app.maintenance.run(Timestamp::now(), None).await.unwrap();
        assert_eq!((report.jobs_requeued, report.jobs_interrupted), if attempt < 3 { (1, 0) } else { (0, 1) });
    }
    let job = read_job(&app, &token, &lost).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(3)));
    let events = told(&app, &token).await;
    let event =
        json!({"event": "webhook.deployment.embedding", "status": "error", "jobId": lost, "error": job["error"]});
    assert_eq!((events.len(), &events[1]["data"]), (2, &event), "maintenance ended it, and the destination is told");
}

#[tokio::test]
async fn vectors_expire() {
    let (app, token, _) = with_library().await;
    let id = run(&app, &token, json!(["text"])).await;
    let job = run_to_the_end(&app, &token, &id).await;
    assert!(job["result"].get("embeddingsOmitted").is_none());
    let past = Timestamp::now().plus_seconds(-1);
    let sql = "UPDATE embedding_results SET expires_at = ?1";
    app.db.write(vec![Statement::new(sql, params![past])]).await.unwrap();
    assert_eq!(read_job(&app, &token, &id).await["result"]["embeddingsOmitted"], "expired");
    assert_eq!(embeddings::delete_expired_results(&app.db, 100, Timestamp::now()).await.unwrap(), 1);
    let job = read_job(&app, &token, &id).await;
    assert_eq!((&job["status"], &job["result"]["count"]), (&json!("completed"), &json!(1)), "the summary stays");
    assert_eq!((&job["result"]["embeddingsOmitted"], job["result"].get("embeddings")), (&json!("expired"), None));
}

#[tokio::test]
async fn too_many_vectors_are_stored_but_not_shown() {
    let (app, token, _) = with_library().await;
    let id = run(&app, &token, json!(["text"])).await;
    run_to_the_end(&app, &token, &id).await;
    // As if there had been more texts: a busy machine takes too long to compute and read so much.
    let vectors: Vec<Vec<f64>> = (0..300).map(|position| vec![f64::from(position) + 0.031_265_258_789; 1024]).collect();
    let many = Embeddings { model: "voyage-3.5".to_owned(), total_tokens: 300, vectors };
    app.db.write(many.store(&id, Timestamp::now().plus_seconds(60))).await.unwrap();
    let result = &read_job(&app, &token, &id).await["result"];
    assert_eq!((&result["embeddingsOmitted"], result.get("embeddings")), (&json!("too-large"), None));
    let stored = embeddings::find_result(&app.db, &id).await.unwrap().expect("vectors for the delivery");
    assert_eq!(stored, many.vectors, "all of them, in order");
}

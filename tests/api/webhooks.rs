//! Webhooks from their cause to the receiver (contract 18 and 19, defects J-01 to J-03, J-08, W-01 to W-04).

use serde_json::{Value, json};
use shared_core::{
    ProviderName, Secret, Timestamp,
    config::EncryptionKey,
    ids, jobs,
    secrets::Cipher,
    settings::{self, NewSetting},
    users::Role,
    webhooks::{SigningKeys, signature_headers},
};
use shared_jobs::{JobType, types::WebhookDelivery};
use shared_testing::vendor::{ReceivedRequest, Reply};
use tests::{SIGNATURE_KEY, TestApp};

const TRIGGER: &str = "/api/v1/jobs/single/trigger";
/// The trace that every run of a deployment here belongs to.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A saved destination at the receiver: its id and its secret.
async fn add_destination(app: &TestApp, token: &str, name: &str) -> (String, String) {
    let data = json!({"name": name, "url": format!("{}/hook", app.receiver.url())});
    let body = json!({"type": "webhook-destination", "data": data});
    let created = app.post("/api/v1/settings", token, &body).send().await.data(201);
    (text(&created["id"]), text(&created["secret"]))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Runs a deployment that tells this destination about its executions, up to the end of the execution; gives its id.
async fn run_deployment(app: &TestApp, token: &str, destination: &str) -> String {
    let prompt = json!({"name": format!("prompt of {destination}"), "prompt": "Say hello"});
    let prompt = app.post("/api/v1/prompts", token, &prompt).send().await.data(201);
    let name = format!("d-{destination}");
    let body = json!({"name": name, "promptId": prompt["id"], "promptVersion": 1, "provider": "ollama",
        "model": "demo:latest", "webhookDestinationIds": [destination]});
    app.post("/api/v1/deployments", token, &body).send().await.data(201);
    let run = format!("/api/v1/deployments/run/{name}");
    let call = app.post(&run, token, &json!({"userInput": "hello"}));
    let execution = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")).send().await.data(201);
    app.run_waiting(ProviderName::Ollama).await;
    text(&execution["executionId"])
}

/// The one delivery there is, as the API shows it.
async fn the_job(app: &TestApp, token: &str) -> Value {
    let page = app.get("/api/v1/jobs?jobName=webhook-delivery", token).send().await.data(200);
    assert_eq!(page["total"], 1, "{page}");
    let job = page["data"][0].clone();
    assert_eq!(app.get(&format!("/api/v1/jobs/{}", text(&job["id"])), token).send().await.data(200), job);
    job
}

/// Runs deliveries until none waits.
async fn run_to_the_end(app: &TestApp, token: &str) {
    for _ in 0..500 {
        app.run_webhooks().await;
        let page = app.get("/api/v1/jobs", token).send().await.data(200);
        let is_open = |job: &Value| matches!(job["status"].as_str(), Some("pending" | "running" | "retrying"));
        if !page["data"].as_array().expect("a list").iter().any(is_open) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the deliveries do not end");
}

/// Whether the request has exactly the signatures that these keys make of what it says.
#[track_caller]
fn assert_signed(request: &ReceivedRequest, current: &str, previous: Option<&str>) {
    let keys = SigningKeys { current: Secret::new(current), previous: previous.map(Secret::new) };
    let body = std::str::from_utf8(&request.body).expect("a text");
    let id = request.header("webhook-id").expect("an id");
    let now: Timestamp = request.header("x-hypersigil-timestamp").expect("an instant").parse().expect("ISO 8601");
    for (name, value) in signature_headers(&keys, id, body, now) {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!(request.header("x-hypersigil-signature-previous").is_some(), previous.is_some());
    let expected = if previous.is_some() { 2 } else { 1 };
    assert_eq!(request.header("webhook-signature").expect("signatures").split(' ').count(), expected);
}

#[tokio::test]
async fn the_end_of_an_execution_reaches_its_destination_signed() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, secret) = add_destination(&app, &token, "orders").await;
    let execution = run_deployment(&app, &token, &destination).await;
    let waiting = the_job(&app, &token).await;
    assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("pending"), &json!(0)));
    run_to_the_end(&app, &token).await;

    let requests = app.receiver.requests();
    assert_eq!(requests.len(), 1);
    let payload = json!({"event": "webhook.deployment.execution", "executionId": execution, "status": "completed"});
    assert_eq!(requests[0].json(), payload);
    assert_signed(&requests[0], &secret, None);
    let job = the_job(&app, &token).await;
    assert_eq!(requests[0].header("webhook-id"), job["id"].as_str());
    let parent = requests[0].header("traceparent").expect("a trace");
    assert!(parent.contains(TRACE), "from the request over rows to the receiver: {parent}");
    assert_eq!(
        (&job["status"], &job["attempts"], &job["maxAttempts"], &job["lastStatus"]),
        (&json!("completed"), &json!(1), &json!(8), &json!(204))
    );
    assert!(job["completedAt"].is_string() && job.get("error").is_none(), "{job}");
}

#[tokio::test]
async fn a_failed_execution_is_told_too() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, _) = add_destination(&app, &token, "orders").await;
    app.vendor.on("POST", "/api/generate", Reply::json(&json!({"error": "bad request"})).with_status(400));
    let execution = run_deployment(&app, &token, &destination).await;
    run_to_the_end(&app, &token).await;
    let payload = json!({"event": "webhook.deployment.execution", "executionId": execution, "status": "failed"});
    assert_eq!(app.receiver.requests()[0].json(), payload);
}

#[tokio::test]
async fn passing_failures_are_tried_again_under_one_id() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, secret) = add_destination(&app, &token, "orders").await;
    app.receiver.enqueue("POST", "/hook", Reply::text("busy").with_status(503));
    app.receiver.enqueue("POST", "/hook", Reply::close());
    run_deployment(&app, &token, &destination).await;

    app.run_webhooks().await;
    let job = the_job(&app, &token).await;
    assert_eq!(
        (&job["status"], &job["attempts"], &job["lastStatus"], &job["error"]),
        (&json!("retrying"), &json!(1), &json!(503), &json!("the receiver answered 503 Service Unavailable: busy"))
    );
    assert!(job["nextRetryAt"].is_string(), "{job}");

    run_to_the_end(&app, &token).await;
    let job = the_job(&app, &token).await;
    assert_eq!((&job["status"], &job["attempts"], &job["lastStatus"]), (&json!("completed"), &json!(3), &json!(204)));
    for gone in ["error", "nextRetryAt"] {
        assert!(job.get(gone).is_none(), "{gone} in {job}");
    }
    let requests = app.receiver.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.header("webhook-id"), job["id"].as_str());
        assert_signed(request, &secret, None);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_long_pause_gets_it() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, _) = add_destination(&app, &token, "orders").await;
    app.receiver.enqueue("POST", "/hook", Reply::status(429).with_header("retry-after", "1800"));
    run_deployment(&app, &token, &destination).await;
    let before = Timestamp::now();
    app.run_webhooks().await;
    let job = the_job(&app, &token).await;
    let due: Timestamp = text(&job["nextRetryAt"]).parse().expect("an instant");
    assert!(due.millis_since(before) >= 1_800_000, "beyond what a queue message can wait: {job}");
    app.run_webhooks().await;
    assert_eq!(app.receiver.requests().len(), 1, "not before its time");
}

#[tokio::test]
async fn permanent_refusals_end_a_delivery_at_once() {
    for (reply, status) in [
        (Reply::status(404), 404),
        (Reply::status(302).with_header("location", "/elsewhere"), 302),
        (Reply::text("gone").with_status(410), 410),
    ] {
        let (app, token) = TestApp::with_receiver().await;
        let (destination, _) = add_destination(&app, &token, "orders").await;
        app.receiver.on("POST", "/hook", reply);
        run_deployment(&app, &token, &destination).await;
        run_to_the_end(&app, &token).await;
        let job = the_job(&app, &token).await;
        assert_eq!(
            (&job["status"], &job["attempts"], &job["lastStatus"]),
            (&json!("failed"), &json!(1), &json!(status))
        );
        assert!(text(&job["error"]).starts_with(&format!("the receiver answered {status}")), "{job}");
        assert_eq!(app.receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_destination_that_is_off_or_gone_terminates_the_delivery() {
    for is_deleted in [false, true] {
        let (app, token) = TestApp::with_receiver().await;
        let (destination, _) = add_destination(&app, &token, "orders").await;
        run_deployment(&app, &token, &destination).await;
        let path = format!("/api/v1/settings/{destination}");
        let reason = if is_deleted {
            app.delete(&path, &token).send().await.data(200);
            "does not exist any more"
        } else {
            let edit = json!({"type": "webhook-destination", "data": {"active": false}});
            app.put(&path, &token, &edit).send().await.data(200);
            "is switched off"
        };
        run_to_the_end(&app, &token).await;
        let job = the_job(&app, &token).await;
        assert_eq!((&job["status"], &job["attempts"]), (&json!("terminated"), &json!(1)));
        assert!(text(&job["terminationReason"]).contains(reason), "{job}");
        assert!(app.receiver.requests().is_empty());
        // What has ended stays ended (defect J-01).
        app.run_webhooks().await;
        assert_eq!(the_job(&app, &token).await, job);
    }
}

#[tokio::test]
async fn a_destination_from_before_the_rules_is_refused_when_it_is_used() {
    let (app, token) = TestApp::with_admin().await;
    let url = format!("{}/hook", app.receiver.url());
    let cipher = Cipher::new(&EncryptionKey::new(std::array::from_fn(|i| i as u8)));
    let new = NewSetting::WebhookDestination { name: "old".to_owned(), url, active: true };
    let created = settings::create(&app.db, &cipher, new, Timestamp::now()).await.expect("a new name");
    let delivery = WebhookDelivery { webhook_id: created.setting.id, url: None, data: json!({"event": "x"}) };
    let insert = jobs::insert(&ids::new_id(), &delivery.to_job(), Timestamp::now());
    app.db.write(vec![insert]).await.expect("the database answers");
    run_to_the_end(&app, &token).await;
    let job = the_job(&app, &token).await;
    assert_eq!(job["status"], "terminated");
    assert_eq!(job["terminationReason"], "webhooks may not go there: the URL must start with https://");
    assert!(app.receiver.requests().is_empty());
}

#[tokio::test]
async fn a_test_is_sent_once_and_signed_with_the_installations_key() {
    let (app, token) = TestApp::with_receiver().await;
    app.receiver.on("POST", "/hook", Reply::status(500));
    let url = format!("{}/hook", app.receiver.url());
    let body = json!({"job": {"type": "webhook-delivery", "data": {"url": url}}});
    app.post(TRIGGER, &token, &body).send().await.data(201);
    run_to_the_end(&app, &token).await;
    let job = the_job(&app, &token).await;
    assert_eq!(
        (&job["status"], &job["attempts"], &job["maxAttempts"], &job["lastStatus"]),
        (&json!("failed"), &json!(1), &json!(1), &json!(500))
    );
    let requests = app.receiver.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].json(), job["data"]["data"]);
    assert_signed(&requests[0], SIGNATURE_KEY, None);

    // An address that is saved is tried as it will be used.
    let (_, secret) = add_destination(&app, &token, "saved").await;
    app.receiver.forget_requests();
    app.post(TRIGGER, &token, &body).send().await.data(201);
    run_to_the_end(&app, &token).await;
    assert_signed(&app.receiver.requests()[0], &secret, None);
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, first) = add_destination(&app, &token, "orders").await;
    let path = format!("/api/v1/settings/{destination}/rotate-secret");
    let second = text(&app.call("POST", &path).bearer(&token).send().await.data(200)["secret"]);
    run_deployment(&app, &token, &destination).await;
    run_to_the_end(&app, &token).await;
    assert_signed(&app.receiver.requests()[0], &second, Some(&first));
}

#[tokio::test]
async fn a_message_that_comes_twice_sends_one_webhook() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, _) = add_destination(&app, &token, "orders").await;
    run_deployment(&app, &token, &destination).await;
    let id = text(&the_job(&app, &token).await["id"]);
    tokio::join!(app.webhook_message(&id), app.webhook_message(&id));
    app.webhook_message(&id).await;
    assert_eq!(app.receiver.requests().len(), 1);
    assert_eq!(the_job(&app, &token).await["attempts"], 1);
}

#[tokio::test]
async fn an_admin_sends_an_ended_delivery_once_more_under_its_id() {
    let (app, token) = TestApp::with_receiver().await;
    let (destination, _) = add_destination(&app, &token, "orders").await;
    app.receiver.enqueue("POST", "/hook", Reply::status(404));
    run_deployment(&app, &token, &destination).await;
    let id = text(&the_job(&app, &token).await["id"]);
    let redeliver = format!("/api/v1/jobs/{id}/redeliver");
    assert_eq!(app.call("POST", &redeliver).bearer(&token).send().await.refusal(400), "Validation Error", "it waits");
    run_to_the_end(&app, &token).await;
    assert_eq!(the_job(&app, &token).await["status"], "failed");

    let user = app.sign_up("user@example.com", Role::User).await;
    assert_eq!(app.call("POST", &redeliver).bearer(&user).send().await.bare(403), "Forbidden");
    let again = app.call("POST", &redeliver).bearer(&token).send().await.data(200);
    assert_eq!((&again["id"], &again["status"], &again["attempts"]), (&json!(id), &json!("pending"), &json!(0)));
    for gone in ["error", "lastStatus", "completedAt", "startedAt"] {
        assert!(again.get(gone).is_none(), "{gone} in {again}");
    }
    run_to_the_end(&app, &token).await;
    let job = the_job(&app, &token).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("completed"), &json!(1)));
    app.call("POST", &redeliver).bearer(&token).send().await.data(200);
    run_to_the_end(&app, &token).await;
    let requests = app.receiver.requests();
    assert_eq!(requests.len(), 3, "also one that was delivered may be repeated");
    assert!(requests.iter().all(|request| request.header("webhook-id") == Some(id.as_str())));
    assert_eq!(requests[0].body, requests[2].body);
}

#[tokio::test]
async fn only_deliveries_are_sent_again() {
    let (app, token) = TestApp::with_admin().await;
    let work = json!({"inputs": "text", "model": "voyage-3.5"});
    let job = serde_json::from_value::<shared_jobs::types::GenerateEmbedding>(work).expect("an embedding").to_job();
    let id = ids::new_id();
    app.db.write(vec![jobs::insert(&id, &job, Timestamp::now())]).await.expect("the database answers");
    let redeliver =
        async |id: &str| app.call("POST", &format!("/api/v1/jobs/{id}/redeliver")).bearer(&token).send().await;
    assert_eq!(redeliver(&id).await.refusal(400), "Validation Error");
    assert_eq!(redeliver("0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10").await.refusal(404), "Job not found");
    assert_eq!(redeliver("x").await.issues("param"), ["id"]);
}

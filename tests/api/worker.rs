//! What the worker makes of answers, failures and silence of a provider (contract 9.4 and 11.3), and that nothing is lost.

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{
    ProviderName, Timestamp,
    executions::{ExecutionStatus, pipeline},
};
use shared_testing::vendor::{self, Reply};
use tests::TestApp;

/// An installation with Ollama, whose model says hello unless a test says otherwise.
async fn with_ollama() -> (TestApp, String) {
    adding_ollama(TestApp::with_admin().await).await
}

async fn adding_ollama((app, token): (TestApp, String)) -> (TestApp, String) {
    app.vendor.on("GET", "/api/tags", vendor::ollama::tags(["demo:latest"]));
    app.vendor.on("POST", "/api/generate", vendor::ollama::generated("hello"));
    app.add_provider(ProviderName::Ollama, &token).await;
    app.vendor.forget_requests();
    (app, token)
}

async fn create(app: &TestApp, token: &str, count: usize) -> Vec<String> {
    let body = json!({"promptText": "Say hello", "userInput": "", "providerModel": vec!["ollama:demo:latest"; count]});
    let data = app.post("/api/v1/executions", token, &body).send().await.data(201);
    let ids = data["executionIds"].as_array().expect("a list of ids");
    ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

async fn read(app: &TestApp, token: &str, id: &str) -> Value {
    app.get(&format!("/api/v1/executions/{id}"), token).send().await.data(200)
}

async fn message_for(app: &TestApp, execution_id: &str) {
    app.work_on(execution_id, Duration::ZERO).await;
}

/// Runs the execution until it has ended, however many attempts that takes.
async fn run_to_the_end(app: &TestApp, id: &str) -> ExecutionStatus {
    for _ in 0..500 {
        let progress = pipeline::progress(&app.db, id).await.expect("the database answers");
        let (status, _) = progress.expect("the execution exists");
        if status.is_final() {
            return status;
        }
        app.run_waiting(ProviderName::Ollama).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the execution does not end");
}

#[tokio::test]
async fn permanent_failures_end_at_once_and_passing_ones_are_tried_again() {
    let cases = [
        (Reply::json(&json!({"error": "bad request"})).with_status(400), 1, "ProviderError"),
        (Reply::json(&json!({"error": "who are you"})).with_status(401), 1, "ProviderError"),
        (Reply::json(&json!({"error": "model 'demo:latest' not found"})).with_status(404), 1, "ModelNotSupportedError"),
        (Reply::json(&json!({"error": "slow down"})).with_status(429), 3, "ProviderError"),
        (Reply::json(&json!({"error": "oops"})).with_status(500), 3, "ProviderError"),
        (Reply::text("garbage"), 1, "ProviderError"),
        (Reply::text(""), 1, "ProviderError"),
        (Reply::close(), 3, "ProviderUnavailableError"),
        (Reply::hang(), 3, "ProviderTimeoutError"),
    ];
    for (case, (reply, calls, class)) in cases.into_iter().enumerate() {
        let (app, token) = match class {
            "ProviderTimeoutError" => adding_ollama(TestApp::impatient().await).await,
            _ => with_ollama().await,
        };
        app.vendor.on("POST", "/api/generate", reply);
        let id = create(&app, &token, 1).await.remove(0);
        assert_eq!(run_to_the_end(&app, &id).await, ExecutionStatus::Failed, "case {case}");
        let execution = read(&app, &token, &id).await;
        let message = execution["error_message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{class}: ")), "case {case}: {message}");
        assert!(execution.get("result").is_none() && execution.get("input_tokens_used").is_none(), "{execution}");
        assert_eq!(execution["result_valid"], false);
        assert_eq!(app.vendor.requests_to("POST", "/api/generate").len(), calls, "case {case}");
    }
}

#[tokio::test]
async fn a_passing_failure_leaves_no_trace_in_the_result() {
    let (app, token) = with_ollama().await;
    app.vendor.enqueue("POST", "/api/generate", Reply::json(&json!({"error": "starting"})).with_status(503));
    app.vendor.enqueue("POST", "/api/generate", Reply::close());
    let id = create(&app, &token, 1).await.remove(0);
    assert_eq!(run_to_the_end(&app, &id).await, ExecutionStatus::Completed);
    let execution = read(&app, &token, &id).await;
    assert_eq!((&execution["result"], &execution["result_valid"]), (&json!("hello"), &json!(true)));
    assert!(execution.get("error_message").is_none());
    assert_eq!(pipeline::progress(&app.db, &id).await.unwrap().unwrap().1, 3, "the third attempt succeeded");
}

#[tokio::test]
async fn a_vendor_that_asks_to_wait_is_left_alone() {
    let (app, token) = with_ollama().await;
    app.vendor.on("POST", "/api/generate", Reply::status(429).with_header("retry-after", "60"));
    let id = create(&app, &token, 1).await.remove(0);
    app.run_waiting(ProviderName::Ollama).await;
    assert_eq!(read(&app, &token, &id).await["status"], "pending");
    app.run_waiting(ProviderName::Ollama).await;
    message_for(&app, &id).await;
    app.maintenance.run(Timestamp::now(), None).await.unwrap();
    assert_eq!(app.vendor.requests().len(), 1, "nobody asked again");
    let later = Timestamp::now().plus_seconds(80);
    assert_eq!(pipeline::dispatch(&app.db, ProviderName::Ollama, later).await.unwrap(), [id]);
}

#[tokio::test]
async fn a_message_delivered_twice_asks_the_vendor_once() {
    let (app, token) = with_ollama().await;
    app.vendor.on("POST", "/api/generate", vendor::ollama::generated("hello").after(Duration::from_millis(50)));
    let id = create(&app, &token, 1).await.remove(0);
    pipeline::dispatch(&app.db, ProviderName::Ollama, Timestamp::now()).await.unwrap();
    tokio::join!(message_for(&app, &id), message_for(&app, &id), message_for(&app, &id));
    message_for(&app, &id).await;
    assert_eq!(app.vendor.requests().len(), 1);
    assert_eq!(read(&app, &token, &id).await["status"], "completed");
    message_for(&app, "unknown").await;
}

#[tokio::test]
async fn one_message_works_off_what_waits_behind_it() {
    let (app, token) = with_ollama().await;
    let ids = create(&app, &token, 6).await;
    let first = pipeline::dispatch(&app.db, ProviderName::Ollama, Timestamp::now()).await.unwrap();
    app.work_on(&first[0], Duration::from_secs(10)).await;
    let mut completed = 0;
    for id in &ids {
        completed += u32::from(read(&app, &token, id).await["status"] == "completed");
    }
    assert_eq!(completed, 5, "all but the one that was announced to somebody else");
    assert!(app.vendor.in_flight_peak() <= 2, "never more than the provider's limit");
}

#[tokio::test]
async fn a_cancelled_call_is_abandoned_and_its_answer_discarded() {
    let (app, token) = with_ollama().await;
    app.vendor.on("POST", "/api/generate", Reply::hang());
    let id = create(&app, &token, 1).await.remove(0);
    pipeline::dispatch(&app.db, ProviderName::Ollama, Timestamp::now()).await.unwrap();
    let cancel = async {
        app.vendor.wait_for_requests(1, Duration::from_secs(5)).await;
        let path = format!("/api/v1/executions/{id}");
        app.delete(&path, &token).send().await.status.as_u16()
    };
    let ((), status) = tokio::join!(message_for(&app, &id), cancel);
    assert_eq!(status, 204);
    let execution = read(&app, &token, &id).await;
    assert_eq!(
        (&execution["status"], &execution["error_message"]),
        (&json!("failed"), &json!("Execution cancelled by user"))
    );
    let places = "SELECT count(*) AS n FROM executions WHERE dispatched_at IS NOT NULL";
    assert_eq!(app.db.read(places, vec![]).await.unwrap().first().unwrap().get::<u32>("n").unwrap(), 0);
    assert_eq!(app.delete(&format!("/api/v1/executions/{id}"), &token).send().await.refusal(400), "Validation error");
}

#[tokio::test]
async fn maintenance_announces_what_a_dead_queue_did_not_take() {
    let (app, token) = with_ollama().await;
    let id = create(&app, &token, 1).await.remove(0);
    assert_eq!(pipeline::progress(&app.db, &id).await.unwrap().unwrap().0, ExecutionStatus::Pending);
    let report = app.maintenance.run(Timestamp::now(), None).await.unwrap();
    assert_eq!(report.dispatched, 0, "the queue is still away");
    assert_eq!(run_to_the_end(&app, &id).await, ExecutionStatus::Completed);
}

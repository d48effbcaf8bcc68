//! Processes die and servers go away at the worst moments; nothing is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use local_dev::stack::StackOptions;
use serde_json::json;
use shared_testing::vendor::{self, FakeVendor, Reply};

use crate::{
    client::{PATIENCE, Session},
    place::{Place, at_both_places},
};

at_both_places!(a_worker_killed_after_claiming_is_replaced);

const GENERATE: &str = "/api/generate";

async fn ollama() -> FakeVendor {
    let vendor = FakeVendor::start().await;
    vendor.on("GET", "/api/tags", vendor::ollama::tags(["demo:latest"]));
    vendor.on("POST", GENERATE, vendor::ollama::generated("hello"));
    vendor
}

async fn a_worker_killed_after_claiming_is_replaced(place: Place) {
    let vendor = ollama().await;
    vendor.enqueue("POST", GENERATE, Reply::hang());
    let session = Session::start_at(place, Some(vendor.url()), |_| ()).await;
    session.add_provider("ollama").await;
    let ids = session.run_text("Say hello", &["ollama:demo:latest"]).await;
    wait_for_calls(&vendor, 1).await;
    assert!(session.stack.kill("job-execution") > 0);
    let execution = session.wait_for_end(&ids[0]).await;
    assert_eq!((&execution["status"], &execution["result"]), (&json!("completed"), &json!("hello")), "{execution}");
    assert_eq!(vendor.requests_to("POST", GENERATE).len(), 2);
    session.stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_when_the_answer_comes_loses_nothing() {
    let vendor = ollama().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    vendor.on(
        "POST",
        GENERATE,
        Reply::computed(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            vendor::ollama::generated("hello")
        }),
    );
    let session = Session::start(Some(vendor.url()), |_| ()).await;
    session.add_provider("ollama").await;
    for round in 0..5 {
        let before = answered.load(Ordering::SeqCst);
        let ids = session.run_text("Say hello", &["ollama:demo:latest"]).await;
        let started = Instant::now();
        while answered.load(Ordering::SeqCst) == before {
            assert!(started.elapsed() < PATIENCE, "round {round}: the vendor is not asked");
            tokio::task::yield_now().await;
        }
        // The answer is on its way; depending on the round it is recorded already, or must be asked for again.
        session.stack.kill("job-execution");
        let execution = session.wait_for_end(&ids[0]).await;
        assert_eq!((&execution["status"], &execution["result"]), (&json!("completed"), &json!("hello")), "{execution}");
    }
    session.stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_finishes_what_it_can_and_hands_back_the_rest() {
    let vendor = ollama().await;
    let slow = Duration::from_millis(700);
    vendor.enqueue("POST", GENERATE, vendor::ollama::generated("in time").after(slow));
    vendor.enqueue("POST", GENERATE, Reply::hang());
    // No lease runs out and nobody announces again during this test: what is handed back is all there is.
    let patient = [("EXECUTION_LEASE_SECONDS", "600"), ("SHUTDOWN_GRACE_MS", "2000")];
    let adjust = |options: &mut StackOptions| {
        options.env.extend(patient.map(|(name, value)| (name.to_owned(), value.to_owned())));
        options.maintenance_interval = Duration::from_secs(600);
    };
    let session = Session::start(Some(vendor.url()), adjust).await;
    session.add_provider("ollama").await;
    let ids = session.run_text("Say hello", &["ollama:demo:latest"; 2]).await;
    wait_for_calls(&vendor, 2).await;
    assert!(session.stack.terminate("job-execution") > 0);
    let mut results = Vec::new();
    for id in &ids {
        let execution = session.wait_for_end(id).await;
        assert_eq!(execution["status"], "completed", "{execution}");
        results.push(execution["result"].as_str().expect("a result").to_owned());
    }
    results.sort();
    assert_eq!(results, ["hello", "in time"]);
    assert_eq!(vendor.requests_to("POST", GENERATE).len(), 3, "only what hung was asked again");
    session.stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_created_while_the_queue_is_away_run_when_it_is_back() {
    let vendor = ollama().await;
    let session = Session::start(Some(vendor.url()), |_| ()).await;
    session.add_provider("ollama").await;
    session.stack.stop_queue_server().await;
    let ids = session.run_text("Say hello", &["ollama:demo:latest"; 3]).await;
    let stats = session.get("/api/v1/executions/stats/all").await;
    assert_eq!(stats["pending"], 3, "accepted and waiting");
    session.stack.start_queue_server().await.expect("the queue server starts again");
    for id in &ids {
        assert_eq!(session.wait_for_end(id).await["status"], "completed");
    }
    session.stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_write_for_half_a_minute_without_an_error() {
    let session = Arc::new(Session::start(None, |options| options.api_instances = 4).await);
    session.add_provider("ollama").await;
    let until = Instant::now() + Duration::from_secs(30);
    let writers = (0..8).map(|writer| {
        let session = Arc::clone(&session);
        tokio::spawn(async move {
            let mut written = 0;
            while Instant::now() < until {
                let prompt = json!({"name": format!("{writer}-{written}"), "prompt": "x".repeat(500)});
                let (status, answer) = session.try_post("/api/v1/prompts", &prompt).await;
                assert_eq!(status, 201, "{answer}");
                let run = json!({"promptText": "hi", "providerModel": ["ollama:demo:latest"]});
                let (status, answer) = session.try_post("/api/v1/executions", &run).await;
                assert_eq!(status, 201, "{answer}");
                written += 1;
            }
            written
        })
    });
    let mut written: i64 = 0;
    for writer in writers.collect::<Vec<_>>() {
        written += writer.await.expect("no writer saw an error");
    }
    let prompts = session.get("/api/v1/prompts?limit=1").await;
    let stats = session.get("/api/v1/executions/stats/all").await;
    assert!(written > 0);
    assert_eq!((&prompts["total"], &stats["total"]), (&json!(written), &json!(written)), "nothing lost, nothing twice");
}

async fn wait_for_calls(vendor: &FakeVendor, count: usize) {
    let started = Instant::now();
    while vendor.requests_to("POST", GENERATE).len() < count {
        assert!(started.elapsed() < PATIENCE, "the vendor is not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! The whole stack with the real functions. What these do is the business of the workspace's end-to-end tests.

#![expect(clippy::unwrap_used, reason = "clippy takes helpers of integration tests for production code")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use local_dev::{
    report::{Event, Reporter},
    stack::{Stack, StackOptions},
};
use serde_json::Value;
use shared_core::config::DatabaseConfig;

async fn health(stack: &Stack) -> Value {
    let client = shared_core::outbound::client(|builder| builder.no_proxy()).unwrap();
    let answer = client.get(format!("{}/api/health", stack.base_url())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn starts_serves_survives_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let events = Arc::new(Mutex::new(vec![]));
    let seen = events.clone();
    let reporter = Reporter::new(move |event| seen.lock().unwrap().push(event.clone()));
    let options = StackOptions { reporter, ..StackOptions::quiet(dir.path()).unwrap() };
    let stack = Stack::start(options.clone()).await.unwrap();
    let DatabaseConfig::File(file) = stack.database() else { panic!("a database elsewhere that nobody asked for") };
    assert!(file.is_file(), "the database has been migrated");
    assert_eq!(health(&stack).await["status"], "healthy");

    let second = Stack::start(options).await.unwrap_err();
    assert!(second.to_string().contains("Another local system"), "{second}");

    assert!(stack.kill("api-system") >= 1);
    health(&stack).await;

    stack.stop_queue_server().await;
    health(&stack).await;
    stack.start_queue_server().await.unwrap();
    let url = stack.queues().queue_url("ExecutionsQueue").unwrap().to_owned();
    stack.queues().client().purge_queue().queue_url(url).send().await.unwrap();

    let address = stack.base_url();
    let started = Instant::now();
    stack.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(shared_core::outbound::client(|builder| builder.no_proxy()).unwrap().get(address).send().await.is_err());

    let events = events.lock().unwrap();
    let requests = events.iter().filter(|event| matches!(event, Event::Request { .. })).count();
    assert_eq!(requests, 3);
    let failures: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event, Event::Restart { .. } | Event::Batch { error: Some(_), .. }))
        .collect();
    assert!(failures.is_empty(), "{failures:?}");
}

//! Queue server and poller together, with a function that is a closure.

#![expect(clippy::unwrap_used, reason = "clippy takes helpers of integration tests for production code")]

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::body::Bytes;
use local_dev::{
    build::workspace_root,
    invoke::{InvokeError, Invoker},
    poller::{Mapping, Poller},
    report::Reporter,
    sqs::{QueueServer, queue_arn},
    template::{DeadLetter, Queue},
    tool_env::ToolEnv,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Fails what says "fail", and the whole call for "crash"; remembers what it saw.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

#[async_trait]
impl Invoker for Recorder {
    async fn invoke(&self, _: &str, payload: Bytes, _: Duration) -> Result<Bytes, InvokeError> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let mut failures = vec![];
        for record in event["Records"].as_array().unwrap() {
            let body = record["body"].as_str().unwrap();
            self.0.lock().unwrap().push(body.to_owned());
            match body {
                "crash" => return Err(InvokeError::Crashed("on request".to_owned())),
                "fail" => failures.push(json!({ "itemIdentifier": record["messageId"] })),
                _ => {}
            }
        }
        Ok(json!({ "batchItemFailures": failures }).to_string().into())
    }
}

impl Recorder {
    fn seen(&self) -> Vec<String> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        seen.sort();
        seen
    }

    async fn wait_for(&self, expected: &[&str]) {
        let started = Instant::now();
        while self.seen() != expected {
            assert!(started.elapsed() < Duration::from_secs(20), "{:?} instead of {expected:?}", self.seen());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

struct Setup {
    server: QueueServer,
    recorder: Arc<Recorder>,
    _poller: Poller,
    _logs: TempDir,
}

impl Setup {
    async fn send(&self, body: &str) {
        let url = self.server.queue_url("Work").unwrap();
        self.server.client().send_message().queue_url(url).message_body(body).send().await.unwrap();
    }

    /// Waiting and hidden messages of a queue.
    async fn left(&self, queue: &str) -> (String, String) {
        use aws_sdk_sqs::types::QueueAttributeName::{
            All, ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible,
        };
        let url = self.server.queue_url(queue).unwrap();
        let answer = self.server.client().get_queue_attributes().queue_url(url).attribute_names(All).send().await;
        let attributes = answer.unwrap().attributes.unwrap();
        let count = |name| attributes[&name].clone();
        (count(ApproximateNumberOfMessages), count(ApproximateNumberOfMessagesNotVisible))
    }
}

async fn setup(visibility: Duration, redeliver_every: Option<u32>) -> Setup {
    let tools = tokio::task::spawn_blocking(|| ToolEnv::prepare(&workspace_root().unwrap().join(".dev"), &|_| {}))
        .await
        .unwrap()
        .unwrap();
    let logs = tempfile::tempdir().unwrap();
    let queues = [
        Queue { name: "Dead".to_owned(), visibility_timeout: Duration::from_secs(30), dead_letter: None },
        Queue {
            name: "Work".to_owned(),
            visibility_timeout: visibility,
            dead_letter: Some(DeadLetter { queue: "Dead".to_owned(), max_receive_count: 2 }),
        },
    ];
    let server = QueueServer::start(&tools, &queues, logs.path()).await.unwrap();
    let recorder = Arc::new(Recorder::default());
    let mapping = Mapping {
        queue_url: server.queue_url("Work").unwrap().to_owned(),
        queue_arn: queue_arn("Work"),
        function: "work".to_owned(),
        timeout: Duration::from_secs(5),
        batch_size: 10,
        max_concurrency: 2,
        reports_item_failures: true,
        redeliver_every,
    };
    let poller = Poller::start(mapping, server.client().clone(), recorder.clone(), Reporter::silent());
    Setup { server, recorder, _poller: poller, _logs: logs }
}

#[tokio::test]
async fn delivers_again_what_failed_until_it_is_dead() {
    let setup = setup(Duration::from_secs(1), None).await;
    setup.send("fine").await;
    setup.send("fail").await;
    setup.recorder.wait_for(&["fail", "fail", "fine"]).await;
    let started = Instant::now();
    while setup.left("Dead").await.0 != "1" {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing reached the dead-letter queue");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(setup.left("Work").await, ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_crash_leaves_the_messages_hidden() {
    let setup = setup(Duration::from_secs(60), None).await;
    setup.send("crash").await;
    setup.recorder.wait_for(&["crash"]).await;
    assert_eq!(setup.left("Work").await, ("0".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn survives_a_restart_of_the_queue_server() {
    let setup = setup(Duration::from_secs(60), None).await;
    setup.send("before").await;
    setup.recorder.wait_for(&["before"]).await;
    let endpoint = setup.server.endpoint();
    setup.server.stop().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    setup.server.restart().await.unwrap();
    assert_eq!(setup.server.endpoint(), endpoint);
    setup.send("since").await;
    setup.recorder.wait_for(&["before", "since"]).await;
}

#[tokio::test]
async fn delivers_twice_on_purpose() {
    let setup = setup(Duration::from_secs(60), Some(1)).await;
    setup.send("a").await;
    setup.recorder.wait_for(&["a", "a"]).await;
    setup.send("b").await;
    setup.recorder.wait_for(&["a", "a", "b", "b"]).await;
}

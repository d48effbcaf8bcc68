//! Plays the queue of a test installation: takes every message, and tells what was announced.

use serde_json::{Value, json};
use shared_testing::vendor::{FakeVendor, Reply};

/// A queue server that speaks the JSON protocol of SQS.
pub struct TestQueue {
    server: FakeVendor,
}

impl TestQueue {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let server = FakeVendor::start().await;
        server.on(
            "POST",
            "/",
            Reply::computed(|request| {
                let taken =
                    |entry: &Value| json!({"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""});
                let taken: Vec<Value> = entries(&request.json()).iter().map(taken).collect();
                Reply::json(&json!({"Successful": taken, "Failed": []}))
                    .with_header("content-type", "application/x-amz-json-1.0")
            }),
        );
        Self { server }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Ids of the rows that were announced so far, in order.
    pub fn announced(&self) -> Vec<String> {
        let requests = self.server.requests();
        let bodies = requests.iter().flat_map(|request| entries(&request.json()));
        bodies
            .map(|entry| {
                let body = entry["MessageBody"].as_str().expect("a message has a body");
                let message: Value = serde_json::from_str(body).expect("a message is JSON");
                message["id"].as_str().expect("a message names a row").to_owned()
            })
            .collect()
    }
}

fn entries(request: &Value) -> Vec<Value> {
    request["Entries"].as_array().cloned().unwrap_or_default()
}

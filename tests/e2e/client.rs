//! A person in front of the API.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use local_dev::{
    secrets::SECRETS_FILE,
    stack::{LOG_DIR, Stack, StackOptions},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::place::Place;

/// A running system and somebody who is signed in.
pub(crate) struct Session {
    pub(crate) stack: Stack,
    http: reqwest::Client,
    token: String,
    data: TempDir,
    _place: Place,
}

/// How long anything may take before a test gives up; machines can be slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The password of the first admin.
const PASSWORD: &str = "correct horse battery";
/// The key that providers are stored with.
const PROVIDER_KEY: &str = "sk-test-0123456789abcdef";

/// Short leases and pauses, so that recovery is quick enough for a test.
pub(crate) const IMPATIENT: [(&str, &str); 3] =
    [("EXECUTION_LEASE_SECONDS", "2"), ("EXECUTION_RETRY_BASE_MS", "100"), ("EXECUTION_MAX_ATTEMPTS", "6")];

impl Session {
    /// Starts a system whose vendors are at `vendor_url` (the demo provider when absent) and registers the first admin.
    pub(crate) async fn start(vendor_url: Option<String>, adjust: impl FnOnce(&mut StackOptions)) -> Self {
        Self::start_at(Place::of_this_run().await, vendor_url, adjust).await
    }

    /// The same, with its data at this place.
    pub(crate) async fn start_at(
        place: Place,
        vendor_url: Option<String>,
        adjust: impl FnOnce(&mut StackOptions),
    ) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut options = StackOptions::quiet(data.path()).expect("the workspace is found");
        options.env.extend(IMPATIENT.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if let Some(url) = vendor_url {
            options.demo = None;
            let variables = ["OLLAMA_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"];
            options.env.extend(variables.map(|name| (name.to_owned(), url.clone())));
        }
        place.apply(&mut options);
        adjust(&mut options);
        let stack = Stack::start(options).await.expect("the system starts");
        let http = shared_core::outbound::client(|builder| builder.timeout(PATIENCE)).expect("a client");
        let mut session = Self { stack, http, token: String::new(), data, _place: place };
        let admin = json!({"email": "ada@example.com", "name": "Ada", "password": PASSWORD});
        let registered = session.post("/api/v1/auth/register-first-admin", &admin).await;
        session.token = registered["token"].as_str().expect("a token").to_owned();
        session
    }

    /// POSTs and gives `data` of a successful answer.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_post(path, body).await;
        assert_eq!(status, 201, "{path}: {answer}");
        answer["data"].clone()
    }

    /// POSTs and gives status and body, whatever they are.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.stack.base_url());
        let mut request = self.http.post(url).json(body);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let response = request.send().await.expect("the gateway answers");
        (response.status().as_u16(), response.json().await.expect("a JSON body"))
    }

    /// GETs and gives `data` of a successful answer.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.stack.base_url());
        let response = self.http.get(url).bearer_auth(&self.token).send().await.expect("the gateway answers");
        let status = response.status().as_u16();
        let body: Value = response.json().await.expect("a JSON body");
        assert_eq!(status, 200, "{path}: {body}");
        body["data"].clone()
    }

    /// Stores a key for a provider.
    pub(crate) async fn add_provider(&self, provider: &str) {
        let data = json!({"provider": provider, "api_key": PROVIDER_KEY});
        self.post("/api/v1/settings", &json!({"type": "llm-api-key", "data": data})).await;
    }

    /// Creates executions of a plain text and gives their ids.
    pub(crate) async fn run_text(&self, text: &str, targets: &[&str]) -> Vec<String> {
        self.run(&json!({"promptText": text, "providerModel": targets})).await
    }

    /// Creates executions and gives their ids.
    pub(crate) async fn run(&self, body: &Value) -> Vec<String> {
        let created = self.post("/api/v1/executions", body).await;
        let ids = created["executionIds"].as_array().expect("a list of ids");
        ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
    }

    /// Polls an execution until it has ended.
    pub(crate) async fn wait_for_end(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let execution = self.get(&format!("/api/v1/executions/{id}")).await;
            if ["completed", "failed"].iter().any(|status| execution["status"] == *status) {
                return execution;
            }
            assert!(started.elapsed() < PATIENCE, "still not ended: {execution}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the system and looks into everything that its processes have left: database and logs hold no secret, and the
    /// logs none of these texts.
    pub(crate) async fn end_and_search(self, texts: &[&str]) {
        self.stack.shutdown().await;
        let own = std::fs::read_to_string(self.data.path().join(SECRETS_FILE)).expect("the system has secrets");
        let own: Vec<&str> = own.lines().filter_map(|line| line.split_once('=')).map(|(_, secret)| secret).collect();
        assert_eq!(own.len(), 3);
        let secrets = [&[PASSWORD, PROVIDER_KEY, &self.token][..], &own].concat();
        let mut lines = 0;
        for file in files_below(self.data.path()) {
            let stored = std::fs::read(&file).expect("a readable file");
            let stored = String::from_utf8_lossy(&stored);
            let is_log = file.starts_with(self.data.path().join(LOG_DIR));
            lines += if is_log { stored.lines().count() } else { 0 };
            let hidden = secrets.iter().chain(texts.iter().filter(|_| is_log));
            for text in hidden.filter(|_| !file.ends_with(SECRETS_FILE)) {
                assert!(!stored.contains(text), "{text} stands in {}", file.display());
            }
        }
        assert!(lines > 10, "hardly anything was logged: {lines} lines");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

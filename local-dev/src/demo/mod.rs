//! A model server without a model: speaks Ollama's wire format, and Voyage AI's for embeddings, and answers
//! deterministically.

mod embeddings;
mod instance;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{Response, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The models that the server claims to have. The second always answers with JSON.
pub const MODELS: [&str; 2] = ["demo:latest", "demo:json"];

/// A running demo server. Dropping it stops it.
#[derive(Debug)]
pub struct DemoProvider {
    address: SocketAddr,
    calls: Arc<Calls>,
    server: JoinHandle<()>,
}

/// One call of `/api/generate`.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When it arrived.
    pub at: Instant,
    /// The prompt it brought.
    pub prompt: String,
}

#[derive(Debug)]
struct Calls {
    delay: Duration,
    arrivals: Mutex<Vec<Arrival>>,
}

#[derive(Deserialize)]
struct GenerateRequest {
    model: String,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    format: Option<Value>,
    /// Ollama streams unless told otherwise.
    stream: Option<bool>,
}

impl DemoProvider {
    /// Starts the server on 127.0.0.1, on a free port unless one is given.
    ///
    /// Every answer takes `delay`.
    pub async fn start(port: Option<u16>, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await;
        let listener = listener.context("the demo model server finds no port")?;
        let address = listener.local_addr()?;
        let calls = Arc::new(Calls { delay, arrivals: Mutex::default() });
        let router = Router::new()
            .route("/", get(|| async { "Ollama is running" }))
            .route("/api/version", get(|| async { Json(json!({ "version": "0.0.0-demo" })) }))
            .route("/api/tags", get(tags))
            .route("/api/generate", post(generate))
            .route("/v1/embeddings", post(embeddings::embed))
            .layer(DefaultBodyLimit::disable())
            .with_state(calls.clone());
        let server = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, calls, server })
    }

    /// Base URL for `OLLAMA_BASE_URL` and `VOYAGEAI_BASE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far, oldest first.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.calls.lock().clone()
    }

    /// Forgets the calls so far.
    pub fn forget_arrivals(&self) {
        self.calls.lock().clear();
    }
}

impl Drop for DemoProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tags() -> Json<Value> {
    let models: Vec<Value> = MODELS
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "model": name,
                "modified_at": "2026-01-01T00:00:00Z",
                "size": 0,
                "digest": "",
                "details": { "format": "demo", "family": "demo", "parameter_size": "0", "quantization_level": "" },
            })
        })
        .collect();
    Json(json!({ "models": models }))
}

async fn generate(State(calls): State<Arc<Calls>>, Json(request): Json<GenerateRequest>) -> Response<Body> {
    let started = Instant::now();
    calls.lock().push(Arrival { at: started, prompt: request.prompt.clone() });
    if !MODELS.contains(&request.model.as_str()) {
        let body = json!({ "error": format!("model '{}' not found", request.model) });
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    }
    tokio::time::sleep_until((started + calls.delay).into()).await;
    let text = answer(&request);
    let done = json!({
        "model": request.model,
        "created_at": Utc::now().to_rfc3339(),
        "response": text,
        "done": true,
        "done_reason": "stop",
        "context": [],
        "total_duration": nanoseconds(started.elapsed()),
        "load_duration": 0,
        "prompt_eval_count": words(&request.prompt),
        "prompt_eval_duration": 0,
        "eval_count": words(&text),
        "eval_duration": nanoseconds(calls.delay),
    });
    if request.stream == Some(false) {
        return Json(done).into_response();
    }
    let part = json!({
        "model": done["model"],
        "created_at": done["created_at"],
        "response": text,
        "done": false,
    });
    let mut last = done;
    last["response"] = json!("");
    ([(header::CONTENT_TYPE, "application/x-ndjson")], format!("{part}\n{last}\n")).into_response()
}

/// What the demo model says: the same for the same request, and recognisably made from the prompt.
fn answer(request: &GenerateRequest) -> String {
    match &request.format {
        Some(schema @ (Value::Object(_) | Value::Bool(_))) => instance::satisfying(schema).to_string(),
        Some(Value::String(format)) if format == "json" => json!({ "answer": request.prompt }).to_string(),
        _ if request.model == MODELS[1] => json!({ "answer": request.prompt }).to_string(),
        _ => format!("Demo answer to: {}", request.prompt),
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> reqwest::Client {
        shared_core::outbound::client(|builder| builder.no_proxy()).unwrap()
    }

    #[tokio::test]
    async fn quotes_the_prompt_and_counts_words() {
        let demo = DemoProvider::start(None, Duration::from_millis(30)).await.unwrap();
        let body = json!({ "model": "demo:latest", "prompt": "two words", "stream": false });
        let started = Instant::now();
        let answer = client().post(format!("{}/api/generate", demo.url())).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(30));
        assert_eq!(answer["response"], "Demo answer to: two words");
        assert_eq!((&answer["prompt_eval_count"], &answer["eval_count"]), (&json!(2), &json!(5)));
        let arrivals = demo.arrivals();
        assert_eq!(arrivals.len(), 1);
        assert_eq!(arrivals[0].prompt, "two words");
    }

    #[tokio::test]
    async fn an_unknown_model_is_refused_and_the_known_ones_are_listed() {
        let demo = DemoProvider::start(None, Duration::ZERO).await.unwrap();
        let body = json!({ "model": "llama3", "prompt": "x", "stream": false });
        let answer = client().post(format!("{}/api/generate", demo.url())).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 404);
        let tags: Value = client().get(format!("{}/api/tags", demo.url())).send().await.unwrap().json().await.unwrap();
        assert_eq!(tags["models"][0]["name"], "demo:latest");
    }

    #[tokio::test]
    async fn streams_unless_told_otherwise() {
        let demo = DemoProvider::start(None, Duration::ZERO).await.unwrap();
        let body = json!({ "model": "demo:json", "prompt": "x" });
        let answer = client().post(format!("{}/api/generate", demo.url())).json(&body).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["response"], r#"{"answer":"x"}"#);
        assert_eq!(lines[1]["done"], true);
    }
}

//! How many requests the hot operations make to a database server, held against the table in `docs/performance.md`.

#![expect(clippy::unwrap_used, reason = "clippy takes helpers of integration tests for production code")]

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    api_keys::Scope,
    db::Statement,
    executions::{Outcome, pipeline},
    ids, jobs,
    jobs::pipeline::{self as job_pipeline, End},
    params,
};
use shared_jobs::{
    JobType,
    types::{GenerateEmbedding, WebhookDelivery},
};
use shared_testing::{hrana::HranaServer, vendor::voyageai};
use tests::{PASSWORD, TestApp};

const DOCUMENT: &str = include_str!("../../docs/performance.md");
const LEASE: Duration = Duration::from_secs(30);

/// Counts the requests that reach the server during each operation.
struct Meter {
    server: HranaServer,
    measured: Vec<(String, usize)>,
}

impl Meter {
    async fn measure<T>(&mut self, operation: &str, work: impl Future<Output = T>) -> T {
        let before = self.server.requests();
        // On the heap: the compiler gives up on so many futures inside each other.
        let done = Box::pin(work).await;
        self.measured.push((operation.to_owned(), self.server.requests() - before));
        done
    }
}

/// The rows of the document's table: operation and number.
fn documented() -> Vec<(String, usize)> {
    let table = DOCUMENT.split("## Round trips").nth(1).expect("a section").split("\n## ").next().unwrap_or_default();
    let cells = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
    });
    cells.collect()
}

fn first_id(created: &Value) -> String {
    created["executionIds"][0].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hot_operations_make_as_many_round_trips_as_the_document_says() {
    let (app, token, _queue, server) = TestApp::at_server().await;
    let mut meter = Meter { server, measured: Vec::new() };
    api_operations(&app, &token, &mut meter).await;
    executions(&app, &token, &mut meter).await;
    whole_executions(&app, &token, &mut meter).await;
    webhooks(&app, &token, &mut meter).await;
    embeddings(&app, &token, &mut meter).await;
    assert_eq!(meter.measured, documented(), "left: measured, right: docs/performance.md");
}

async fn api_operations(app: &TestApp, token: &str, meter: &mut Meter) {
    let login = json!({"email": "admin@example.com", "password": PASSWORD});
    let sign_in = app.call("POST", "/api/v1/auth/login").json(&login).send();
    meter.measure("sign in", sign_in).await.data(200);
    let prompt = json!({"name": "greeting", "prompt": "Say hello"});
    let prompt = app.post("/api/v1/prompts", token, &prompt).send().await.data(201);
    meter.measure("list prompts", app.get("/api/v1/prompts", token).send()).await.data(200);

    let run = json!({"promptId": prompt["id"], "userInput": "hello", "providerModel": ["ollama:demo:latest"]});
    let created = meter.measure("create an execution", app.post("/api/v1/executions", token, &run).send()).await;
    let path = format!("/api/v1/executions/{}", first_id(&created.data(201)));
    meter.measure("read an execution", app.get(&path, token).send()).await.data(200);
    let key = app.add_api_key("admin@example.com", &[Scope::ExecutionsRead]).await;
    let with_key = app.call("GET", &path).api_key(&key).send();
    meter.measure("read an execution, with an API key", with_key).await.data(200);
    meter.measure("list executions", app.get("/api/v1/executions", token).send()).await.data(200);
    assert_eq!(app.delete(&path, token).send().await.status.as_u16(), 204);
}

async fn create(app: &TestApp, token: &str, model: &str) -> String {
    let run = json!({"promptText": "Say hello", "userInput": "hello", "providerModel": [model]});
    first_id(&app.post("/api/v1/executions", token, &run).send().await.data(201))
}

/// Each step of the pipeline by itself.
async fn executions(app: &TestApp, token: &str, meter: &mut Meter) {
    let (db, now) = (&app.db, Timestamp::now());
    let id = create(app, token, "ollama:demo:latest").await;
    let again = Statement::new("UPDATE executions SET dispatched_at = NULL WHERE id = ?1", params![&id]);
    db.write(vec![again]).await.unwrap();
    let dispatched = meter.measure("dispatch", pipeline::dispatch(db, ProviderName::Ollama, now)).await;
    assert_eq!(dispatched.unwrap(), [id.as_str()]);
    let claim = meter.measure("claim", pipeline::claim(db, &id, LEASE, 4, now)).await.unwrap().expect("it waits");
    assert!(meter.measure("heartbeat", pipeline::extend(db, &claim, LEASE, now)).await.unwrap());
    let retried = meter.measure("retry", pipeline::retry_at(db, &claim, "busy", now, now)).await;
    assert!(retried.unwrap());
    let next = meter.measure("claim the next", pipeline::claim_next(db, ProviderName::Ollama, LEASE, now)).await;
    let claim = next.unwrap().expect("it waits again");
    let outcome = Outcome::Failed("no".into());
    assert!(meter.measure("finish", pipeline::finish(db, &claim, &outcome, now)).await.unwrap());
}

/// What a message leads to, from the claim to the look for more work.
async fn whole_executions(app: &TestApp, token: &str, meter: &mut Meter) {
    // The first call of a vendor also fetches its list of models.
    let warm = create(app, token, "openai:gpt-4.1").await;
    app.work_on(&warm, Duration::ZERO).await;
    for (operation, model) in
        [("run an execution on Ollama", "ollama:demo:latest"), ("run an execution elsewhere", "openai:gpt-4.1")]
    {
        let prompt = json!({"name": operation, "prompt": "Say hello"});
        let prompt = app.post("/api/v1/prompts", token, &prompt).send().await.data(201);
        let run = json!({"promptId": prompt["id"], "userInput": "hello", "providerModel": [model]});
        let id = first_id(&app.post("/api/v1/executions", token, &run).send().await.data(201));
        meter.measure(operation, app.work_on(&id, Duration::from_secs(60))).await;
        let execution = app.get(&format!("/api/v1/executions/{id}"), token).send().await.data(200);
        assert_eq!(execution["status"], "completed", "{execution}");
    }
}

async fn insert_job(db: &Db, job: &impl JobType) -> String {
    let id = ids::new_id();
    db.write(vec![jobs::insert(&id, &job.to_job(), Timestamp::now())]).await.unwrap();
    id
}

async fn webhooks(app: &TestApp, token: &str, meter: &mut Meter) {
    let data = json!({"name": "hook", "url": format!("{}/hook", app.receiver.url())});
    let body = json!({"type": "webhook-destination", "data": data});
    let hook = app.post("/api/v1/settings", token, &body).send().await.data(201);
    let delivery: WebhookDelivery =
        serde_json::from_value(json!({"webhookId": hook["id"], "data": {"event": "test"}})).expect("a delivery");
    let (db, kind) = (&app.db, WebhookDelivery::KIND.name);

    let id = insert_job(db, &delivery).await;
    // Not before: it would not be due.
    let now = Timestamp::now();
    let claim = meter.measure("claim a webhook", job_pipeline::claim(db, kind, &id, LEASE, now)).await;
    let claim = claim.unwrap().expect("it is due");
    let end = End::Completed(None);
    let finish = job_pipeline::finish(db, &claim, &end, Some(204), Vec::new(), now);
    assert!(meter.measure("finish a webhook", finish).await.unwrap());

    let id = insert_job(db, &delivery).await;
    meter.measure("deliver a webhook", app.webhook_message(&id)).await;
    assert_eq!(app.receiver.requests_to("POST", "/hook").len(), 1);
}

async fn embeddings(app: &TestApp, token: &str, meter: &mut Meter) {
    app.vendor.on("POST", "/v1/embeddings", voyageai::embedded(&[vec![0.25, -0.5]]));
    let key = json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": "x"}});
    app.post("/api/v1/settings", token, &key).send().await.data(201);
    let body = json!({"name": "texts", "model": "voyage-3-large"});
    app.post("/api/v1/deployment-embeddings", token, &body).send().await.data(201);
    let run = json!({"inputs": ["hello"]});
    app.post("/api/v1/deployment-embeddings/run/texts", token, &run).send().await.data(201);
    let sql = "SELECT id FROM jobs WHERE type = ?1";
    let rows = app.db.read(sql, params![GenerateEmbedding::KIND.name]).await.unwrap();
    let id: String = rows.first().expect("a job").get("id").unwrap();
    meter.measure("compute embeddings", app.embed(&id)).await;
    let sql = "SELECT status FROM jobs WHERE id = ?1";
    let rows = app.db.read(sql, params![&id]).await.unwrap();
    assert_eq!(rows.first().unwrap().get::<String>("status").unwrap(), "completed");
}

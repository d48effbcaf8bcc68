//! New functions over a database that has not been migrated yet: nothing is served, nothing is touched, nothing is lost.

use serde_json::{Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    db::{DbError, Statement},
    executions::{ExecutionStatus, NewExecutions, Origin, Source, Target, create, pipeline},
    migrations::NEEDED_VERSION,
    params,
};
use shared_jobs::{Function, JobMessage, run_batch};
use tests::{CaughtLog, TestApp, invocation, redacted};

async fn write(db: &Db, sql: &'static str) {
    db.write(vec![Statement::new(sql, params![])]).await.expect("the database answers");
}

async fn apply_the_newest_migration(db: &Db) {
    let record = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, 'newest', '', '')";
    db.write(vec![Statement::new(record, params![NEEDED_VERSION])]).await.expect("the migration was missing");
}

/// Calls that need the database, with and without credentials.
async fn answers(app: &TestApp) -> Vec<(u16, Value)> {
    let login = json!({"email": "ada@example.com", "password": "correct horse"});
    let key = format!("api_{}", "0".repeat(64));
    let mut answers = Vec::new();
    for call in [
        app.call("GET", "/api/v1/auth/check"),
        app.call("POST", "/api/v1/auth/login").json(&login),
        app.call("GET", "/api/v1/prompts/recent").api_key(&key),
    ] {
        let answer = call.send().await;
        answers.push((answer.status.as_u16(), answer.json()));
    }
    answers
}

#[tokio::test]
async fn operations_answer_503_until_the_database_is_migrated() {
    let (app, db) = TestApp::before_the_newest_migration().await;
    let log = CaughtLog::start();
    for (status, body) in answers(&app).await {
        let message =
            "the database has not been migrated to this version yet; try again when the deployment is through";
        assert_eq!((status, body), (503, json!({"data": {"error": "Service Unavailable", "message": message}})));
    }
    let line = log.take().remove(0);
    let cause =
        format!("the database has schema version {}, and this build needs {NEEDED_VERSION}", NEEDED_VERSION - 1);
    assert!(line["error"].as_str().is_some_and(|error| error.starts_with(&cause)), "{line}");

    apply_the_newest_migration(&db).await;
    let statuses: Vec<u16> = answers(&app).await.into_iter().map(|(status, _)| status).collect();
    assert!(!statuses.contains(&503), "{statuses:?}");
}

#[tokio::test]
async fn health_says_that_the_database_is_outdated() {
    let (app, db) = TestApp::before_the_newest_migration().await;
    let health = async || {
        let answer = app.call("GET", "/api/health").send().await;
        (answer.status.as_u16(), redacted(&answer.json()))
    };
    let (status, body) = health().await;
    assert_eq!((status, &body["status"], &body["database"]), (503, &json!("unhealthy"), &json!("outdated")));
    apply_the_newest_migration(&db).await;
    assert_eq!(health().await.1["database"], "ok");
}

#[tokio::test]
async fn what_needs_no_database_is_answered_as_ever() {
    let (app, _db) = TestApp::before_the_newest_migration().await;
    assert_eq!(app.call("GET", "/api/json-schema").send().await.status.as_u16(), 200);
    assert_eq!(app.call("GET", "/api/v1/prompts").send().await.bare(401), "Unauthorized");
}

/// Records an execution as an older function would have done.
async fn waiting_execution(db: &Db) -> String {
    write(
        db,
        "INSERT INTO settings (id, data, created_at, updated_at) VALUES ('s', json_object('type', 'llm-api-key',
            'identifier', 'ollama', 'provider', 'ollama', 'api_key', 'x', 'active', json('true')), '', '')",
    )
    .await;
    let new = NewExecutions {
        source: Source::Text("Say hello".into()),
        user_input: String::new(),
        targets: vec![Target { provider: "ollama".into(), model: "demo:latest".into() }],
        options: None,
        trace_id: None,
        file_id: None,
        origin: Origin::App,
        webhook_destination_ids: Vec::new(),
    };
    let id = create(db, new, Timestamp::now()).await.expect("the execution is recorded").ids.remove(0);
    pipeline::dispatch(db, ProviderName::Ollama, Timestamp::now()).await.expect("the database answers");
    id
}

/// How many of two messages about this row the function leaves in the queue.
async fn left_by(function: &impl Function, id: &str) -> usize {
    let record = |name: &str| json!({"messageId": name, "body": json!({"id": id}).to_string()});
    let batch = serde_json::from_value(json!({"Records": [record("first"), record("second")]})).expect("an event");
    let invocation = invocation();
    // On the heap: the compiler gives up on so many futures inside each other.
    let run = Box::pin(run_batch(batch, |message: JobMessage| Box::pin(function.handle(message, &invocation))));
    run.await.batch_item_failures.len()
}

#[tokio::test]
async fn job_functions_leave_their_messages() {
    let (app, db) = TestApp::before_the_newest_migration().await;
    let id = waiting_execution(&db).await;
    let log = CaughtLog::start();
    assert_eq!(left_by(&app.worker, &id).await, 2);
    assert_eq!(left_by(&app.webhooks, &id).await, 2);
    assert_eq!(left_by(&app.embedder, &id).await, 2);
    let lines = log.take();
    assert_eq!(lines.len(), 6, "{lines:?}");
    for line in lines {
        assert_eq!(line["message"], "message failed and will come again");
        assert!(line["error"].as_str().is_some_and(|error| error.contains("run the migrations")), "{line}");
    }
    assert_eq!(pipeline::progress(&db, &id).await.unwrap(), Some((ExecutionStatus::Pending, 0)), "not touched");

    apply_the_newest_migration(&db).await;
    assert_eq!(left_by(&app.worker, &id).await, 0);
    assert!(pipeline::progress(&db, &id).await.unwrap().is_some_and(|(_, attempts)| attempts > 0));
}

#[tokio::test]
async fn maintenance_waits_for_the_migrations() {
    let (app, db) = TestApp::before_the_newest_migration().await;
    let log = CaughtLog::start();
    let round = app.maintenance.run(Timestamp::now(), None).await;
    assert!(matches!(round, Err(DbError::OldSchema { .. })), "{round:?}");
    let lines = log.take();
    assert_eq!(lines.len(), 1, "one line, not one for each duty: {lines:?}");
    assert_eq!(lines[0]["message"], "no round before the migrations");
    apply_the_newest_migration(&db).await;
    app.maintenance.run(Timestamp::now(), None).await.unwrap();
}

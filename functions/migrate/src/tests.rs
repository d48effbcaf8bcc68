use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode, routing::put};
use serde_json::{Value, json};
use shared_core::{
    Db,
    config::{ConfigError, DatabaseConfig},
    db::Statement,
    migrations::MIGRATIONS,
    params,
};

use super::handle;

/// Stands where CloudFormation waits for answers.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Vec<Value>>>,
    /// How many answers are refused first.
    refusals: Arc<Mutex<u32>>,
}

impl Receiver {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/answer?signature=secret", listener.local_addr().unwrap());
        let router = Router::new().route("/answer", put(Self::take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn take(State(receiver): State<Self>, headers: axum::http::HeaderMap, body: String) -> StatusCode {
        // The signature of the real address covers an empty content type.
        if headers.contains_key("content-type") {
            return StatusCode::FORBIDDEN;
        }
        let mut refusals = receiver.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        receiver.answers.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        StatusCode::OK
    }

    fn answers(&self) -> Vec<Value> {
        self.answers.lock().unwrap().clone()
    }
}

fn database() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Db::new(&DatabaseConfig::File(folder.path().join("test.db"))), folder)
}

fn request(kind: &str, url: &str) -> Value {
    json!({
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/prompts/1",
        "RequestId": "a-request",
        "LogicalResourceId": "Migrations",
        "ResourceType": "Custom::Migrations",
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:migrate",
        "ResourceProperties": {"Version": "1"},
    })
}

fn all() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap()
}

#[tokio::test]
async fn a_plain_call_answers_what_it_applied() {
    let (db, _folder) = database();
    let first = handle(Ok(&db), json!({})).await.unwrap();
    assert_eq!(first["applied"].as_array().unwrap().len(), MIGRATIONS.len());
    assert_eq!(handle(Ok(&db), json!({})).await.unwrap(), json!({"applied": []}));
    let problem = ConfigError(vec!["DATABASE_URL is not set".to_owned()]);
    assert!(handle(Err(&problem), json!({})).await.unwrap_err().to_string().contains("DATABASE_URL"));
}

#[tokio::test]
async fn a_deployment_gets_the_schema_and_hears_of_it() {
    let (db, _folder) = database();
    let receiver = Receiver::default();
    let url = receiver.start().await;
    handle(Ok(&db), request("Create", &url)).await.unwrap();
    assert_eq!(db.schema_version().await.unwrap(), all());
    let expected = json!({
        "Status": "SUCCESS",
        "PhysicalResourceId": "database-schema",
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/prompts/1",
        "RequestId": "a-request",
        "LogicalResourceId": "Migrations",
    });
    assert_eq!(receiver.answers(), [expected]);
}

#[tokio::test]
async fn an_update_keeps_the_id_of_the_resource() {
    let (db, _folder) = database();
    let receiver = Receiver::default();
    let mut update = request("Update", &receiver.start().await);
    update["PhysicalResourceId"] = json!("what-it-was-called-before");
    handle(Ok(&db), update.clone()).await.unwrap();
    // CloudFormation may ask twice.
    handle(Ok(&db), update).await.unwrap();
    for answer in receiver.answers() {
        let (status, id) = (&answer["Status"], &answer["PhysicalResourceId"]);
        assert_eq!((status, id), (&json!("SUCCESS"), &json!("what-it-was-called-before")));
    }
    assert_eq!(receiver.answers().len(), 2);
}

#[tokio::test]
async fn deleting_the_stack_leaves_the_database_alone() {
    let (db, _folder) = database();
    let receiver = Receiver::default();
    let url = receiver.start().await;
    handle(Ok(&db), request("Delete", &url)).await.unwrap();
    let problem = ConfigError(vec!["DATABASE_URL is not set".to_owned()]);
    handle(Err(&problem), request("Delete", &url)).await.unwrap();
    assert_eq!(db.schema_version().await.unwrap(), 0);
    assert!(receiver.answers().iter().all(|answer| answer["Status"] == "SUCCESS"));
    assert_eq!(receiver.answers().len(), 2);
}

#[tokio::test]
async fn a_failure_stops_the_deployment_with_its_reason() {
    let (db, _folder) = database();
    // In the way of the first migrations: the record of what was applied has another form.
    db.write(vec![Statement::new("CREATE TABLE schema_migrations (other TEXT)", params![])]).await.unwrap();
    let receiver = Receiver::default();
    let url = receiver.start().await;
    handle(Ok(&db), request("Create", &url)).await.unwrap();
    let problem = ConfigError(vec!["DATABASE_URL is not set".to_owned(), "x".repeat(10_000)]);
    handle(Err(&problem), request("Create", &url)).await.unwrap();
    let [failed, unconfigured] = &receiver.answers()[..] else { panic!("two answers") };
    assert_eq!(failed["Status"], "FAILED");
    assert!(failed["Reason"].as_str().unwrap().contains("record of migrations"), "{failed}");
    assert_eq!(unconfigured["Status"], "FAILED");
    assert!(unconfigured["Reason"].as_str().unwrap().contains("DATABASE_URL is not set"), "{unconfigured}");
    assert!(unconfigured.to_string().len() < 4_096);
}

#[tokio::test]
async fn a_rollback_is_content_with_a_newer_database() {
    let (db, _folder) = database();
    handle(Ok(&db), json!({})).await.unwrap();
    let newer =
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, '9999_later', 'x', 'x')";
    db.write(vec![Statement::new(newer, params![])]).await.unwrap();
    let receiver = Receiver::default();
    let url = receiver.start().await;
    handle(Ok(&db), request("Update", &url)).await.unwrap();
    assert_eq!(receiver.answers()[0]["Status"], "SUCCESS");
    // A person who calls it wants to know.
    assert!(handle(Ok(&db), json!({})).await.unwrap_err().to_string().contains("9999_later"));
}

#[tokio::test]
async fn an_answer_that_does_not_arrive_is_sent_again() {
    let (db, _folder) = database();
    let receiver = Receiver { refusals: Arc::new(Mutex::new(2)), ..Receiver::default() };
    let url = receiver.start().await;
    handle(Ok(&db), request("Create", &url)).await.unwrap();
    assert_eq!(receiver.answers().len(), 1);

    *receiver.refusals.lock().unwrap() = 3;
    let error = handle(Ok(&db), request("Create", &url)).await.unwrap_err().to_string();
    assert!(error.contains("503") && !error.contains("signature"), "{error}");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_an_error() {
    let (db, _folder) = database();
    let error = handle(Ok(&db), json!({"ResponseURL": "http://127.0.0.1:9", "RequestType": "Invent"})).await;
    assert!(error.unwrap_err().to_string().contains("Invent"));
}

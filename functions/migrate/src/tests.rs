use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode, routing::put};
use serde_json::{Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    config::{ConfigError, DatabaseConfig, EncryptionKey},
    db::Statement,
    migrations::MIGRATIONS,
    params,
    secret::KeyRing,
    secrets::Cipher,
    settings::{self, NewSetting},
};

use super::{Config, handle};

fn no_key() -> ConfigError {
    ConfigError(vec!["ENCRYPTION_KEY is not set".to_owned()])
}

fn with(db: &Db) -> Config {
    Config { database: Ok(db.clone()), cipher: Err(no_key()) }
}

fn without(problem: &ConfigError) -> Config {
    Config { database: Err(problem.clone()), cipher: Err(no_key()) }
}

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
    let first = handle(&with(&db), json!({}), None).await.unwrap();
    assert_eq!(first["applied"].as_array().unwrap().len(), MIGRATIONS.len());
    assert_eq!(handle(&with(&db), json!({}), None).await.unwrap(), json!({"applied": []}));
    let problem = ConfigError(vec!["DATABASE_URL is not set".to_owned()]);
    assert!(handle(&without(&problem), json!({}), None).await.unwrap_err().to_string().contains("DATABASE_URL"));
}

#[tokio::test]
async fn a_deployment_gets_the_schema_and_hears_of_it() {
    let (db, _folder) = database();
    let receiver = Receiver::default();
    let url = receiver.start().await;
    handle(&with(&db), request("Create", &url), None).await.unwrap();
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
    handle(&with(&db), update.clone(), None).await.unwrap();
    // CloudFormation may ask twice.
    handle(&with(&db), update, None).await.unwrap();
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
    handle(&with(&db), request("Delete", &url), None).await.unwrap();
    let problem = ConfigError(vec!["DATABASE_URL is not set".to_owned()]);
    handle(&without(&problem), request("Delete", &url), None).await.unwrap();
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
    handle(&with(&db), request("Create", &url), None).await.unwrap();
    let problem = ConfigError(vec!["DATABASE_URL is not set".to_owned(), "x".repeat(10_000)]);
    handle(&without(&problem), request("Create", &url), None).await.unwrap();
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
    handle(&with(&db), json!({}), None).await.unwrap();
    let newer =
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, '9999_later', 'x', 'x')";
    db.write(vec![Statement::new(newer, params![])]).await.unwrap();
    let receiver = Receiver::default();
    let url = receiver.start().await;
    handle(&with(&db), request("Update", &url), None).await.unwrap();
    assert_eq!(receiver.answers()[0]["Status"], "SUCCESS");
    // A person who calls it wants to know.
    assert!(handle(&with(&db), json!({}), None).await.unwrap_err().to_string().contains("9999_later"));
}

#[tokio::test]
async fn an_answer_that_does_not_arrive_is_sent_again() {
    let (db, _folder) = database();
    let receiver = Receiver { refusals: Arc::new(Mutex::new(2)), ..Receiver::default() };
    let url = receiver.start().await;
    handle(&with(&db), request("Create", &url), None).await.unwrap();
    assert_eq!(receiver.answers().len(), 1);

    *receiver.refusals.lock().unwrap() = 3;
    let error = handle(&with(&db), request("Create", &url), None).await.unwrap_err().to_string();
    assert!(error.contains("503") && !error.contains("signature"), "{error}");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_an_error() {
    let (db, _folder) = database();
    let error = handle(&with(&db), json!({"ResponseURL": "http://127.0.0.1:9", "RequestType": "Invent"}), None).await;
    assert!(error.unwrap_err().to_string().contains("Invent"));
}

#[tokio::test]
async fn a_command_moves_secrets_to_the_first_key_and_counts() {
    let (db, _folder) = database();
    let [new, old] = [2, 1].map(|byte| EncryptionKey::new([byte; 32]));
    handle(&with(&db), json!({}), None).await.unwrap();
    let stored = NewSetting::LlmApiKey { provider: ProviderName::OpenAi, api_key: "sk-1".into(), active: true };
    settings::create(&db, &Cipher::new(&old), stored, Timestamp::now()).await.unwrap();

    let cipher = Cipher::with_keys(&KeyRing::new(new, vec![old]));
    let config = Config { cipher: Ok(cipher), ..with(&db) };
    let command = async |name: &str| handle(&config, json!({ "command": name }), None).await;
    let counted = command("count-keys").await.unwrap();
    assert_eq!((&counted["complete"], &counted["reencrypted"]), (&json!(true), &json!(0)));
    assert_eq!((&counted["keys"][0]["values"], &counted["keys"][1]["values"]), (&json!(0), &json!(1)));
    let moved = command("re-encrypt").await.unwrap();
    assert_eq!((&moved["reencrypted"], &moved["unreadable"]), (&json!(1), &json!(0)));
    assert_eq!((&moved["keys"][0]["values"], &moved["keys"][1]["values"]), (&json!(1), &json!(0)));

    assert!(command("delete-everything").await.is_err());
    let keyless = handle(&with(&db), json!({"command": "re-encrypt"}), None).await.unwrap_err().to_string();
    assert!(keyless.contains("ENCRYPTION_KEY is not set"), "{keyless}");
}

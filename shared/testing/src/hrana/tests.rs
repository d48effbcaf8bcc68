//! The protocol as its specification shows it; `shared/core/tests/storage.rs` goes on from here.

use reqwest::Client;
use serde_json::{Value, json};
use shared_core::outbound;

use super::*;

async fn started() -> (HranaServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (HranaServer::start(folder.path().join("test.db")).await, folder)
}

/// A stream as a client holds it: over HTTP, with the baton of the last answer.
struct Conversation {
    http: Client,
    url: String,
    token: &'static str,
    baton: Option<String>,
}

impl Conversation {
    fn with(server: &HranaServer, token: &'static str) -> Self {
        let http = outbound::client(|builder| builder.no_proxy()).unwrap();
        Self { http, url: server.url(), token, baton: None }
    }

    /// Sends one request on the stream; an error is a request that failed as a whole, and ends the stream.
    async fn send(&mut self, endpoint: &str, key: &str, content: Value) -> Result<String, String> {
        let body = json!({"baton": self.baton.take(), key: content}).to_string();
        let request = self.http.post(format!("{}{endpoint}", self.url)).bearer_auth(self.token).body(body);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{status}: {text}"));
        }
        let head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        self.baton = head["baton"].as_str().map(str::to_owned);
        Ok(text)
    }

    /// The answer to one request of a pipeline.
    async fn ask(&mut self, request: Value) -> Result<Value, String> {
        let text = self.send("/v3/pipeline", "requests", json!([request])).await?;
        let answer: Value = serde_json::from_str(&text).unwrap();
        Ok(answer["results"][0]["response"].clone())
    }

    async fn execute(&mut self, sql: &str) -> Result<Value, String> {
        let answer = self.ask(json!({"type": "execute", "stmt": {"sql": sql}})).await?;
        Ok(answer["result"].clone())
    }

    async fn count(&mut self) -> String {
        let result = self.execute("SELECT count(*) FROM t").await.unwrap();
        result["rows"][0][0]["value"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_interactive_transaction_lives_over_its_baton() {
    let (server, _folder) = started().await;
    let (mut writer, mut reader) = (Conversation::with(&server, ""), Conversation::with(&server, ""));
    writer.ask(json!({"type": "sequence", "sql": "CREATE TABLE t (x); INSERT INTO t VALUES (1);"})).await.unwrap();

    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(writer.execute("INSERT INTO t VALUES (2)").await.unwrap()["affected_row_count"], 1);
    assert_eq!((writer.count().await, reader.count().await), ("2".into(), "1".into()), "nobody else sees it yet");
    writer.execute("ROLLBACK").await.unwrap();
    assert_eq!(writer.count().await, "1");

    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let named = json!([{"name": "x", "value": {"type": "integer", "value": "3"}}]);
    let stmt = json!({"sql": "INSERT INTO t VALUES (:x)", "named_args": named});
    writer.ask(json!({"type": "execute", "stmt": stmt})).await.unwrap();
    writer.execute("COMMIT").await.unwrap();
    assert_eq!(reader.count().await, "2");
}

#[tokio::test]
async fn an_open_transaction_dies_with_its_stream() {
    let (mut server, _folder) = started().await;
    let mut writer = Conversation::with(&server, "");
    writer.execute("CREATE TABLE t (x)").await.unwrap();
    for ending in ["expiry", "restart"] {
        writer.execute("BEGIN IMMEDIATE").await.unwrap();
        writer.execute("INSERT INTO t VALUES (1)").await.unwrap();
        if ending == "expiry" {
            server.expire_streams();
        } else {
            server.restart().await;
        }
        let error = writer.execute("COMMIT").await.unwrap_err();
        let expected = if ending == "expiry" { "stream has expired" } else { "400 Bad Request" };
        assert!(error.contains(expected), "{error}");
        assert_eq!(writer.count().await, "0", "the writer has a new stream");
    }
}

#[tokio::test]
async fn describes_and_streams_statements() {
    let (server, _folder) = started().await;
    let mut stream = Conversation::with(&server, "");
    stream.execute("CREATE TABLE t (x INTEGER, y TEXT)").await.unwrap();
    let described = stream.ask(json!({"type": "describe", "sql": "INSERT INTO t VALUES (?1, ?2) RETURNING x"})).await;
    assert_eq!(described.unwrap()["result"]["cols"][0]["name"], "x");

    let largest = json!({"type": "integer", "value": i64::MAX.to_string()});
    let empty = json!({"type": "text", "value": ""});
    let stmt = json!({"sql": "INSERT INTO t VALUES (?1, ?2) RETURNING x, y", "args": [largest, empty]});
    let lines = stream.send("/v3/cursor", "batch", json!({"steps": [{"stmt": stmt}]})).await.unwrap();
    let entries: Vec<Value> = lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["step_begin", "row", "step_end", "replication_index"]);
    assert_eq!(entries[1]["row"], json!([largest, empty]));
    assert_eq!(entries[2]["last_insert_rowid"], 1);
}

#[tokio::test]
async fn conditions_choose_the_steps_of_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let server = HranaServer::start(folder.path().join("test.db")).await;
    let step = |condition: Value, sql: &str| json!({"condition": condition, "stmt": {"sql": sql}});
    let (ok, error) = (|n| json!({"type": "ok", "step": n}), |n| json!({"type": "error", "step": n}));
    let body = json!({"requests": [{"type": "batch", "batch": {"steps": [
        step(json!(null), "SELECT 1"),
        step(json!(null), "SELECT x FROM gone"),
        step(ok(1), "SELECT 'skipped'"),
        step(error(1), "SELECT 'runs'"),
        step(json!({"type": "not", "cond": ok(2)}), "SELECT 'runs, for step 2 was skipped'"),
        step(json!({"type": "and", "conds": [ok(0), ok(1)]}), "SELECT 'skipped'"),
        step(json!({"type": "or", "conds": [ok(0), ok(1)]}), "BEGIN"),
        step(json!({"type": "is_autocommit"}), "SELECT 'skipped'"),
    ]}}, {"type": "get_autocommit"}]});
    let answer = run::pipeline(Arc::clone(&server.state), serde_json::from_value(body).unwrap()).await.unwrap();
    let batch = &answer["results"][0]["response"]["result"];
    let ran: Vec<_> = batch["step_results"].as_array().unwrap().iter().map(|result| !result.is_null()).collect();
    assert_eq!(ran, [true, false, false, true, true, false, true, false]);
    let expected = json!({"message": "SQLite error: no such table: gone", "code": "SQLITE_UNKNOWN"});
    assert_eq!(batch["step_errors"], json!([null, expected, null, null, null, null, null, null]));
    assert_eq!(answer["results"][1]["response"]["is_autocommit"], json!(false));

    let ahead = json!({"requests": [{"type": "batch", "batch": {"steps": [step(ok(0), "SELECT 1")]}}]});
    run::pipeline(Arc::clone(&server.state), serde_json::from_value(ahead).unwrap()).await.unwrap_err();
}

#[tokio::test]
async fn errors_carry_codes() {
    let folder = tempfile::tempdir().unwrap();
    let server = HranaServer::start(folder.path().join("test.db")).await;
    let execute = |sql: &str| json!({"type": "execute", "stmt": {"sql": sql}});
    let body = json!({"requests": [
        execute("CREATE TABLE t (id TEXT PRIMARY KEY, x INTEGER NOT NULL CHECK (x > 0))"),
        execute("INSERT INTO t VALUES ('a', 1)"),
        execute("INSERT INTO t VALUES ('a', 1)"),
        execute("INSERT INTO t VALUES ('b', 0)"),
        execute("INSERT INTO t VALUES ('b', NULL)"),
        execute("SELEC 1"),
        execute("SELECT ?1"),
        {"type": "close"},
    ]});
    let answer = run::pipeline(Arc::clone(&server.state), serde_json::from_value(body).unwrap()).await.unwrap();
    assert_eq!(answer["baton"], json!(null));
    let error = |index: usize| {
        let error = &answer["results"][index]["error"];
        [&error["code"], &error["extended_code"], &error["message"]].map(|part| part.as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(
        error(2),
        ["SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLite error: UNIQUE constraint failed: t.id"]
    );
    assert_eq!(
        error(3),
        ["SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_CHECK", "SQLite error: CHECK constraint failed: x > 0"]
    );
    assert_eq!(
        error(4),
        ["SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_NOTNULL", "SQLite error: NOT NULL constraint failed: t.x"]
    );
    assert_eq!(error(5), ["SQL_INPUT_ERROR", "-", "SQLite input error: near \"SELEC\": syntax error"]);
    assert_eq!(error(6)[0], "ARGS_INVALID");
}

#[tokio::test]
async fn faults_come_on_demand() {
    let (server, _folder) = started().await;
    let mut stream = Conversation::with(&server, "right");
    let insert = "INSERT INTO t VALUES (1)";
    stream.execute("CREATE TABLE t (x)").await.unwrap();

    server.refuse_next(1);
    let error = stream.execute(insert).await.unwrap_err();
    assert!(error.starts_with("429"), "{error}");
    assert_eq!(stream.count().await, "0");

    server.drop_next(1, Cut::BeforeExecuting);
    stream.execute(insert).await.unwrap_err();
    assert_eq!(stream.count().await, "0");

    server.drop_next(1, Cut::AfterExecuting);
    stream.execute(insert).await.unwrap_err();
    assert_eq!(stream.count().await, "1");

    server.require_token("right");
    assert_eq!(stream.count().await, "1");
    let error = Conversation::with(&server, "wrong").execute("SELECT 1").await.unwrap_err();
    assert!(error.starts_with("401") && error.contains("wrong"), "{error}");

    let (requests, begin) = (server.requests(), std::time::Instant::now());
    server.latency(Duration::from_millis(50));
    assert_eq!(stream.count().await, "1");
    assert_eq!(server.requests() - requests, 1);
    assert!(begin.elapsed() >= Duration::from_millis(50));
    assert!(server.connections() >= 2);
}

#[tokio::test]
async fn too_many_streams_are_refused() {
    let (server, _folder) = started().await;
    let request = |baton: Option<&str>, kind: &str| {
        let body = json!({"baton": baton, "requests": [{"type": kind}]});
        run::pipeline(Arc::clone(&server.state), serde_json::from_value(body).unwrap())
    };
    let first = request(None, "get_autocommit").await.unwrap();
    for _ in 1..128 {
        request(None, "get_autocommit").await.unwrap();
    }
    assert!(format!("{:?}", request(None, "get_autocommit").await.unwrap_err()).contains("429"));
    let baton = first["baton"].as_str();
    assert!(request(baton, "close").await.unwrap()["baton"].is_null());
    request(None, "get_autocommit").await.unwrap();
    assert!(format!("{:?}", request(baton, "get_autocommit").await.unwrap_err()).contains("invalid baton"));
}

//! The vendor's driver against this server; `shared/core/tests/storage.rs` goes on from here.

use serde_json::json;
use turso_serverless::{Connection, TransactionBehavior};

use super::*;

async fn started() -> (HranaServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (HranaServer::start(folder.path().join("test.db")).await, folder)
}

async fn connect(server: &HranaServer, token: Option<&str>) -> Connection {
    let mut builder = turso_serverless::Builder::new_remote(server.url());
    if let Some(token) = token {
        builder = builder.with_auth_token(token);
    }
    builder.build().await.unwrap().connect().unwrap()
}

async fn count(connection: &Connection) -> i64 {
    let mut rows = connection.query("SELECT count(*) FROM t", ()).await.unwrap();
    rows.next().await.unwrap().unwrap().get(0).unwrap()
}

#[tokio::test]
async fn an_interactive_transaction_lives_over_its_baton() {
    let (server, _folder) = started().await;
    let (mut writer, reader) = (connect(&server, None).await, connect(&server, None).await);
    writer.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").await.unwrap();

    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).await.unwrap();
    assert_eq!(transaction.execute("INSERT INTO t VALUES (?1)", (2,)).await.unwrap(), 1);
    assert_eq!((count(&transaction).await, count(&reader).await), (2, 1), "nobody else sees it yet");
    transaction.rollback().await.unwrap();
    assert_eq!(count(&writer).await, 1);

    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).await.unwrap();
    transaction.execute("INSERT INTO t VALUES (:x)", turso_serverless::named_params! { ":x": 3 }).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(count(&reader).await, 2);
}

#[tokio::test]
async fn an_open_transaction_dies_with_its_stream() {
    let (mut server, _folder) = started().await;
    let mut writer = connect(&server, None).await;
    writer.execute("CREATE TABLE t (x)", ()).await.unwrap();
    for ending in ["expiry", "restart"] {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).await.unwrap();
        transaction.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
        if ending == "expiry" {
            server.expire_streams()
        } else {
            server.restart().await
        }
        let error = transaction.commit().await.unwrap_err().to_string();
        let expected = if ending == "expiry" { "stream has expired" } else { "HTTP status 400" };
        assert!(error.contains(expected), "{error}");
        assert_eq!(count(&writer).await, 0, "the writer has a new stream");
    }
}

#[tokio::test]
async fn describes_and_streams_statements() {
    let (server, _folder) = started().await;
    let connection = connect(&server, None).await;
    connection.execute("CREATE TABLE t (x INTEGER, y TEXT)", ()).await.unwrap();
    let statement = connection.prepare("INSERT INTO t VALUES (?1, ?2) RETURNING x").await.unwrap();
    let columns: Vec<_> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    assert_eq!(columns, ["x"]);
    let mut rows = connection.query("INSERT INTO t VALUES (?1, ?2) RETURNING x, y", (i64::MAX, "")).await.unwrap();
    let row = rows.next().await.unwrap().unwrap();
    assert_eq!((row.get::<i64>(0).unwrap(), row.get::<String>(1).unwrap()), (i64::MAX, String::new()));
    assert_eq!(connection.last_insert_rowid(), 1);
}

#[tokio::test]
async fn conditions_choose_the_steps_of_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let server = HranaServer::start(folder.path().join("test.db")).await;
    let step = |condition: serde_json::Value, sql: &str| json!({"condition": condition, "stmt": {"sql": sql}});
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
    let connection = connect(&server, Some("right")).await;
    connection.execute("CREATE TABLE t (x)", ()).await.unwrap();

    server.refuse_next(1);
    let error = connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err().to_string();
    assert!(error.starts_with("HTTP status 429"), "{error}");
    assert_eq!(count(&connection).await, 0);

    server.drop_next(1, Cut::BeforeExecuting);
    connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
    assert_eq!(count(&connection).await, 0);

    server.drop_next(1, Cut::AfterExecuting);
    connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
    assert_eq!(count(&connection).await, 1);

    server.require_token("right");
    assert_eq!(count(&connection).await, 1);
    let error = connect(&server, Some("wrong")).await.query("SELECT 1", ()).await.err().unwrap().to_string();
    assert!(error.starts_with("HTTP status 401") && error.contains("wrong"), "{error}");

    let (requests, begin) = (server.requests(), std::time::Instant::now());
    server.latency(Duration::from_millis(50));
    assert_eq!(count(&connection).await, 1);
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

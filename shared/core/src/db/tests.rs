use std::time::{Duration, Instant};

use turso_serverless::Error;

use super::{
    remote::{Effect, RemoteDb, effect_of, is_about_the_stream},
    *,
};
use crate::params;

/// A database file of its own, gone with the test.
fn database() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Db::new(&DatabaseConfig::File(folder.path().join("test.db"))), folder)
}

async fn with_items() -> (Db, tempfile::TempDir) {
    let (db, folder) = database();
    db.write(vec![
        Statement::new("CREATE TABLE guards (holds INTEGER NOT NULL CONSTRAINT guard_failed CHECK (holds))", params![]),
        Statement::new("CREATE TABLE items (id TEXT PRIMARY KEY, n INTEGER, note TEXT)", params![]),
        Statement::new("INSERT INTO items VALUES (?1, ?2, ?3)", params!["a", 1_i64, None::<String>]),
    ])
    .await
    .unwrap();
    (db, folder)
}

async fn count(db: &Db) -> i64 {
    db.read("SELECT count(*) AS n FROM items", params![]).await.unwrap().first().unwrap().get("n").unwrap()
}

#[tokio::test]
async fn reads_back_what_it_wrote() {
    let (db, _folder) = with_items().await;
    let rows = db.read("SELECT id, n, note FROM items WHERE id = ?1", params!["a"]).await.unwrap();
    let row = rows.first().unwrap();
    assert_eq!(row.get::<String>("id").unwrap(), "a");
    assert_eq!(row.get::<i64>("n").unwrap(), 1);
    assert_eq!(row.get::<Option<String>>("note").unwrap(), None);
    assert!(matches!(row.get::<i64>("id"), Err(DbError::Column("id"))));
    assert!(matches!(row.get::<i64>("absent"), Err(DbError::Column("absent"))));
}

#[tokio::test]
async fn a_failing_statement_undoes_the_whole_write() {
    let (db, _folder) = with_items().await;
    let error = db
        .write(vec![
            Statement::new("INSERT INTO items VALUES ('b', 2, NULL)", params![]),
            Statement::new("INSERT INTO items VALUES ('a', 3, NULL)", params![]),
        ])
        .await
        .unwrap_err();
    assert!(error.is_unique_violation("items.id"), "{error}");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_guard_undoes_the_whole_write_and_stays_silent_otherwise() {
    let (db, _folder) = with_items().await;
    let update =
        |id: &str| Statement::new("UPDATE items SET n = n + 1 WHERE id = ?1 RETURNING n", params![id]).expecting_one();
    let insert = || Statement::new("INSERT INTO items VALUES ('b', 2, NULL)", params![]);

    assert!(matches!(db.write(vec![insert(), update("missing")]).await, Err(DbError::Guard)));
    assert_eq!(count(&db).await, 1);

    let answers = db.write(vec![update("a"), insert()]).await.unwrap();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].first().unwrap().get::<i64>("n").unwrap(), 2);
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn refuses_a_wrong_number_of_parameters() {
    let (db, _folder) = with_items().await;
    let error = db.read("SELECT * FROM items WHERE id = ?1 AND n = ?2", params!["a"]).await.unwrap_err();
    assert!(error.to_string().contains("takes 2 parameters, 1 given"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_all_get_through() {
    let (db, _folder) = with_items().await;
    let writers = (0..16).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                let add = Statement::new("UPDATE items SET n = n + 1 WHERE id = 'a'", params![]);
                db.write(vec![add.expecting_one()]).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let rows = db.read("SELECT n FROM items", params![]).await.unwrap();
    assert_eq!(rows.first().unwrap().get::<i64>("n").unwrap(), 401);
}

#[test]
fn knows_what_a_failed_remote_try_has_done() {
    let http = |message: &str| effect_of(&Error::Http(message.into()));
    let no_answer = "request to http://127.0.0.1:40429/v3/pipeline failed: error sending request";
    for message in [no_answer, "invalid pipeline response: x", "HTTP status 502 Bad Gateway", "HTTP status 408 x"] {
        assert_eq!(http(message), Effect::Unknown, "{message}");
    }
    for message in ["HTTP status 429 Too Many Requests", "HTTP status 503 Service Unavailable: busy"] {
        assert_eq!(http(message), Effect::Postponed, "{message}");
    }
    for message in ["HTTP status 401 Unauthorized: 503", "HTTP status 413 x", "request to x failed: builder error"] {
        assert_eq!(http(message), Effect::Refused, "{message}");
    }
    let within = |error: Error| {
        effect_of(&Error::BatchStatementFailed { index: 0, error: Box::new(error), results: Vec::new() })
    };
    assert_eq!(within(Error::Busy("database is locked".into())), Effect::Postponed);
    assert_eq!(within(Error::Error("Transaction timed out".into())), Effect::Postponed);
    assert_eq!(within(Error::Error("SQLite error: database table is locked".into())), Effect::Postponed);
    assert_eq!(within(Error::Constraint("UNIQUE constraint failed: items.id".into())), Effect::Refused);
}

#[test]
fn knows_when_only_the_stream_is_gone() {
    let gone = [
        "HTTP status 400 Bad Request: The stream has expired due to inactivity",
        "HTTP status 400 Bad Request",
        "HTTP status 404 Not Found: stream not found: x",
        "HTTP status 410 Gone: stream expired: idle 31s (limit 30s)",
    ];
    assert!(gone.iter().all(|message| is_about_the_stream(&Error::Http((*message).into()))));
    assert!(!is_about_the_stream(&Error::Http("HTTP status 401 Unauthorized: 400".into())));
    assert!(!is_about_the_stream(&Error::Error("HTTP status 400".into())));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut db = RemoteDb::new(format!("http://{}", mute.local_addr().unwrap()), None);
    db.patience = Duration::from_millis(300);
    let begin = Instant::now();
    for error in [
        db.read(vec![Statement::new("SELECT 1", params![])]).await.unwrap_err(),
        db.write(vec![Statement::new("INSERT INTO t (id, x) VALUES (?1, 1)", params!["a"])]).await.unwrap_err(),
    ] {
        assert!(matches!(&error, DbError::Unavailable(text) if text.contains("did not answer in time")), "{error}");
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn knows_which_statements_cannot_take_effect_twice() {
    let sql = |sql: &'static str| Statement::new(sql, params!["an-id"]);
    let insert = sql("INSERT INTO items (id, data) VALUES (?1, '{}')");
    assert!(insert.fails_when_repeated());
    let proof = insert.proof().unwrap();
    assert_eq!((proof.sql.as_ref(), proof.params), ("SELECT 1 AS one FROM items WHERE id = ?1", params!["an-id"]));

    let keyed = sql("INSERT INTO versions (version, name) VALUES (?1, 'x')");
    assert!(keyed.fails_when_repeated() && keyed.proof().is_none(), "others may choose the same key");
    let guarded = sql("UPDATE items SET n = n + 1 WHERE id = ?1 AND n = 0").expecting_one();
    assert!(guarded.fails_when_repeated() && guarded.proof().is_none());
    for twice in [
        "UPDATE items SET n = n + 1 WHERE id = ?1",
        "DELETE FROM items WHERE id = ?1",
        "INSERT INTO items (id, data) VALUES (?1, '{}') ON CONFLICT (id) DO UPDATE SET n = n + 1",
        "INSERT INTO items (id, data) SELECT ?1, data FROM items",
        "CREATE TABLE t (x)",
    ] {
        assert!(!sql(twice).fails_when_repeated() && sql(twice).proof().is_none(), "{twice}");
    }
}

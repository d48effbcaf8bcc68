use std::time::{Duration, Instant};

use reqwest::StatusCode;

use super::{
    hrana::Failure,
    remote::{Effect, RemoteDb, effect_of},
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
    let status = |code: u16| {
        let status = StatusCode::from_u16(code).unwrap();
        effect_of(&Failure::Refused { status, message: "503".into() })
    };
    for (code, effect) in [
        (502, Effect::Unknown),
        (408, Effect::Unknown),
        (429, Effect::Postponed),
        (503, Effect::Postponed),
        (400, Effect::Refused),
        (401, Effect::Refused),
        (413, Effect::Refused),
    ] {
        assert_eq!(status(code), effect, "{code}");
    }
    let statement = |code: &str, message: &str| {
        effect_of(&Failure::Statement { message: message.into(), code: code.into(), first_found: false })
    };
    assert_eq!(statement("SQLITE_BUSY", "x"), Effect::Postponed);
    assert_eq!(statement("SQLITE_BUSY_SNAPSHOT", "x"), Effect::Postponed);
    assert_eq!(statement("", "Transaction timed out"), Effect::Postponed);
    assert_eq!(statement("SQLITE_LOCKED", "SQLite error: database table is locked"), Effect::Postponed);
    assert_eq!(statement("SQLITE_CONSTRAINT", "UNIQUE constraint failed: items.id"), Effect::Refused);
    assert_eq!(effect_of(&Failure::Unsendable("x".into())), Effect::Refused);
    assert_eq!(effect_of(&Failure::Unreachable("x".into())), Effect::Postponed);
    assert_eq!(effect_of(&Failure::Lost("x".into())), Effect::Unknown);
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

//! Faults of a remote server that the caller does not hear of, and those that it does.

use std::time::{Duration, Instant};

use shared_core::{
    Secret,
    config::DatabaseConfig,
    db::{Db, DbError, Statement},
    params,
};
use shared_testing::hrana::{Cut, HranaServer};

use crate::targets::{client, create_items, insert_item, number, serve};

const COUNT: &str = "SELECT count(*) AS n FROM items";

/// A server with an empty table of items and a warm connection to it.
async fn warm() -> (HranaServer, Db, tempfile::TempDir) {
    let (server, folder) = serve().await;
    let db = client(&server);
    create_items(&db).await;
    (server, db, folder)
}

/// How many HTTP requests `work` makes.
async fn requests_of(server: &HranaServer, work: impl Future<Output = ()>) -> usize {
    let before = server.requests();
    work.await;
    server.requests() - before
}

#[tokio::test]
async fn each_piece_of_work_is_one_round_trip() {
    let (server, db, _folder) = warm().await;
    let read = async { assert_eq!(number(&db, COUNT).await, 0) };
    assert_eq!(requests_of(&server, read).await, 1);
    let read_many = async {
        let reads = vec![Statement::new(COUNT, params![]), Statement::new("SELECT id FROM items", params![])];
        db.read_many(reads).await.unwrap();
    };
    assert_eq!(requests_of(&server, read_many).await, 1);
    let write = async {
        let update = Statement::new("UPDATE items SET n = 1 WHERE id = 'a'", params![]);
        db.write(vec![insert_item("a", "a"), update.expecting_one(), insert_item("b", "b")]).await.unwrap();
    };
    assert_eq!(requests_of(&server, write).await, 1);
    for _ in 0..20 {
        number(&db, COUNT).await;
    }
    // The HTTP client may open a second one when it has not quite put the first one back.
    assert!(server.connections() <= 2, "one after the other they share a connection: {}", server.connections());
}

#[tokio::test]
async fn a_refused_write_costs_one_round_trip_and_no_connection() {
    let (server, db, _folder) = warm().await;
    db.write(vec![insert_item("a", "a")]).await.unwrap();
    for _ in 0..10 {
        let refused = async {
            let guarded = Statement::new("UPDATE items SET n = 1 WHERE id = 'missing'", params![]).expecting_one();
            assert!(matches!(db.write(vec![guarded]).await, Err(DbError::Guard)));
            assert!(db.write(vec![insert_item("a", "b")]).await.unwrap_err().is_unique_violation("items.id"));
            assert_eq!(number(&db, COUNT).await, 1);
        };
        assert_eq!(requests_of(&server, refused).await, 3);
    }
    assert!(server.connections() <= 2, "{} connections", server.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_makes_four_requests_at_a_time() {
    let (server, db, _folder) = warm().await;
    server.latency(Duration::from_millis(300));
    let reads: Vec<_> = (0..8).map(|_| db.read(COUNT, params![])).collect();
    futures::future::try_join_all(reads).await.unwrap();
    let connections = server.connections();
    assert!((4..=6).contains(&connections), "as many as one process may use at a time: {connections}");
}

#[tokio::test]
async fn no_stream_is_left_behind() {
    let (server, db, _folder) = warm().await;
    for _ in 0..2 {
        number(&db, COUNT).await;
        db.write(vec![Statement::new("UPDATE items SET n = n + 1", params![])]).await.unwrap();
        db.write(vec![Statement::new("UPDATE missing SET n = 1", params![])]).await.unwrap_err();
        assert_eq!(server.open_streams(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_unnoticed_between_two_pieces_of_work() {
    let (mut server, db, _folder) = warm().await;
    server.restart().await;
    db.write(vec![insert_item("a", "a")]).await.unwrap();
    server.restart().await;
    assert_eq!(number(&db, COUNT).await, 1);

    server.stop().await;
    let error = db.read(COUNT, params![]).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)), "{error}");
    let (read, ()) = tokio::join!(number(&db, COUNT), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        server.restart().await;
    });
    assert_eq!(read, 1, "a read that starts while the server is away waits for it");
}

#[tokio::test]
async fn refusals_for_now_are_waited_out() {
    let (server, db, _folder) = warm().await;
    server.refuse_next(2);
    let write = async { drop(db.write(vec![insert_item("a", "a")]).await.unwrap()) };
    assert_eq!(requests_of(&server, write).await, 3);
    server.refuse_next(3);
    assert_eq!(requests_of(&server, async { assert_eq!(number(&db, COUNT).await, 1) }).await, 4);

    server.refuse_next(4);
    let error = db.write(vec![insert_item("b", "b")]).await.unwrap_err();
    assert!(matches!(&error, DbError::Unavailable(message) if message.contains("429")), "{error}");
    assert_eq!(number(&db, COUNT).await, 1, "it says so when it gives up");
}

#[tokio::test]
async fn a_wrong_token_is_refused_once_and_stays_secret() {
    let (server, _folder) = serve().await;
    server.require_token("the-right-token");
    let with_token = |token: Option<&str>| {
        let token = token.map(Secret::new);
        Db::new(&DatabaseConfig::Remote { url: server.url(), token })
    };
    with_token(Some("the-right-token")).read("SELECT 1 AS n", params![]).await.unwrap();
    for wrong in [Some("hunter2-hunter2"), None] {
        let db = with_token(wrong);
        let begin = Instant::now();
        let refused = async {
            let (read, write) =
                (db.read("SELECT 1 AS n", params![]).await, db.write(vec![insert_item("a", "a")]).await);
            for error in [read.unwrap_err(), write.unwrap_err()] {
                assert!(matches!(error, DbError::Other(_)), "{error:?}");
                let text = format!("{error} {error:?} {db:?}");
                assert!(text.contains("refuses the access token") && text.contains("401"), "{text}");
                assert!(!text.contains("hunter2"), "{text}");
            }
        };
        assert_eq!(requests_of(&server, refused).await, 2, "no second try");
        assert!(begin.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_lost_read_is_repeated() {
    let (server, db, _folder) = warm().await;
    for cut in [Cut::BeforeExecuting, Cut::AfterExecuting] {
        server.drop_next(2, cut);
        assert_eq!(requests_of(&server, async { assert_eq!(number(&db, COUNT).await, 0) }).await, 3, "{cut:?}");
    }
}

#[tokio::test]
async fn a_malformed_address_or_token_is_no_passing_fault() {
    for (url, token) in [("http://[", None), ("http://exa mple.org", None), ("http://127.0.0.1", Some("line\nbreak"))] {
        let db = Db::new(&DatabaseConfig::Remote { url: url.into(), token: token.map(Secret::new) });
        let error = db.read("SELECT 1 AS n", params![]).await.unwrap_err();
        assert!(matches!(error, DbError::Other(_)) && !error.to_string().contains("break"), "{url}: {error}");
    }
}

#[tokio::test]
async fn statements_that_the_server_refuses_are_named() {
    let (_server, db, _folder) = warm().await;
    for sql in ["PRAGMA journal_mode = DELETE", "VACUUM", "CREATE TEMP TABLE t (x)", "SELECT 1; SELECT 2"] {
        let error = db.write(vec![Statement::new(sql, params![])]).await.unwrap_err();
        assert!(matches!(error, DbError::Other(_)), "{error}");
    }
}

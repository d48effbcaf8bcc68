//! Remote writes whose answer is lost: no write takes effect twice, and inserts do not show their trouble at all.

use shared_core::{
    Timestamp,
    db::{Db, DbError, Statement},
    migrations::migrate,
    params,
    prompts::{self, NewPrompt},
};
use shared_testing::hrana::{Cut, HranaServer};

use crate::targets::{client, create_items, insert_item, number, serve};

const COUNT: &str = "SELECT count(*) AS n FROM items";
const BOTH: [Cut; 2] = [Cut::BeforeExecuting, Cut::AfterExecuting];

/// A server with one item, `a`, and access to it.
async fn with_item() -> (HranaServer, Db, tempfile::TempDir) {
    let (server, folder) = serve().await;
    let db = client(&server);
    create_items(&db).await;
    db.write(vec![insert_item("a", "a")]).await.unwrap();
    (server, db, folder)
}

#[tokio::test]
async fn an_insert_is_repeated_and_recognised() {
    for cut in BOTH {
        for losses in 1..=3 {
            let (server, db, _folder) = with_item().await;
            server.drop_next(losses, cut);
            let before = server.requests();
            let answers = db.write(vec![insert_item("b", "b"), insert_item("c", "c")]).await.unwrap();
            assert_eq!(answers.iter().map(|answer| answer.affected).collect::<Vec<_>>(), [1, 1]);
            assert_eq!(server.requests() - before, losses + 1, "{cut:?}");
            assert_eq!(number(&db, COUNT).await, 3, "{cut:?}");
        }
    }
}

#[tokio::test]
async fn a_repeated_insert_still_meets_the_rows_of_others() {
    for cut in BOTH {
        let (server, db, _folder) = with_item().await;
        server.drop_next(1, cut);
        let error = db.write(vec![insert_item("b", "b"), insert_item("c", "a")]).await.unwrap_err();
        assert!(error.is_unique_violation("items.name"), "{cut:?}: {error}");
        assert_eq!(number(&db, COUNT).await, 1);
    }
}

#[tokio::test]
async fn a_guarded_insert_is_recognised_too() {
    let insert = || {
        let sql = "INSERT INTO items (id, data) SELECT ?1, '{}' WHERE NOT EXISTS (SELECT 1 FROM items WHERE id <> 'a')";
        Statement::new(sql, params!["only"]).expecting_one()
    };
    for cut in BOTH {
        let (server, db, _folder) = with_item().await;
        server.drop_next(1, cut);
        db.write(vec![insert()]).await.unwrap();
        assert_eq!(number(&db, COUNT).await, 2);
        assert!(matches!(db.write(vec![insert()]).await, Err(DbError::Guard)), "a second caller is refused");
    }
}

#[tokio::test]
async fn a_guarded_update_happens_once_and_a_repeat_shows_as_guard() {
    let replace = || {
        let sql = "UPDATE items SET data = '{\"name\":\"new\"}', n = n + 1 WHERE id = 'a' AND n = 0";
        Statement::new(sql, params![]).expecting_one()
    };
    for cut in BOTH {
        let (server, db, _folder) = with_item().await;
        server.drop_next(1, cut);
        let outcome = db.write(vec![replace()]).await;
        assert_eq!(outcome.is_ok(), cut == Cut::BeforeExecuting, "{outcome:?}");
        assert!(matches!(outcome, Ok(_) | Err(DbError::Guard)), "{outcome:?}");
        assert_eq!(number(&db, "SELECT n FROM items").await, 1, "{cut:?}");
    }
}

#[tokio::test]
async fn its_entry_in_the_audit_log_proves_a_change() {
    for cut in BOTH {
        let (server, _folder) = serve().await;
        let db = client(&server);
        migrate(&db).await.unwrap();
        let (name, prompt) = ("greeting".to_owned(), "Say hello".to_owned());
        let new = NewPrompt { name, prompt, json_schema_response: None, json_schema_input: None, options: None };
        let created = prompts::create(&db, new, Timestamp::now()).await.unwrap();
        server.drop_next(1, cut);
        prompts::delete(&db, &created.id).await.unwrap();
        let entries = "SELECT count(*) AS n FROM audit_log WHERE action = 'prompt.deleted'";
        assert_eq!(number(&db, entries).await, 1, "{cut:?}");
        assert_eq!(number(&db, "SELECT count(*) AS n FROM prompts").await, 0, "{cut:?}");
    }
}

#[tokio::test]
async fn a_write_that_could_happen_twice_is_not_repeated() {
    let bump = Statement::new("UPDATE items SET n = n + 1 WHERE id = 'a' RETURNING n", params![]);
    let upsert = Statement::new(
        "INSERT INTO items (id, data) VALUES ('a', '{}') ON CONFLICT (id) DO UPDATE SET n = n + 1",
        params![],
    );
    for write in [bump, upsert] {
        for (cut, expected) in [(Cut::BeforeExecuting, 0), (Cut::AfterExecuting, 1)] {
            let (server, db, _folder) = with_item().await;
            server.drop_next(1, cut);
            let before = server.requests();
            let error = db.write(vec![write.clone()]).await.unwrap_err();
            assert!(matches!(&error, DbError::Unavailable(text) if text.contains("may have taken effect")), "{error}");
            assert_eq!(server.requests() - before, 1);
            assert_eq!(number(&db, "SELECT n FROM items").await, expected);
        }
    }
}

#[tokio::test]
async fn an_insert_that_returns_rows_is_not_answered_without_them() {
    let sql = "INSERT INTO items (id, data) VALUES (?1, '{}') RETURNING id";
    for cut in BOTH {
        let (server, db, _folder) = with_item().await;
        server.drop_next(1, cut);
        let outcome = db.write(vec![Statement::new(sql, params!["b"])]).await;
        match cut {
            Cut::BeforeExecuting => assert_eq!(outcome.unwrap()[0].rows.len(), 1),
            Cut::AfterExecuting => assert!(outcome.unwrap_err().is_unique_violation("items.id")),
        }
        assert_eq!(number(&db, COUNT).await, 2);
    }
}

#[tokio::test]
async fn it_gives_up_when_the_answers_keep_getting_lost() {
    for then_refused in [false, true] {
        let (server, db, _folder) = with_item().await;
        server.drop_next(if then_refused { 1 } else { 9 }, Cut::AfterExecuting);
        server.refuse_next(9);
        let error = db.write(vec![insert_item("b", "b")]).await.unwrap_err();
        assert!(matches!(&error, DbError::Unavailable(text) if text.contains("may have taken effect")), "{error}");
    }
}

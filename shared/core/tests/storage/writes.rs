//! A write is one unit, and it tells what stood in its way.

use shared_core::{
    db::{DbError, Statement},
    params,
};

use crate::targets::{Target, create_items, insert_item, number, on_every_target};

on_every_target!(
    a_failing_statement_undoes_everything,
    a_guard_undoes_everything,
    unique_violations_name_their_column,
    other_constraints_are_no_unique_violations,
    returning_gives_rows,
    counts_are_those_of_each_statement,
    foreign_keys_hold,
    tables_come_and_go_with_their_unit,
);

const COUNT: &str = "SELECT count(*) AS n FROM items";

async fn a_failing_statement_undoes_everything(target: &Target) {
    create_items(&target.db).await;
    target.db.write(vec![insert_item("a", "first")]).await.unwrap();
    let broken = Statement::new("INSERT INTO gone VALUES (1)", params![]);
    for last in [insert_item("a", "third"), broken] {
        let update = Statement::new("UPDATE items SET n = 7 WHERE id = 'a'", params![]);
        target.db.write(vec![insert_item("b", "second"), update, last]).await.unwrap_err();
        assert_eq!(number(&target.db, "SELECT count(*) + sum(n) AS n FROM items").await, 1);
    }
    target.db.write(vec![insert_item("b", "second")]).await.unwrap();
    assert_eq!(number(&target.db, COUNT).await, 2, "the next write is not disturbed");
}

async fn a_guard_undoes_everything(target: &Target) {
    create_items(&target.db).await;
    target.db.write(vec![insert_item("a", "one"), insert_item("b", "two")]).await.unwrap();
    let bump = |condition: &str| {
        Statement::new(format!("UPDATE items SET n = n + 1 WHERE {condition}"), params![]).expecting_one()
    };
    for refused in ["id = 'missing'", "true"] {
        for writes in [vec![insert_item("c", "three"), bump(refused)], vec![bump(refused), insert_item("c", "three")]] {
            let error = target.db.write(writes).await.unwrap_err();
            assert!(matches!(error, DbError::Guard), "{error}");
            assert_eq!(number(&target.db, "SELECT count(*) + sum(n) AS n FROM items").await, 2);
        }
    }
    let answers = target.db.write(vec![bump("id = 'a'"), insert_item("c", "three"), bump("id = 'b'")]).await.unwrap();
    assert_eq!(answers.len(), 3, "one answer for each of the caller's statements");
    assert_eq!(number(&target.db, "SELECT count(*) + sum(n) AS n FROM items").await, 5);
}

async fn unique_violations_name_their_column(target: &Target) {
    create_items(&target.db).await;
    target.db.write(vec![insert_item("a", "taken")]).await.unwrap();
    let by_id = target.db.write(vec![insert_item("a", "free")]).await.unwrap_err();
    assert!(by_id.is_unique_violation("items.id") && !by_id.is_unique_violation("items.name"), "{by_id}");
    let by_generated_column = target.db.write(vec![insert_item("b", "taken")]).await.unwrap_err();
    assert!(by_generated_column.is_unique_violation("items.name"), "{by_generated_column}");
    assert!(!by_generated_column.is_unique_violation("items.id"), "{by_generated_column}");

    let pairs = "CREATE TABLE pairs (n INTEGER PRIMARY KEY, x TEXT, y TEXT, UNIQUE (x, y))";
    target.db.write(vec![Statement::new(pairs, params![])]).await.unwrap();
    let insert = |n: i64| Statement::new("INSERT INTO pairs VALUES (?1, 'x', 'y')", params![n]);
    let by_pair = target.db.write(vec![insert(1), insert(2)]).await.unwrap_err();
    assert!(by_pair.is_unique_violation("pairs.x") && by_pair.is_unique_violation("pairs.y"), "{by_pair}");
    target.db.write(vec![insert(1)]).await.unwrap();
    let by_rowid = target.db.write(vec![insert(1)]).await.unwrap_err();
    assert!(by_rowid.is_unique_violation("pairs.n"), "{by_rowid}");
}

async fn other_constraints_are_no_unique_violations(target: &Target) {
    create_items(&target.db).await;
    let missing = Statement::new("INSERT INTO items (id, data) VALUES ('a', NULL)", params![]);
    let malformed = Statement::new("INSERT INTO items (id, data) VALUES ('a', '{')", params![]);
    for refused in [missing, malformed] {
        let error = target.db.write(vec![refused]).await.unwrap_err();
        assert!(matches!(error, DbError::Other(_)) && !error.is_unique_violation("items.data"), "{error}");
    }
    let unknown = target.db.read("SELECT x FROM gone", params![]).await.unwrap_err();
    assert!(matches!(&unknown, DbError::Other(message) if message.contains("no such table: gone")), "{unknown}");
}

async fn returning_gives_rows(target: &Target) {
    create_items(&target.db).await;
    let inserts = ["a", "b", "c"].map(|id| insert_item(id, id));
    target.db.write(inserts.to_vec()).await.unwrap();
    let sql = "UPDATE items SET n = n + 5 WHERE id IN ('a', 'c') RETURNING id, n";
    let none = Statement::new("DELETE FROM items WHERE id = 'missing' RETURNING id", params![]);
    let answers = target.db.write(vec![Statement::new(sql, params![]), none]).await.unwrap();
    let mut rows: Vec<(String, i64)> =
        answers[0].rows.iter().map(|row| (row.get("id").unwrap(), row.get("n").unwrap())).collect();
    rows.sort();
    assert_eq!(rows, [("a".to_owned(), 5), ("c".to_owned(), 5)]);
    assert!(answers[1].rows.is_empty());
}

async fn counts_are_those_of_each_statement(target: &Target) {
    create_items(&target.db).await;
    let sql = |sql: &'static str| Statement::new(sql, params![]);
    let answers = target
        .db
        .write(vec![
            insert_item("a", "a"),
            insert_item("b", "b"),
            sql("UPDATE items SET n = 1"),
            sql("CREATE TABLE other (x)"),
            sql("SELECT id FROM items"),
            sql("DELETE FROM items WHERE id = 'missing'"),
            sql("UPDATE items SET n = 2 RETURNING id"),
            sql("DELETE FROM items"),
        ])
        .await
        .unwrap();
    let counts: Vec<u64> = answers.iter().map(|answer| answer.affected).collect();
    assert_eq!(counts, [1, 1, 2, 0, 0, 0, 0, 2]);
    let reads = target.db.read("SELECT 1 AS one", params![]).await.unwrap();
    assert_eq!(reads.affected, 0, "a read does not show what the connection did before");
}

async fn foreign_keys_hold(target: &Target) {
    let parents = Statement::new("CREATE TABLE parents (id TEXT PRIMARY KEY)", params![]);
    let children = "CREATE TABLE children (id TEXT PRIMARY KEY REFERENCES parents (id) ON DELETE CASCADE)";
    target.db.write(vec![parents, Statement::new(children, params![])]).await.unwrap();
    let orphan = Statement::new("INSERT INTO children VALUES ('x')", params![]);
    let error = target.db.write(vec![orphan.clone()]).await.unwrap_err();
    assert!(error.to_string().contains("FOREIGN KEY constraint failed"), "{error}");
    target.db.write(vec![Statement::new("INSERT INTO parents VALUES ('x')", params![]), orphan]).await.unwrap();
    let deleted = target.db.write(vec![Statement::new("DELETE FROM parents", params![])]).await.unwrap();
    assert_eq!(deleted[0].affected, 1, "what went along is not counted");
    assert_eq!(number(&target.db, "SELECT count(*) AS n FROM children").await, 0);
}

async fn tables_come_and_go_with_their_unit(target: &Target) {
    let sql = |sql: &'static str| Statement::new(sql, params![]);
    target.db.write(vec![sql("CREATE TABLE half (x)"), sql("INSERT INTO gone VALUES (1)")]).await.unwrap_err();
    assert_eq!(number(&target.db, "SELECT count(*) AS n FROM sqlite_master WHERE name = 'half'").await, 0);
    target.db.write(vec![sql("CREATE TABLE half (x)"), sql("INSERT INTO half VALUES (1)")]).await.unwrap();
    assert_eq!(number(&target.db, "SELECT count(*) AS n FROM half").await, 1);
}

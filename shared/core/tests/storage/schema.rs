//! What happens when the schema is older than the code needs, and what finding out costs.

use shared_core::{
    db::{DbError, Statement},
    migrations::{NEEDED_VERSION, migrate},
    params,
};

use crate::targets::{Target, client, number, on_every_target, serve};

on_every_target!(an_old_schema_stops_all_work_until_it_is_migrated, a_newer_schema_stops_nothing);

const COUNT: &str = "SELECT count(*) AS n FROM notes";

fn note(id: &str) -> Statement {
    Statement::new("INSERT INTO notes (id) VALUES (?1)", params![id])
}

fn record(version: i64) -> Statement {
    let sql = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, 'x', '', '')";
    Statement::new(sql, params![version])
}

fn forget(version: i64) -> Statement {
    Statement::new("DELETE FROM schema_migrations WHERE version = ?1", params![version])
}

async fn an_old_schema_stops_all_work_until_it_is_migrated(target: &Target) {
    let db = target.another_process().requiring(NEEDED_VERSION);
    let versions = async || {
        let (read, write) = (db.read(COUNT, params![]).await, db.write(vec![note("a")]).await);
        [read.map(|_| ()), write.map(|_| ())].map(|outcome| match outcome {
            Err(DbError::OldSchema { found, needed: NEEDED_VERSION }) => found,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(versions().await, [0, 0], "an empty database");

    migrate(&target.db).await.unwrap();
    let table = Statement::new("CREATE TABLE notes (id TEXT PRIMARY KEY)", params![]);
    target.db.write(vec![table, forget(NEEDED_VERSION)]).await.unwrap();
    assert_eq!(versions().await, [NEEDED_VERSION - 1; 2]);
    assert_eq!(number(&target.db, COUNT).await, 0, "nothing was written");

    target.db.write(vec![record(NEEDED_VERSION)]).await.unwrap();
    db.write(vec![note("a")]).await.unwrap();
    assert_eq!(number(&db, COUNT).await, 1);
    target.db.write(vec![forget(NEEDED_VERSION)]).await.unwrap();
    assert_eq!(number(&db, COUNT).await, 1, "once it is known to do, nobody asks again");
}

async fn a_newer_schema_stops_nothing(target: &Target) {
    migrate(&target.db).await.unwrap();
    target.db.write(vec![record(NEEDED_VERSION + 7)]).await.unwrap();
    let process = || target.another_process().requiring(NEEDED_VERSION);
    process().read("SELECT id FROM users", params![]).await.unwrap();
    process().write(vec![Statement::new("DELETE FROM users", params![])]).await.unwrap();
}

#[tokio::test]
async fn finding_out_costs_no_round_trip() {
    let (server, _folder) = serve().await;
    migrate(&client(&server)).await.unwrap();
    let requests = async |work: &dyn Fn() -> Statement, error: Option<&str>| {
        let db = client(&server).requiring(NEEDED_VERSION);
        let mut counts = [0; 2];
        for count in &mut counts {
            let before = server.requests();
            let outcome = db.write(vec![work()]).await.map_err(|error| error.to_string());
            assert_eq!(outcome.err().as_deref(), error);
            *count = server.requests() - before;
        }
        counts
    };
    let deletion = || Statement::new("DELETE FROM users", params![]);
    assert_eq!(requests(&deletion, None).await, [1, 1]);
    let guarded = || deletion().expecting_one();
    let refused = Some("a guarded statement changed no row");
    assert_eq!(requests(&guarded, refused).await, [3, 1], "only what fails at first has to be explained");

    let db = client(&server).requiring(NEEDED_VERSION);
    for _ in 0..2 {
        let before = server.requests();
        db.read("SELECT id FROM users", params![]).await.unwrap();
        assert_eq!(server.requests() - before, 1);
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_not_called_outdated() {
    let (mut server, _folder) = serve().await;
    migrate(&client(&server)).await.unwrap();
    let db = client(&server).requiring(NEEDED_VERSION);
    server.stop().await;
    assert!(matches!(db.read("SELECT id FROM users", params![]).await, Err(DbError::Unavailable(_))));
    server.restart().await;
    db.read("SELECT id FROM users", params![]).await.unwrap();
}

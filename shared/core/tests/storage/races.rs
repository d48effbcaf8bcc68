//! Many at once.

use shared_core::{
    db::{DbError, Statement},
    migrations::{MIGRATIONS, migrate},
    params,
};

use crate::targets::{Target, create_items, insert_item, number, on_every_target};

on_every_target!(racing_migrations_apply_each_file_once, guarded_increments_all_get_through, one_of_many_takes_a_name);

async fn racing_migrations_apply_each_file_once(target: &Target) {
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let db = target.another_process();
            tokio::spawn(async move { migrate(&db).await.unwrap() })
        })
        .collect();
    let mut applied = Vec::new();
    for racer in racers {
        applied.extend(racer.await.unwrap());
    }
    applied.sort();
    assert_eq!(applied, MIGRATIONS.iter().map(|migration| migration.name).collect::<Vec<_>>());
    let newest = target.db.schema_version().await.unwrap();
    assert_eq!(newest, i64::try_from(MIGRATIONS.len()).unwrap());
    assert_eq!(number(&target.db, "SELECT count(*) AS n FROM schema_migrations").await, newest);
}

async fn guarded_increments_all_get_through(target: &Target) {
    create_items(&target.db).await;
    target.db.write(vec![insert_item("a", "counter")]).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            // Half of them share connections, the others are processes of their own.
            let db = if writer % 2 == 0 { target.db.clone() } else { target.another_process() };
            tokio::spawn(async move {
                for _ in 0..25 {
                    let add = Statement::new("UPDATE items SET n = n + 1 WHERE id = 'a'", params![]);
                    let log = insert_item(&shared_core::ids::new_id(), &shared_core::ids::new_id());
                    db.write(vec![add.expecting_one(), log]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(number(&target.db, "SELECT n FROM items WHERE id = 'a'").await, 200);
    assert_eq!(number(&target.db, "SELECT count(*) AS n FROM items").await, 201);
}

async fn one_of_many_takes_a_name(target: &Target) {
    create_items(&target.db).await;
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let db = target.another_process();
            tokio::spawn(async move { db.write(vec![insert_item(&format!("id-{racer}"), "wanted")]).await })
        })
        .collect();
    let mut winners = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => winners += 1,
            Err(error) => {
                assert!(matches!(error, DbError::Unique(_)) && error.is_unique_violation("items.name"), "{error}");
            }
        }
    }
    assert_eq!(winners, 1);
}

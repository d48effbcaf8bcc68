//! Counters that somebody has spoiled are found, named and repaired.

use super::*;
use crate::counters::Portion;

async fn spoil(db: &Db, sql: &'static str) {
    db.write(vec![Statement::new(sql, params![])]).await.unwrap();
}

/// Every portion, from the first.
async fn portions(db: &Db) -> Vec<Portion> {
    let mut portions = Vec::new();
    let mut next = COUNTERS.first(db).await.unwrap();
    while let Some(portion) = next {
        next = COUNTERS.after(db, &portion).await.unwrap();
        portions.push(portion);
    }
    portions
}

async fn differences(db: &Db) -> Vec<String> {
    let mut found = Vec::new();
    for portion in portions(db).await {
        let wrong = COUNTERS.differences(db, &portion).await.unwrap();
        found.extend(wrong.iter().map(|difference| format!("{portion}, {difference}")));
    }
    found
}

async fn repair(db: &Db) {
    for portion in portions(db).await {
        COUNTERS.recount(db, &portion).await.unwrap();
    }
    assert!(differences(db).await.is_empty());
    assert_counters_are_exact(db).await;
}

/// Records so many executions of direct text in this month.
async fn in_month(db: &Db, month: &str, count: usize) -> Vec<String> {
    create(db, text_run(count), format!("{month}-15T12:00:00.000Z").parse().unwrap()).await.unwrap().ids
}

#[tokio::test]
async fn a_spoiled_counter_is_named_and_counted_anew() {
    let (db, _folder) = with_ollama().await;
    let ids = in_month(&db, "2026-02", 3).await;
    in_month(&db, "2026-03", 1).await;
    update_fields(&db, &ids[0], Some(true), None, Timestamp::now()).await.unwrap();
    cancel(&db, &ids[1], Timestamp::now()).await.unwrap();
    assert!(differences(&db).await.is_empty());

    spoil(&db, "UPDATE execution_counts SET n = 7 WHERE status = 'pending' AND starred = 0 AND period = '2026-02'")
        .await;
    spoil(&db, "DELETE FROM execution_counts WHERE status = 'pending' AND starred = 1").await;
    spoil(&db, "INSERT INTO execution_counts VALUES ('', '2026-03', 'gemini', 'running', 0, -2)").await;
    let expected = [
        "\"\" 2026-02, ollama pending: kept 7, counted 1",
        "\"\" 2026-02, ollama pending starred: kept 0, counted 1",
        "\"\" 2026-03, gemini running: kept -2, counted 0",
    ];
    assert_eq!(differences(&db).await, expected);
    repair(&db).await;
    assert_eq!(total_differences(&db).await.unwrap(), [], "totals follow the repair");
}

#[tokio::test]
async fn every_month_of_every_prompt_has_its_turn_also_one_without_counters() {
    let (db, _folder) = with_ollama().await;
    let id = with_prompt(&db, None).await;
    let source = Source::Prompt { id: id.clone(), version: None };
    let new = NewExecutions { source, user_input: r#"{"name": "Ada"}"#.into(), ..text_run(2) };
    for month in ["2026-01", "2026-03"] {
        create(&db, new.clone(), format!("{month}-31T23:59:59.999Z").parse().unwrap()).await.unwrap();
        in_month(&db, month, 1).await;
    }
    spoil(&db, "DELETE FROM execution_counts WHERE prompt_id <> '' OR period = '2026-03'").await;
    spoil(&db, "INSERT INTO execution_counts VALUES ('zzz', '2026-02', 'ollama', 'failed', 0, 4)").await;
    spoil(&db, "INSERT INTO execution_counts VALUES ('', '2026-02', 'ollama', 'failed', 0, 5)").await;

    let turns: Vec<String> = portions(&db).await.iter().map(ToString::to_string).collect();
    let of_prompt = |month: &str| format!("\"{id}\" {month}");
    let expected = [
        "\"\" 2026-01",
        "\"\" 2026-02",
        "\"\" 2026-03",
        &of_prompt("2026-01"),
        &of_prompt("2026-03"),
        "\"zzz\" 2026-02",
    ];
    assert_eq!(turns, expected);
    let expected = [
        "\"\" 2026-02, ollama failed: kept 5, counted 0".to_owned(),
        "\"\" 2026-03, ollama pending: kept 0, counted 1".to_owned(),
        format!("\"{id}\" 2026-01, ollama pending: kept 0, counted 2"),
        format!("\"{id}\" 2026-03, ollama pending: kept 0, counted 2"),
        "\"zzz\" 2026-02, ollama failed: kept 4, counted 0".to_owned(),
    ];
    assert_eq!(differences(&db).await, expected);
    repair(&db).await;
}

#[tokio::test]
async fn counters_that_came_down_to_nothing_go_and_others_stay() {
    let (db, _folder) = with_ollama().await;
    let ids = in_month(&db, "2026-02", 2).await;
    cancel(&db, &ids[0], Timestamp::now()).await.unwrap();
    cancel(&db, &ids[1], Timestamp::now()).await.unwrap();
    let portion = portions(&db).await.remove(0);
    let kept = async || {
        let sql = "SELECT group_concat(line) AS kept
            FROM (SELECT status || ' ' || n AS line FROM execution_counts ORDER BY status)";
        db.read(sql, params![]).await.unwrap().first().unwrap().get::<String>("kept").unwrap()
    };
    assert_eq!(kept().await, "failed 2,pending 0");
    db.write(vec![COUNTERS.forget_empty(&portion)]).await.unwrap();
    assert_eq!(kept().await, "failed 2");
    in_month(&db, "2026-02", 1).await;
    assert_eq!(kept().await, "failed 2,pending 1");
    assert_counters_are_exact(&db).await;
    assert_eq!(total_differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn spoiled_totals_are_named_and_summed_up_anew() {
    let (db, _folder) = with_ollama().await;
    in_month(&db, "2026-02", 2).await;
    in_month(&db, "2026-03", 1).await;
    spoil(&db, "UPDATE execution_totals SET n = 9").await;
    spoil(&db, "INSERT INTO execution_totals VALUES ('gemini', 'failed', 1, 4)").await;
    let named =
        async || -> Vec<String> { total_differences(&db).await.unwrap().iter().map(ToString::to_string).collect() };
    assert_eq!(named().await, ["gemini failed starred: kept 4, counted 0", "ollama pending: kept 9, counted 3"]);
    sum_up_totals(&db).await.unwrap();
    assert!(named().await.is_empty());
    assert_eq!(stats(&db).await.unwrap().by_status, [("pending", 3)].into());
}

//! Counters that somebody has spoiled are found, named and repaired.

use super::*;

async fn spoil(db: &Db, sql: &'static str) {
    db.write(vec![Statement::new(sql, params![])]).await.unwrap();
}

async fn differences(db: &Db, prompt_id: &str) -> Vec<String> {
    count_differences(db, prompt_id).await.unwrap().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_spoiled_counter_is_named_and_counted_anew() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 3).await;
    update_fields(&db, &ids[0], Some(true), None, Timestamp::now()).await.unwrap();
    cancel(&db, &ids[1], Timestamp::now()).await.unwrap();
    assert!(total_agrees(&db).await.unwrap());
    assert!(differences(&db, "").await.is_empty());

    spoil(&db, "UPDATE execution_counts SET n = 7 WHERE status = 'pending' AND starred = 0").await;
    spoil(&db, "DELETE FROM execution_counts WHERE status = 'pending' AND starred = 1").await;
    spoil(&db, "INSERT INTO execution_counts VALUES ('', 'gemini', 'running', 0, -2)").await;
    assert!(!total_agrees(&db).await.unwrap());
    let expected = [
        "gemini running: kept -2, counted 0",
        "ollama pending: kept 7, counted 1",
        "ollama pending starred: kept 0, counted 1",
    ];
    assert_eq!(differences(&db, "").await, expected);
    recount(&db, "").await.unwrap();
    recount(&db, "").await.unwrap();
    assert!(differences(&db, "").await.is_empty());
    assert_counters_are_exact(&db).await;
}

#[tokio::test]
async fn every_prompt_has_its_turn_also_one_without_counters() {
    let (db, _folder) = with_ollama().await;
    let id = with_prompt(&db, None).await;
    let source = Source::Prompt { id: id.clone(), version: None };
    let new = NewExecutions { source, user_input: r#"{"name": "Ada"}"#.into(), ..text_run(2) };
    create(&db, new, Timestamp::now()).await.unwrap();
    pending(&db, 1).await;
    spoil(&db, "DELETE FROM execution_counts WHERE prompt_id <> ''").await;
    spoil(&db, "INSERT INTO execution_counts VALUES ('zzz', 'ollama', 'failed', 0, 4)").await;

    let mut position = None;
    let mut turns = Vec::new();
    for _ in 0..4 {
        position = Some(prompt_after(&db, position.as_deref()).await.unwrap());
        turns.extend(position.clone());
    }
    assert_eq!(turns, ["", &id, "zzz", ""], "and then from the beginning");
    assert!(differences(&db, "").await.is_empty());
    assert_eq!(differences(&db, &id).await, ["ollama pending: kept 0, counted 2"]);
    assert_eq!(differences(&db, "zzz").await, ["ollama failed: kept 4, counted 0"]);
    for prompt in [&id, "zzz"] {
        recount(&db, prompt).await.unwrap();
    }
    assert_counters_are_exact(&db).await;
}

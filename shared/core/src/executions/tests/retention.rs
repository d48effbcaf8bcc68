//! Old executions are deleted, and nothing else with them.

use super::*;

/// Ends all waiting executions at this moment.
async fn complete_all(db: &Db, at: Timestamp) {
    while let Some(held) = claim_next(db, ProviderName::Ollama, LEASE, at).await.unwrap() {
        assert!(finish(db, &held, &Outcome::answered(answer("x"), None), at).await.unwrap());
    }
}

async fn ids_left(db: &Db) -> Vec<String> {
    let rows = db.read("SELECT id FROM executions ORDER BY created_at, id", params![]).await.unwrap().rows;
    rows.iter().map(|row| row.get("id").unwrap()).collect()
}

#[tokio::test]
async fn only_what_ended_before_is_deleted_the_oldest_first_and_in_batches() {
    let (db, _folder) = with_ollama().await;
    let start: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
    let mut ids = Vec::new();
    for day in 0..4 {
        ids.extend(create(&db, text_run(1), start.plus_seconds(day * 86_400)).await.unwrap().ids);
        complete_all(&db, start.plus_seconds(day * 86_400)).await;
    }
    let waiting = create(&db, text_run(1), start).await.unwrap().ids;
    let before = start.plus_seconds(3 * 86_400);
    assert_eq!(delete_ended(&db, before, 2).await.unwrap(), 2);
    let mut left = vec![waiting[0].clone(), ids[2].clone(), ids[3].clone()];
    assert_eq!(ids_left(&db).await, left, "the oldest two are gone");
    assert_eq!(delete_ended(&db, before, 2).await.unwrap(), 1);
    assert_eq!(delete_ended(&db, before, 2).await.unwrap(), 0, "one that ended at this very moment stays");
    left.remove(1);
    assert_eq!(ids_left(&db).await, left);
    assert_counters_are_exact(&db).await;
}

#[tokio::test]
async fn what_runs_or_waits_stays_however_old_it_is() {
    let (db, _folder) = with_ollama().await;
    let start: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
    create(&db, text_run(3), start).await.unwrap();
    let held = claim_next(&db, ProviderName::Ollama, LEASE, start).await.unwrap().unwrap();
    claim_next(&db, ProviderName::Ollama, LEASE, start).await.unwrap().unwrap();
    cancel(&db, &held.id, start).await.unwrap();
    assert_eq!(delete_ended(&db, Timestamp::now(), 100).await.unwrap(), 1, "the cancelled one");
    let by_status = stats(&db).await.unwrap().by_status;
    assert_eq!(by_status, [("pending", 1), ("running", 1)].into());
}

#[tokio::test]
async fn sums_of_usage_outlive_the_executions() {
    let (db, _folder) = with_ollama().await;
    let start: Timestamp = "2026-01-01T09:00:00.000Z".parse().unwrap();
    create(&db, text_run(2), start).await.unwrap();
    complete_all(&db, start).await;
    let used = crate::usage::by_model(&db, crate::usage::Range::default()).await.unwrap();
    assert_eq!(delete_ended(&db, Timestamp::now(), 100).await.unwrap(), 2);
    assert_eq!(crate::usage::by_model(&db, crate::usage::Range::default()).await.unwrap(), used);
    assert_eq!(used[0].1.executions, 2);
}

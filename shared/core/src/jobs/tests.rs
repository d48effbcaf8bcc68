use serde_json::json;

use super::*;
use crate::{
    db::Db,
    ids,
    pagination::{Direction, PageRequest},
    params,
    testing::database,
};

async fn add(db: &Db, job: &Job, now: Timestamp) -> String {
    let id = ids::new_id();
    db.write(vec![insert(&id, job, now)]).await.unwrap();
    id
}

#[tokio::test]
async fn a_recorded_job_is_complete_and_waits() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let id = add(&db, &Job::webhook_test("https://example.com/hook", now), now).await;
    let view = find(&db, &id).await.unwrap().unwrap();
    assert_eq!((view.status, view.attempts, view.scheduled_at), (JobStatus::Pending, 0, now));
    assert_eq!((view.data.kind.as_str(), view.data.max_attempts), (WEBHOOK_DELIVERY, 1));
    let payload = json!({"event": "webhook.test", "time": now});
    assert_eq!(view.data.data, json!({"webhookId": "", "url": "https://example.com/hook", "data": payload}));
    assert_eq!((view.next_retry_at, view.started_at, view.completed_at), (None, None, None));
    assert!(find(&db, "missing").await.unwrap().is_none());
}

#[tokio::test]
async fn lists_filter_search_and_order() {
    let (db, _folder) = database().await;
    let start: Timestamp = "2026-01-31T09:00:00.000Z".parse().unwrap();
    let mut added = Vec::new();
    for second in 0..3 {
        let now = start.plus_seconds(second);
        added.push(add(&db, &Job::webhook_test("https://example.com", now), now).await);
    }
    let other = Job::new(GENERATE_EMBEDDING, json!({"inputs": "x"}));
    added.push(add(&db, &other, start.plus_seconds(9)).await);

    let listed = async |filter: JobFilter, order: JobOrder, direction: Direction| {
        let page = list(&db, &filter, order, direction, PageRequest { page: 1, limit: 10 }).await.unwrap();
        assert_eq!(page.total, page.data.len() as u64);
        page.data.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let all = JobFilter::default;
    assert_eq!(listed(all(), JobOrder::Scheduled, Direction::Ascending).await, added);
    let kind = Some(GENERATE_EMBEDDING.to_owned());
    assert_eq!(listed(JobFilter { kind, ..all() }, JobOrder::default(), Direction::Descending).await, added[3..]);
    let status = Some(JobStatus::Failed);
    assert!(listed(JobFilter { status, ..all() }, JobOrder::default(), Direction::Descending).await.is_empty());
    let search = added[1][3..20].to_ascii_uppercase();
    assert_eq!(listed(JobFilter { search, ..all() }, JobOrder::Started, Direction::Ascending).await, added[1..2]);
    let mut newest_first = added.clone();
    newest_first.reverse();
    let search = "-4".to_owned();
    assert_eq!(listed(JobFilter { search, ..all() }, JobOrder::Scheduled, Direction::Ascending).await, newest_first);
    let search = "%".to_owned();
    assert!(listed(JobFilter { search, ..all() }, JobOrder::default(), Direction::Descending).await.is_empty());
}

/// Every order and filter of the list reads an index; nothing is sorted in memory but a page.
#[tokio::test]
async fn lists_are_served_by_indexes() {
    let (db, _folder) = database().await;
    for (condition, column) in [
        ("true", "created_at"),
        ("true", "updated_at"),
        ("true", "scheduled_at"),
        ("true", "started_at"),
        ("true", "completed_at"),
        ("status = 'failed'", "created_at"),
        ("type = 'x'", "created_at"),
        ("status = 'failed' AND type = 'x'", "created_at"),
    ] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE {condition} ORDER BY {column} DESC, id DESC LIMIT 10"
        );
        let plan = db.read(sql, params![]).await.unwrap();
        let steps: Vec<String> = plan.rows.iter().map(|row| row.get("detail").unwrap()).collect();
        assert!(steps.iter().all(|step| step.contains("COVERING INDEX")), "{condition}, {column}: {steps:?}");
    }
}

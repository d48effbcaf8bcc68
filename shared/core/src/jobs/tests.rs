use serde_json::json;

use super::{pipeline::*, *};
use crate::{
    claims::Recovered,
    db::{Db, Statement},
    ids,
    pagination::{Direction, PageRequest},
    params,
    testing::database,
};

const DELIVERY: &str = "webhook-delivery";

fn job(kind: &str, max_attempts: u32) -> Job {
    let (base, cap) = (Duration::from_secs(5), Duration::from_secs(300));
    let retries = RetryPolicy { max_attempts, base, factor: 5.0, cap, jitter: 0.0 };
    Job::new(kind, json!({"webhookId": "a", "data": {"nothing": null}}), &retries)
}

async fn add(db: &Db, job: &Job, now: Timestamp) -> String {
    let id = ids::new_id();
    db.write(vec![insert(&id, job, now)]).await.unwrap();
    id
}

#[tokio::test]
async fn a_recorded_job_is_complete_and_waits() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let id = add(&db, &job(DELIVERY, 1), now).await;
    let view = find(&db, &id).await.unwrap().unwrap();
    assert_eq!((view.status, view.attempts, view.scheduled_at), (JobStatus::Pending, 0, now));
    assert_eq!(view.data, job(DELIVERY, 1));
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
        added.push(add(&db, &job(DELIVERY, 1), now).await);
    }
    let other = job("generate-embedding", 3);
    added.push(add(&db, &other, start.plus_seconds(9)).await);

    let listed = async |filter: JobFilter, order: JobOrder, direction: Direction| {
        let page = list(&db, &filter, order, direction, PageRequest { page: 1, limit: 10 }).await.unwrap();
        assert_eq!(page.total, page.data.len() as u64);
        page.data.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let all = JobFilter::default;
    assert_eq!(listed(all(), JobOrder::Scheduled, Direction::Ascending).await, added);
    let kind = Some("generate-embedding".to_owned());
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

const LEASE: Duration = Duration::from_secs(30);

/// A job of this many attempts that a worker holds.
async fn held(db: &Db, max_attempts: u32, now: Timestamp) -> Claim {
    let id = add(db, &job(DELIVERY, max_attempts), now).await;
    claim(db, DELIVERY, &id, LEASE, now).await.unwrap().expect("it is due")
}

async fn view(db: &Db, id: &str) -> JobView {
    find(db, id).await.unwrap().unwrap()
}

async fn failed(db: &Db, claim: &Claim, when: Timestamp, now: Timestamp) -> bool {
    retry(db, claim, "no answer", Some(503), when, Some(when), now).await.unwrap()
}

#[tokio::test]
async fn due_jobs_are_announced_once_the_longest_due_first() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let young = add(&db, &job(DELIVERY, 3), now).await;
    let old = add(&db, &job(DELIVERY, 3), now.plus_seconds(-5)).await;
    add(&db, &job(DELIVERY, 3), now.plus_seconds(5)).await;
    add(&db, &job("generate-embedding", 3), now).await;
    assert_eq!(announce(&db, DELIVERY, 1, now).await.unwrap(), std::slice::from_ref(&old));
    assert_eq!(announce(&db, DELIVERY, 9, now).await.unwrap(), [young]);
    assert!(announce(&db, DELIVERY, 9, now).await.unwrap().is_empty());
    unannounce(&db, &[old.clone(), "missing".to_owned()]).await.unwrap();
    assert_eq!(announce(&db, DELIVERY, 9, now).await.unwrap(), [old]);
}

#[tokio::test]
async fn a_job_is_held_by_one_worker_and_ends_once() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let held = held(&db, 3, now).await;
    assert!(claim(&db, DELIVERY, &held.id, LEASE, now).await.unwrap().is_none(), "held");
    assert!(claim(&db, "generate-embedding", &held.id, LEASE, now.plus_seconds(99)).await.unwrap().is_none());
    assert!(extend(&db, &held, LEASE, Some("half"), now).await.unwrap());
    assert_eq!(view(&db, &held.id).await.data.progress.as_deref(), Some("half"));
    let result = json!({"kept": null, "list": [1, {"deep": null}]});
    assert!(finish(&db, &held, &End::Completed(Some(result.clone())), Some(204), vec![], now).await.unwrap());
    let done = view(&db, &held.id).await;
    assert_eq!((done.status, done.attempts, done.completed_at), (JobStatus::Completed, 1, Some(now)));
    assert_eq!((done.data.result, done.data.last_status, done.data.progress), (Some(result), Some(204), None));
    assert_eq!(done.data.data, job(DELIVERY, 3).data, "stored JSON comes back as it went in");

    let terminated = End::Terminated("late".to_owned());
    assert!(!finish(&db, &held, &terminated, None, vec![], now).await.unwrap(), "final is final (defect J-01)");
    assert!(!failed(&db, &held, now, now).await && !hand_back(&db, &held, now).await.unwrap());
    assert!(!extend(&db, &held, LEASE, None, now).await.unwrap());
    assert!(claim(&db, DELIVERY, &held.id, LEASE, now.plus_seconds(99)).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_written_along_counts_only_with_the_end() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let held = held(&db, 3, now).await;
    let later = now.plus_seconds(31);
    let other = claim(&db, DELIVERY, &held.id, LEASE, later).await.unwrap().expect("the lease has run out");
    assert_eq!(other.attempt, 2);
    let along = |id: &str| vec![insert(id, &job("follow-up", 1), later)];
    let (first, second) = (ids::new_id(), ids::new_id());
    assert!(!finish(&db, &held, &End::Completed(None), None, along(&first), later).await.unwrap());
    assert!(finish(&db, &other, &End::Completed(None), None, along(&second), later).await.unwrap());
    assert!(find(&db, &first).await.unwrap().is_none() && find(&db, &second).await.unwrap().is_some());
}

#[tokio::test]
async fn a_failed_attempt_waits_and_success_leaves_no_trace_of_it() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let held = held(&db, 2, now).await;
    let due = now.plus_seconds(5);
    assert!(failed(&db, &held, due, now).await);
    let waiting = view(&db, &held.id).await;
    assert_eq!((waiting.status, waiting.next_retry_at), (JobStatus::Retrying, Some(due)));
    assert_eq!((waiting.data.error.as_deref(), waiting.data.last_status), (Some("no answer"), Some(503)));
    assert!(claim(&db, DELIVERY, &held.id, LEASE, now).await.unwrap().is_none(), "not due");
    assert!(announce(&db, DELIVERY, 9, due).await.unwrap().is_empty(), "the queue was told when the attempt failed");
    let again = claim(&db, DELIVERY, &held.id, LEASE, due).await.unwrap().unwrap();
    assert_eq!((again.attempt, again.due_at), (2, due));
    assert!(finish(&db, &again, &End::Completed(None), None, vec![], due).await.unwrap());
    let done = view(&db, &held.id).await;
    let left = (done.data.error, done.next_retry_at, done.data.last_status, done.data.result);
    assert_eq!(left, (None, None, None, None), "defect J-08");
}

#[tokio::test]
async fn a_retry_beyond_the_queues_longest_delay_is_announced_when_it_is_due() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let held = held(&db, 2, now).await;
    let due = now.plus_seconds(3600);
    assert!(retry(&db, &held, "come back in an hour", Some(429), due, None, now).await.unwrap());
    assert!(announce(&db, DELIVERY, 9, now.plus_seconds(3599)).await.unwrap().is_empty());
    assert_eq!(announce(&db, DELIVERY, 9, due).await.unwrap(), [held.id]);
}

#[tokio::test]
async fn a_job_that_is_handed_back_has_not_been_tried() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let first = held(&db, 2, now).await;
    assert!(hand_back(&db, &first, now).await.unwrap());
    assert_eq!((view(&db, &first.id).await.status, view(&db, &first.id).await.attempts), (JobStatus::Pending, 0));
    let second = claim(&db, DELIVERY, &first.id, LEASE, now).await.unwrap().unwrap();
    assert!(failed(&db, &second, now, now).await);
    let third = claim(&db, DELIVERY, &first.id, LEASE, now).await.unwrap().unwrap();
    assert!(hand_back(&db, &third, now).await.unwrap());
    assert_eq!((view(&db, &first.id).await.status, view(&db, &first.id).await.attempts), (JobStatus::Retrying, 1));
    let fourth = claim(&db, DELIVERY, &first.id, LEASE, now).await.unwrap().unwrap();
    assert_eq!(fourth.attempt, 2);
    assert!(
        !finish(&db, &third, &End::Completed(None), None, vec![], now).await.unwrap(),
        "fenced, though it is attempt 2 too"
    );
}

#[tokio::test]
async fn recovery_brings_back_what_got_stuck_and_gives_up_in_the_end() {
    let (db, _folder) = database().await;
    let start = Timestamp::now();
    let (lost, last) = (held(&db, 2, start).await, held(&db, 1, start).await);
    let unheard = add(&db, &job(DELIVERY, 2), start).await;
    announce(&db, DELIVERY, 9, start).await.unwrap();
    assert_eq!(recover(&db, start, 9, start.plus_seconds(5)).await.unwrap(), Recovered::default());

    let later = start.plus_seconds(60);
    let expected = Recovered {
        requeued: vec![lost.id.clone()],
        interrupted: vec![last.id.clone()],
        unanswered: vec![unheard.clone()],
    };
    assert_eq!(recover(&db, later.plus_seconds(-30), 9, later).await.unwrap(), expected);
    assert_eq!(recover(&db, later.plus_seconds(-30), 9, later).await.unwrap(), Recovered::default());
    let given_up = view(&db, &last.id).await;
    assert_eq!((given_up.status, given_up.completed_at), (JobStatus::Failed, Some(later)));
    assert!(given_up.data.error.unwrap().starts_with("Interrupted"));
    assert!(!finish(&db, &lost, &End::Completed(None), None, vec![], later).await.unwrap(), "too late");
    let mut announced = announce(&db, DELIVERY, 9, later).await.unwrap();
    announced.sort();
    let mut waiting = vec![lost.id, unheard];
    waiting.sort();
    assert_eq!(announced, waiting);
}

#[tokio::test]
async fn an_ended_delivery_can_be_sent_again_under_its_id() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let held = held(&db, 1, now).await;
    let again = async |id: &str, kind: &str| redeliver(&db, kind, id, now).await;
    assert!(matches!(again(&held.id, DELIVERY).await, Err(RedeliverError::NotEnded("running"))));
    assert!(finish(&db, &held, &End::Failed("gone".into()), Some(410), vec![], now).await.unwrap());
    assert!(matches!(again("missing", DELIVERY).await, Err(RedeliverError::NotFound)));
    assert!(matches!(again(&held.id, "generate-embedding").await, Err(RedeliverError::OtherType(_))));
    again(&held.id, DELIVERY).await.unwrap();
    let fresh = view(&db, &held.id).await;
    assert_eq!((fresh.status, fresh.attempts, fresh.completed_at), (JobStatus::Pending, 0, None));
    assert_eq!((fresh.data.error, fresh.data.last_status), (None, None));
    assert_eq!(claim(&db, DELIVERY, &held.id, LEASE, now).await.unwrap().unwrap().attempt, 1);
    assert!(
        !finish(&db, &held, &End::Completed(None), None, vec![], now).await.unwrap(),
        "the first worker is too late"
    );
}

#[tokio::test]
async fn work_goes_on_in_the_trace_of_its_cause() {
    let (db, _folder) = database().await;
    let (now, trace) = (Timestamp::now(), crate::trace::TraceId::random());
    let held = crate::trace::scope(trace.clone(), held(&db, 1, now)).await;
    assert_eq!(held.trace, Some(trace));
}

#[tokio::test]
async fn spoiled_counters_are_named_day_by_day_and_counted_anew() {
    let (db, _folder) = database().await;
    let start: Timestamp = "2026-01-31T23:59:59.999Z".parse().unwrap();
    for (kind, seconds) in [(DELIVERY, 0), (DELIVERY, 1), (DELIVERY, 2), ("generate-embedding", 0)] {
        add(&db, &job(kind, 1), start.plus_seconds(seconds)).await;
    }
    let ended = add(&db, &job(DELIVERY, 1), start).await;
    let held = claim(&db, DELIVERY, &ended, Duration::from_secs(60), start).await.unwrap().unwrap();
    assert!(finish(&db, &held, &End::Completed(None), None, vec![], start).await.unwrap());
    let named = async || {
        let (mut named, mut next) = (Vec::new(), COUNTERS.first(&db).await.unwrap());
        while let Some(portion) = next {
            let found = COUNTERS.differences(&db, &portion).await.unwrap();
            named.extend(found.iter().map(|difference| format!("{portion}, {difference}")));
            next = COUNTERS.after(&db, &portion).await.unwrap();
        }
        named
    };
    assert_eq!(named().await, Vec::<String>::new());

    for spoil in [
        "UPDATE job_counts SET n = 5 WHERE period = '2026-02-01'",
        "DELETE FROM job_counts WHERE type = 'generate-embedding'",
        "INSERT INTO job_counts VALUES ('webhook-delivery', '2026-01-31', 'failed', 1)",
    ] {
        db.write(vec![Statement::new(spoil, params![])]).await.unwrap();
    }
    let expected = [
        "\"generate-embedding\" 2026-01-31, pending: kept 0, counted 1",
        "\"webhook-delivery\" 2026-01-31, failed: kept 1, counted 0",
        "\"webhook-delivery\" 2026-02-01, pending: kept 5, counted 2",
    ];
    assert_eq!(named().await, expected);
    let mut next = COUNTERS.first(&db).await.unwrap();
    while let Some(portion) = next {
        COUNTERS.recount(&db, &portion).await.unwrap();
        next = COUNTERS.after(&db, &portion).await.unwrap();
    }
    assert_eq!(named().await, Vec::<String>::new());
    let everything = PageRequest { page: 1, limit: 10 };
    let found = list(&db, &JobFilter::default(), JobOrder::Created, Direction::Ascending, everything).await.unwrap();
    assert_eq!((found.total, found.data.len()), (5, 5));
}

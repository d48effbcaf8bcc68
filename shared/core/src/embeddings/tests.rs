use serde_json::{Value, json};

use super::*;
use crate::{
    documents::to_json,
    jobs::{self, Job, JobStatus},
    params,
    retries::RetryPolicy,
    testing::database,
};

/// A recorded job for these destinations.
async fn recorded(db: &Db, destinations: &[&str]) -> String {
    let work = EmbeddingWork {
        inputs: EmbeddingInputs::One("text".to_owned()),
        model: EmbeddingModel::Voyage35,
        input_type: None,
        webhook_destination_ids: destinations.iter().map(|id| (*id).to_owned()).collect(),
    };
    insert(db, JOB_TYPE, json!(work)).await
}

async fn insert(db: &Db, kind: &str, data: Value) -> String {
    let (base, cap) = (std::time::Duration::from_secs(5), std::time::Duration::from_secs(300));
    let retries = RetryPolicy { max_attempts: 3, base, factor: 1.5, cap, jitter: 0.0 };
    let id = ids::new_id();
    let insert = jobs::insert(&id, &Job::new(kind, data, &retries), Timestamp::now());
    let trace = crate::db::Statement::new("UPDATE jobs SET trace_id = 'trace' WHERE id = ?1", params![&id]);
    db.write(vec![insert, trace]).await.unwrap();
    id
}

/// Ends a job by hand, whoever does so in the end.
async fn end(db: &Db, id: &str, status: &str, members: Value) {
    let sql = "UPDATE jobs SET status = ?2, data = json_patch(data, ?3) WHERE id = ?1";
    db.write(vec![crate::db::Statement::new(sql, params![id, status, to_json(&members)])]).await.unwrap();
}

/// The payloads of all deliveries, by destination.
async fn deliveries(db: &Db) -> Vec<(String, Value)> {
    let sql = "SELECT type, data, trace_id FROM jobs WHERE type = 'webhook-delivery'";
    let rows = db.read(sql, params![]).await.unwrap().rows;
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| {
            let job: Job = row.json("data").unwrap();
            assert_eq!((job.kind.as_str(), job.max_attempts, job.retry_delay_ms), ("webhook-delivery", 8, 5000));
            assert_eq!(row.get::<String>("trace_id").unwrap(), "trace", "told in the same trace");
            assert_eq!((job.retry_backoff_multiplier, job.max_retry_delay_ms), (5.0, 300_000));
            (job.data["webhookId"].as_str().unwrap().to_owned(), job.data["data"].clone())
        })
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

fn computed(count: usize, dimensions: usize) -> Embeddings {
    let vectors = (0..count).map(|position| vec![position as f64 + 0.125; dimensions]).collect();
    Embeddings { model: "voyage-3.5".to_owned(), total_tokens: 9, vectors }
}

/// A job that has completed with these vectors.
async fn completed(db: &Db, embeddings: &Embeddings, expires_at: Timestamp) -> String {
    let id = recorded(db, &[]).await;
    db.write(embeddings.store(&id, expires_at)).await.unwrap();
    end(db, &id, "completed", json!({"result": embeddings.summary(expires_at)})).await;
    id
}

async fn shown(db: &Db, id: &str, now: Timestamp) -> Value {
    let job = jobs::find(db, id).await.unwrap().unwrap();
    with_vectors(db, job, now).await.unwrap().data.result.unwrap_or_default()
}

#[tokio::test]
async fn every_end_tells_each_destination_once() {
    for (status, members, payload) in [
        ("completed", json!({"result": {}}), json!({"status": "success"})),
        ("failed", json!({"error": "out of order"}), json!({"status": "error", "error": "out of order"})),
        (
            "terminated",
            json!({"error": "earlier", "terminationReason": "no \"key\""}),
            json!({"status": "error", "error": "no \"key\""}),
        ),
        ("failed", json!({"error": null}), json!({"status": "error", "error": "the job failed"})),
    ] {
        let (db, _folder) = database().await;
        let id = recorded(&db, &["b", "a", "b"]).await;
        end(&db, &id, "running", json!({})).await;
        end(&db, &id, "retrying", json!({"error": "passing"})).await;
        assert!(deliveries(&db).await.is_empty(), "only an end is told");
        end(&db, &id, status, members).await;
        end(&db, &id, status, json!({"more": 1})).await;
        let told = deliveries(&db).await;
        assert_eq!(told.iter().map(|(destination, _)| destination.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let mut expected = json!({"event": "webhook.deployment.embedding", "jobId": id});
        expected.as_object_mut().unwrap().extend(payload.as_object().unwrap().clone());
        assert!(told.iter().all(|(_, data)| *data == expected), "{told:?}");
    }
}

#[tokio::test]
async fn other_jobs_and_jobs_without_destinations_tell_nobody() {
    let (db, _folder) = database().await;
    let id = recorded(&db, &[]).await;
    end(&db, &id, "completed", json!({})).await;
    assert!(deliveries(&db).await.is_empty());
    let id = insert(&db, "webhook-delivery", json!({})).await;
    end(&db, &id, "completed", json!({"data": {"webhookDestinationIds": ["a"]}})).await;
    let rows = db.read("SELECT id FROM jobs WHERE type = 'webhook-delivery'", params![]).await.unwrap().rows;
    assert_eq!(rows.len(), 1, "the test delivery itself");
}

#[tokio::test]
async fn vectors_come_back_in_order_whatever_their_number() {
    let (db, _folder) = database().await;
    let later = Timestamp::now().plus_seconds(60);
    for count in [1, 100, 101, 1000] {
        let embeddings = computed(count, 3);
        let id = completed(&db, &embeddings, later).await;
        assert_eq!(find_result(&db, &id).await.unwrap().unwrap(), embeddings.vectors);
        let sql = "SELECT count(*) AS n FROM embedding_results WHERE job_id = ?1";
        let parts: u32 = db.read(sql, params![&id]).await.unwrap().first().unwrap().get("n").unwrap();
        assert_eq!(parts as usize, count.div_ceil(100));
        let result = shown(&db, &id, Timestamp::now()).await;
        assert_eq!(result["embeddings"], json!(embeddings.vectors));
        let summary = json!({"model": "voyage-3.5", "totalTokens": 9, "count": count, "dimensions": 3,
            "expiresAt": later, "embeddings": embeddings.vectors});
        assert_eq!(result, summary);
    }
    assert_eq!(find_result(&db, "unknown").await.unwrap(), None);
}

#[tokio::test]
async fn a_second_run_replaces_the_vectors_of_the_first() {
    let (db, _folder) = database().await;
    let later = Timestamp::now().plus_seconds(60);
    let id = completed(&db, &computed(250, 1), later).await;
    db.write(computed(2, 1).store(&id, later)).await.unwrap();
    assert_eq!(find_result(&db, &id).await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_too_large_to_show_is_still_there() {
    let (db, _folder) = database().await;
    let later = Timestamp::now().plus_seconds(60);
    let large = completed(&db, &computed(1000, 700), later).await;
    let result = shown(&db, &large, Timestamp::now()).await;
    assert_eq!((&result["embeddingsOmitted"], &result["embeddings"]), (&json!("too-large"), &Value::Null));
    assert_eq!(result["count"], 1000);
    assert_eq!(find_result(&db, &large).await.unwrap().unwrap().len(), 1000);

    // 3 MiB of vectors fit, but not beside 3 MiB of texts.
    let medium = completed(&db, &computed(500, 900), later).await;
    assert!(shown(&db, &medium, Timestamp::now()).await["embeddings"].is_array());
    let texts = json!({"data": {"inputs": "x".repeat(3 << 20)}});
    end(&db, &medium, "completed", texts).await;
    assert_eq!(shown(&db, &medium, Timestamp::now()).await["embeddingsOmitted"], "too-large");
}

#[tokio::test]
async fn expired_vectors_are_not_shown_and_go_job_by_job() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let mut ids = Vec::new();
    for seconds in [-30, -20, -10, 60] {
        ids.push(completed(&db, &computed(150, 1), now.plus_seconds(seconds)).await);
    }
    assert_eq!(shown(&db, &ids[0], now).await["embeddingsOmitted"], "expired");
    assert!(shown(&db, &ids[3], now).await["embeddings"].is_array());
    assert_eq!(delete_expired_results(&db, 2, now).await.unwrap(), 2, "the oldest first");
    for (id, is_there) in ids.iter().zip([false, false, true, true]) {
        assert_eq!(find_result(&db, id).await.unwrap().is_some(), is_there);
    }
    assert_eq!(delete_expired_results(&db, 2, now).await.unwrap(), 1);
    assert_eq!(delete_expired_results(&db, 2, now).await.unwrap(), 0, "what has time left stays");
    assert!(find_result(&db, &ids[3]).await.unwrap().is_some());
    let job = jobs::find(&db, &ids[0]).await.unwrap().unwrap();
    assert_eq!((job.status, &job.data.result.unwrap()["count"]), (JobStatus::Completed, &json!(150)), "the job stays");
}

#[tokio::test]
async fn the_vectors_go_with_their_job() {
    let (db, _folder) = database().await;
    let later = Timestamp::now().plus_seconds(60);
    let (gone, kept) = (completed(&db, &computed(2, 1), later).await, completed(&db, &computed(2, 1), later).await);
    db.write(vec![crate::db::Statement::new("DELETE FROM jobs WHERE id = ?1", params![&gone])]).await.unwrap();
    assert_eq!(find_result(&db, &gone).await.unwrap(), None);
    assert!(find_result(&db, &kept).await.unwrap().is_some());
}

#[tokio::test]
async fn unfinished_jobs_are_shown_as_they_are() {
    let (db, _folder) = database().await;
    let id = recorded(&db, &[]).await;
    assert_eq!(shown(&db, &id, Timestamp::now()).await, Value::Null);
    let plan = db
        .read(
            "EXPLAIN QUERY PLAN SELECT job_id FROM embedding_results WHERE part = 0 AND expires_at <= 'x'
            ORDER BY expires_at, job_id LIMIT 5",
            params![],
        )
        .await
        .unwrap();
    let detail: String = plan.first().unwrap().get("detail").unwrap();
    assert!(detail.contains("embedding_results_expiring"), "{detail}");
}

#[test]
fn models_have_the_vendors_names() {
    for model in [
        EmbeddingModel::Voyage3Large,
        EmbeddingModel::Voyage35,
        EmbeddingModel::Voyage35Lite,
        EmbeddingModel::VoyageCode3,
        EmbeddingModel::VoyageFinance2,
        EmbeddingModel::VoyageLaw2,
    ] {
        assert_eq!(json!(model), json!(model.as_str()));
    }
}

#[test]
fn sizes_are_those_of_the_model() {
    let words = |count: usize| EmbeddingInputs::One("word ".repeat(count));
    for (model, limit) in [
        (EmbeddingModel::Voyage35Lite, 1_000_000),
        (EmbeddingModel::Voyage35, 320_000),
        (EmbeddingModel::Voyage3Large, 120_000),
    ] {
        assert_eq!(words(limit).check_size(model), Ok(()));
        let refused = words(limit + 1).check_size(model);
        assert_eq!(refused, Err(InputsTooLarge::Tokens { estimated: limit + 1, limit }));
    }
    let many = |count: usize| EmbeddingInputs::Many(vec!["a".to_owned(); count]);
    assert_eq!(many(1000).check_size(EmbeddingModel::VoyageLaw2), Ok(()));
    assert_eq!(many(1001).check_size(EmbeddingModel::VoyageLaw2), Err(InputsTooLarge::Count(1001)));
    let split = EmbeddingInputs::Many(vec!["a b".to_owned(); 1000]);
    assert_eq!(split.check_size(EmbeddingModel::VoyageLaw2), Ok(()));
}

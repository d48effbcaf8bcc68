//! What time alone triggers, through the function that does it.

use std::time::{Duration, Instant};

use job_maintenance::{Duty, Report};
use serde_json::{Value, json};
use shared_core::{
    Timestamp,
    db::Statement,
    ids,
    jobs::{self, pipeline},
    params,
};
use shared_jobs::{JobType, types::WebhookDelivery};
use tests::{CaughtLog, TestApp};

const DAY: i64 = 86_400;

async fn write(app: &TestApp, sql: &'static str) {
    app.db.write(vec![Statement::new(sql, params![])]).await.expect("the database answers");
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let rows = app.db.read(sql, params![]).await.expect("the database answers");
    rows.first().expect("a count").get("n").expect("a number")
}

async fn round(app: &TestApp, now: Timestamp) -> Report {
    app.maintenance.run(now, None).await.expect("the database answers")
}

async fn start(app: &TestApp, token: &str, body: &Value) -> Vec<String> {
    let data = app.post("/api/v1/executions", token, body).send().await.data(201);
    let ids = data["executionIds"].as_array().expect("a list of ids");
    ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

fn text_run() -> Value {
    json!({"promptText": "Say hello", "userInput": "", "providerModel": ["ollama:demo:latest"]})
}

async fn cancel(app: &TestApp, token: &str, id: &str) {
    assert_eq!(app.delete(&format!("/api/v1/executions/{id}"), token).send().await.status.as_u16(), 204);
}

#[tokio::test]
async fn with_nothing_to_do_a_round_does_nothing() {
    let app = TestApp::empty().await;
    let log = CaughtLog::start();
    assert_eq!(round(&app, Timestamp::now()).await, Report::default());
    assert_eq!(log.take(), Vec::<Value>::new());
}

#[tokio::test]
async fn executions_are_kept_unless_told_otherwise() {
    let (app, token) = TestApp::with_providers().await;
    let id = start(&app, &token, &text_run()).await.remove(0);
    cancel(&app, &token, &id).await;
    let report = round(&app, Timestamp::now().plus_seconds(5000 * DAY)).await;
    assert_eq!(report.deleted_executions, 0);
    app.get(&format!("/api/v1/executions/{id}"), &token).send().await.data(200);
}

#[tokio::test]
async fn old_executions_go_and_what_refers_to_them_stays() {
    let (app, token) = TestApp::with_variables(&[("EXECUTION_RETENTION_DAYS", "90")]).await;
    app.vendor.on("GET", "/api/tags", shared_testing::vendor::ollama::tags(["demo:latest"]));
    app.add_provider(shared_core::ProviderName::Ollama, &token).await;
    let id = |data: Value| data["id"].as_str().expect("an id").to_owned();
    let prompt = json!({"name": "plain", "prompt": "Say hello"});
    let prompt = id(app.post("/api/v1/prompts", &token, &prompt).send().await.data(201));
    let group = json!({"name": "cases", "mode": "raw"});
    let group = id(app.post("/api/v1/test-data/groups", &token, &group).send().await.data(201));
    let items = format!("/api/v1/test-data/groups/{group}/items");
    app.post(&items, &token, &json!({"content": "x"})).send().await.data(201);
    let run = json!({"promptId": prompt, "testDataGroupId": group, "providerModel": ["ollama:a", "ollama:b"]});
    let ids = start(&app, &token, &run).await;
    let comment = json!({"text": "good", "data": {"type": "generic"}, "execution_id": ids[0], "prompt_id": prompt});
    app.post("/api/v1/comments", &token, &comment).send().await.data(201);
    cancel(&app, &token, &ids[0]).await;

    let now = Timestamp::now();
    assert_eq!(round(&app, now.plus_seconds(89 * DAY)).await.deleted_executions, 0);
    assert_eq!(round(&app, now.plus_seconds(91 * DAY)).await.deleted_executions, 1);
    assert_eq!(round(&app, now.plus_seconds(91 * DAY)).await.deleted_executions, 0, "the other one still waits");
    let path = |id: &str| format!("/api/v1/executions/{id}");
    assert_eq!(app.get(&path(&ids[0]), &token).send().await.status.as_u16(), 404);
    app.get(&path(&ids[1]), &token).send().await.data(200);

    let bundles = app.get(&format!("/api/v1/execution-bundles?test_group_id={group}"), &token).send().await.data(200);
    assert_eq!(bundles[0]["execution_ids"], json!(ids), "a bundle is never changed");
    let listed = format!("/api/v1/executions?ids={}&limit=100", ids.join(","));
    let listed = app.get(&listed, &token).send().await.data(200);
    assert_eq!((&listed["total"], &listed["data"][0]["id"]), (&json!(1), &json!(ids[1])), "what is left of it shows");
    for query in [format!("execution_id={}", ids[0]), format!("prompt_id={prompt}")] {
        let comments = app.get(&format!("/api/v1/comments?{query}"), &token).send().await.data(200);
        assert_eq!(comments.as_array().map(Vec::len), Some(1), "{query}: {comments}");
    }
    let stats = app.get("/api/v1/executions/stats/all", &token).send().await.data(200);
    assert_eq!((&stats["total"], &stats["failed"], &stats["pending"]), (&json!(1), &json!(0), &json!(1)));
}

#[tokio::test]
async fn jobs_that_ended_are_kept_for_thirty_days() {
    let (app, token) = TestApp::with_admin().await;
    write(
        &app,
        "INSERT INTO jobs (id, data, created_at, updated_at, scheduled_at, type, status, completed_at)
        VALUES ('0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10',
            '{\"type\":\"webhook-delivery\",\"data\":{},\"maxAttempts\":8,\"retryDelayMs\":1,\"retryBackoffMultiplier\":5,
            \"maxRetryDelayMs\":1}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z',
            '2026-01-01T00:00:00.000Z', 'webhook-delivery', 'completed', '2026-01-01T00:00:00.000Z')",
    )
    .await;
    let path = "/api/v1/jobs/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
    let ended: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
    assert_eq!(round(&app, ended.plus_seconds(30 * DAY)).await.deleted_jobs, 0);
    app.get(path, &token).send().await.data(200);
    assert_eq!(round(&app, ended.plus_seconds(30 * DAY + 1)).await.deleted_jobs, 1);
    assert_eq!(app.get(path, &token).send().await.status.as_u16(), 404);
}

/// Records a delivery that has been due for two minutes, as a trigger of the database does: nobody announced it.
async fn delivery(app: &TestApp) -> String {
    let id = ids::new_id();
    let job = WebhookDelivery { webhook_id: ids::new_id(), url: None, data: json!({"event": "x"}) }.to_job();
    let insert = jobs::insert(&id, &job, Timestamp::now().plus_seconds(-120));
    app.db.write(vec![insert]).await.expect("the job is new");
    id
}

#[tokio::test]
async fn jobs_are_announced_until_somebody_takes_them() {
    let (app, _token, queue) = TestApp::with_queue().await;
    let id = delivery(&app).await;
    assert_eq!(round(&app, Timestamp::now()).await, Report { jobs_announced: 1, ..Report::default() });
    assert_eq!(round(&app, Timestamp::now()).await, Report::default(), "the announcement may still be on its way");
    let later = Timestamp::now().plus_seconds(121);
    assert_eq!(round(&app, later).await.jobs_announced, 1, "nobody answered");
    assert_eq!(queue.announced(), [id.clone(), id.clone()]);

    let (kind, lease, then) = (WebhookDelivery::KIND.name, Duration::from_secs(1), Timestamp::now().plus_seconds(-60));
    let claim = pipeline::claim(&app.db, kind, &id, lease, then).await.expect("the database answers");
    assert_eq!(claim.expect("it is due").attempt, 1);
    let report = round(&app, Timestamp::now()).await;
    assert_eq!((report.jobs_requeued, report.jobs_announced), (1, 1), "its worker went silent");
    assert_eq!(queue.announced().len(), 3);
}

#[tokio::test]
async fn a_queue_that_is_away_costs_one_try_per_type() {
    let app = TestApp::empty().await;
    delivery(&app).await;
    let log = CaughtLog::start();
    assert_eq!(round(&app, Timestamp::now()).await.jobs_announced, 0);
    assert_eq!(log.take().len(), 1);
    let sql = "SELECT count(*) AS n FROM jobs WHERE announced_at IS NULL AND status = 'pending'";
    assert_eq!(count(&app, sql).await, 1, "the next round tries again");
}

#[tokio::test]
async fn expired_invitations_free_their_addresses() {
    let (app, token) = TestApp::with_admin().await;
    let invitation = json!({"email": "grace@example.com", "name": "Grace", "role": "user"});
    let invite = || app.post("/api/v1/users/invite", &token, &invitation).send();
    invite().await.data(201);
    let now = Timestamp::now();
    assert_eq!(round(&app, now.plus_seconds(6 * DAY)).await.deleted_invitations, 0);
    assert_eq!(invite().await.status.as_u16(), 400, "the address is taken");
    assert_eq!(round(&app, now.plus_seconds(8 * DAY)).await.deleted_invitations, 1);
    assert_eq!(round(&app, now.plus_seconds(8 * DAY)).await.deleted_invitations, 0);
    invite().await.data(201);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM users").await, 2, "accounts that are in use stay");
}

#[tokio::test]
async fn a_spoiled_counter_is_named_in_the_log_and_repaired() {
    let (app, token) = TestApp::with_providers().await;
    start(&app, &token, &text_run()).await;
    round(&app, Timestamp::now()).await;
    write(&app, "UPDATE execution_counts SET n = n + 4").await;
    let stats = async || app.get("/api/v1/executions/stats/all", &token).send().await.data(200);
    assert_eq!(stats().await["pending"], 5);

    let log = CaughtLog::start();
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 1);
    let lines = log.take();
    let about = |line: &&Value| line["table"] == "execution_counts";
    let lines: Vec<&Value> = lines.iter().filter(about).collect();
    assert_eq!(lines.len(), 1, "one line");
    assert_eq!(lines[0]["level"], "WARN");
    let month = &Timestamp::now().to_string()[..7];
    assert_eq!(
        (&lines[0]["of"], &lines[0]["named"]),
        (&json!(format!("\"\" {month}")), &json!("ollama pending: kept 5, counted 1"))
    );
    assert_eq!(stats().await["pending"], 1);
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 0);
}

#[tokio::test]
async fn a_round_looks_at_five_months_that_are_in_order_and_at_all_that_are_not_between_them() {
    let app = TestApp::empty().await;
    // Months without executions, seven of them in order: nothing is kept and nothing is there.
    write(
        &app,
        "INSERT INTO execution_counts (prompt_id, period, provider, status, starred, n)
        SELECT 'a', printf('2025-%02d', value), 'ollama', 'failed', 0, CASE WHEN value IN (3, 4, 8) THEN 2 ELSE 0 END
        FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]')",
    )
    .await;
    let left = async || count(&app, "SELECT count(*) AS n FROM execution_counts").await;
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 2, "January to July");
    assert_eq!(left().await, 3, "what came down to nothing is gone");
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 1, "August to October");
    assert_eq!(left().await, 0);
    assert_eq!(count(&app, "SELECT sum(n) AS n FROM execution_totals").await, 0);

    write(&app, "UPDATE execution_totals SET n = 3").await;
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 1, "totals are looked at behind the last month");
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 0);
}

#[tokio::test]
async fn a_spoiled_counter_of_jobs_is_named_in_the_log_and_repaired() {
    let (app, token, _queue) = TestApp::with_queue().await;
    delivery(&app).await;
    write(&app, "UPDATE job_counts SET n = n + 4").await;
    let total = async || app.get("/api/v1/jobs", &token).send().await.data(200)["total"].clone();
    assert_eq!(total().await, 5);
    let log = CaughtLog::start();
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 1);
    let lines = log.take();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["table"] == "job_counts").collect();
    assert_eq!(lines.len(), 1, "one line");
    assert_eq!((&lines[0]["level"], &lines[0]["named"]), (&json!("WARN"), &json!("pending: kept 5, counted 1")));
    assert_eq!(total().await, 1);
    assert_eq!(round(&app, Timestamp::now()).await.repaired, 0);
}

/// Counters change between the steps of a round; nothing is taken for a fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_meanwhile_is_no_difference() {
    let (app, token) = TestApp::with_providers().await;
    let writing = async {
        for _ in 0..10 {
            let id = start(&app, &token, &text_run()).await.remove(0);
            cancel(&app, &token, &id).await;
        }
    };
    let looking = async {
        let mut repaired = 0;
        for _ in 0..30 {
            repaired += round(&app, Timestamp::now()).await.repaired;
        }
        repaired
    };
    let ((), repaired) = tokio::join!(writing, looking);
    assert_eq!(repaired, 0);
    assert_eq!(count(&app, "SELECT sum(n) AS n FROM execution_counts WHERE status = 'failed'").await, 10);
}

#[tokio::test]
async fn a_spoiled_sum_of_usage_is_named_in_the_log_and_repaired() {
    let (app, token) = TestApp::with_admin().await;
    write(
        &app,
        "INSERT INTO usage_events VALUES ('2026-01-31T09:15:00.042Z', 'a', 'ollama', 'm', 3, 4),
            ('2026-05-31T09:15:00.042Z', 'b', 'openai', 'n', 1, 1)",
    )
    .await;
    write(&app, "UPDATE usage_sums SET output_tokens = 9 WHERE unit = 'day' AND model = 'n'").await;
    write(&app, "DELETE FROM usage_sums WHERE unit = 'month' AND model = 'n'").await;
    let log = CaughtLog::start();
    let mut rounds = Vec::new();
    for _ in 0..4 {
        rounds.push(round(&app, Timestamp::now()).await.repaired);
    }
    assert_eq!(
        rounds,
        [0, 0, 1, 2],
        "the first day of a month with sums, days with usage, a month behind its last day"
    );
    let lines = log.take();
    let named: Vec<&Value> = lines.iter().map(|line| &line["named"]).collect();
    let expected = [
        "2026-05-31 openai n: output tokens kept 9, counted 1",
        "2026-05 openai n: executions kept 0, counted 1 input tokens kept 0, counted 1 output tokens kept 0, counted 1; \
        2026-05T09 openai n: executions kept 0, counted 1 input tokens kept 0, counted 1 output tokens kept 0, counted 1",
    ];
    assert_eq!(named, expected);
    assert_eq!((&lines[0]["level"], &lines[0]["table"]), (&json!("WARN"), &json!("usage_sums")));
    let stats = app.get("/api/v1/dashboard/stats", &token).send().await.json();
    assert_eq!(stats["data"]["totalTokensUsed"], 9, "what the dashboard shows is right again");

    write(&app, "DELETE FROM usage_sums").await;
    for _ in 0..4 {
        round(&app, Timestamp::now()).await;
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM usage_sums").await, 4, "from the beginning again");
}

#[tokio::test]
async fn no_duty_is_begun_when_the_time_is_over() {
    let (app, token) = TestApp::with_admin().await;
    let invitation = json!({"email": "grace@example.com", "name": "Grace", "role": "user"});
    app.post("/api/v1/users/invite", &token, &invitation).send().await.data(201);
    let later = Timestamp::now().plus_seconds(30 * DAY);
    let report = app.maintenance.run(later, Some(Instant::now())).await.unwrap();
    assert_eq!(report, Report { left_out: Duty::ALL.to_vec(), ..Report::default() });
    assert_eq!(round(&app, later).await.deleted_invitations, 1, "the next round has time");
}

#[tokio::test]
async fn a_failing_duty_does_not_keep_the_others_from_their_work() {
    let (app, token) = TestApp::with_admin().await;
    let invitation = json!({"email": "grace@example.com", "name": "Grace", "role": "user"});
    app.post("/api/v1/users/invite", &token, &invitation).send().await.data(201);
    write(&app, "ALTER TABLE executions RENAME TO lost").await;
    let log = CaughtLog::start();
    let later = Timestamp::now().plus_seconds(30 * DAY);
    assert!(app.maintenance.run(later, None).await.is_err(), "the round has failed");
    assert!(log.take().iter().any(|line| line["level"] == "ERROR" && line["duty"] == "Executions"));
    assert_eq!(count(&app, "SELECT count(*) AS n FROM users").await, 1, "and did its other work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_rounds_at_once_do_the_work_of_one() {
    let (app, token) = TestApp::with_variables(&[("EXECUTION_RETENTION_DAYS", "1")]).await;
    app.vendor.on("GET", "/api/tags", shared_testing::vendor::ollama::tags(["demo:latest"]));
    app.add_provider(shared_core::ProviderName::Ollama, &token).await;
    let mut body = text_run();
    body["providerModel"] = json!(vec!["ollama:demo:latest"; 20]);
    let ids = start(&app, &token, &body).await;
    for id in &ids[..10] {
        cancel(&app, &token, id).await;
    }
    write(&app, "UPDATE execution_counts SET n = n + 4").await;
    let later = Timestamp::now().plus_seconds(2 * DAY);
    let (one, other) = tokio::join!(app.maintenance.run(later, None), app.maintenance.run(later, None));
    assert_eq!(one.unwrap().deleted_executions + other.unwrap().deleted_executions, 10, "each once");
    round(&app, later).await;
    assert_eq!(count(&app, "SELECT sum(n) AS n FROM execution_counts").await, 10);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM executions WHERE status = 'pending'").await, 10);
}

//! The dashboard (contract 20, defects DB-01 to DB-07).

use serde_json::{Value, json};
use shared_core::{Timestamp, db::Statement, params};
use tests::TestApp;

const OPERATIONS: [&str; 6] = [
    "stats",
    "token-usage/summary",
    "token-usage/daily",
    "token-usage/hourly",
    "token-usage/daily/grouped",
    "token-usage/hourly/grouped",
];

/// Records an execution that completed at this instant.
async fn completed(app: &TestApp, instant: &str, provider: &str, model: &str, tokens: (u32, u32)) {
    let id = shared_core::ids::new_id();
    let data = json!({"provider": provider, "model": model, "origin": "app", "user_input": "",
        "input_tokens_used": tokens.0, "output_tokens_used": tokens.1});
    let insert = "INSERT INTO executions (id, data, provider, model, created_at, updated_at)
        VALUES (?1, ?2, ?2 ->> 'provider', ?2 ->> 'model', ?3, ?3)";
    let finish = "UPDATE executions SET status = 'completed', completed_at = ?2, updated_at = ?2 WHERE id = ?1";
    let insert = Statement::new(insert, params![&id, data.to_string(), instant]);
    app.db.write(vec![insert, Statement::new(finish, params![&id, instant])]).await.expect("the id is new");
}

/// `data` of an answer, after checking the envelope that only the dashboard has.
async fn read(app: &TestApp, token: &str, path: &str) -> Value {
    let answer = app.get(&format!("/api/v1/dashboard/{path}"), token).send().await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    let body = answer.json();
    assert_eq!((&body["success"], &body["err"]), (&json!(true), &json!(false)));
    assert_eq!(body.as_object().expect("an object").len(), 3, "{body}");
    body["data"].clone()
}

async fn with_usage() -> (TestApp, String) {
    let (app, token) = TestApp::with_admin().await;
    completed(&app, "2026-01-30T23:59:59.999Z", "ollama", "llama3:8b", (1, 1)).await;
    completed(&app, "2026-01-31T00:00:00.000Z", "openai", "gpt-5", (20, 10)).await;
    completed(&app, "2026-01-31T09:15:00.042Z", "ollama", "llama3:8b", (3, 4)).await;
    completed(&app, "2026-01-31T09:15:00.043Z", "deepinfra", "gpt-5", (5, 0)).await;
    completed(&app, "2026-02-01T00:00:00.000Z", "openai", "gpt-5", (100, 0)).await;
    (app, token)
}

#[tokio::test]
async fn headline_figures_honour_the_range() {
    let (app, token) = with_usage().await;
    let stats = read(&app, &token, "stats?startDate=2026-01-31&endDate=2026-01-31").await;
    let top =
        |name: &str, tokens: u64| json!({"name": name, "tokens": tokens, "percentage": tokens as f64 / 42.0 * 100.0});
    assert_eq!(
        stats,
        json!({"totalTokensUsed": 42, "totalExecutions": 3, "activeProviders": 3, "activeModels": 3,
            "topProvider": top("openai", 30), "topModel": top("gpt-5", 30)})
    );
    assert_eq!(read(&app, &token, "stats").await["totalExecutions"], 5);
    let none = read(&app, &token, "stats?startDate=2027-01-01&endDate=2026-01-01").await;
    assert_eq!(none, json!({"totalTokensUsed": 0, "totalExecutions": 0, "activeProviders": 0, "activeModels": 0}));
}

#[tokio::test]
async fn ranges_are_exact_to_the_millisecond() {
    let (app, token) = with_usage().await;
    for (from, until, executions) in [
        ("2026-01-31T09:15:00.042Z", "2026-01-31T09:15:00.042Z", 1),
        ("2026-01-31T09:15:00.042Z", "2026-01-31T09:15:00.043Z", 2),
        ("2026-01-31T09:15:00.043Z", "2026-01-31T23:59:59.999Z", 1),
        ("2026-01-30T23:59:59.999Z", "2026-01-31T00:00:00.000Z", 2),
        ("2026-01-31T00:00:00.001Z", "2026-01-31T09:15:00.041Z", 0),
        ("2026-01-31T10:15:00.043%2B01:00", "2026-02-01", 2),
        ("0000-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", 5),
        ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59-23:59", 0),
        ("0000-01-01T00:00:00%2B23:59", "0000-01-01T00:00:00%2B23:59", 0),
    ] {
        let stats = read(&app, &token, &format!("stats?startDate={from}&endDate={until}")).await;
        assert_eq!(stats["totalExecutions"], executions, "{from} to {until}");
    }
}

#[tokio::test]
async fn series_have_their_buckets_and_order() {
    let (app, token) = with_usage().await;
    let day = "startDate=2026-01-31&endDate=2026-01-31T23:59:59.999Z";
    let sums = |input: u64, output: u64, count: u64| json!({"totalTokens": input + output, "inputTokens": input, "outputTokens": output, "executionCount": count});
    let entry = |names: Value, sums: Value| {
        let mut entry = names.as_object().expect("an object").clone();
        entry.extend(sums.as_object().expect("an object").clone());
        Value::Object(entry)
    };
    assert_eq!(
        read(&app, &token, &format!("token-usage/summary?{day}")).await,
        json!([
            entry(json!({"provider": "openai", "model": "gpt-5"}), sums(20, 10, 1)),
            entry(json!({"provider": "ollama", "model": "llama3:8b"}), sums(3, 4, 1)),
            entry(json!({"provider": "deepinfra", "model": "gpt-5"}), sums(5, 0, 1)),
        ])
    );
    assert_eq!(
        read(&app, &token, "token-usage/daily?startDate=2026-01-01&days=1").await,
        json!([
            entry(json!({"date": "2026-01-30"}), sums(1, 1, 1)),
            entry(json!({"date": "2026-01-31"}), sums(28, 14, 3)),
            entry(json!({"date": "2026-02-01"}), sums(100, 0, 1)),
        ]),
        "dates win over days"
    );
    assert_eq!(
        read(&app, &token, "token-usage/hourly?startDate=2026-01-01").await,
        json!([
            entry(json!({"hour": 0}), sums(120, 10, 2)),
            entry(json!({"hour": 9}), sums(8, 4, 2)),
            entry(json!({"hour": 23}), sums(1, 1, 1)),
        ]),
        "days are merged"
    );
    assert_eq!(
        read(&app, &token, &format!("token-usage/daily/grouped?{day}")).await,
        json!([
            entry(json!({"date": "2026-01-31", "provider": "deepinfra", "model": "gpt-5"}), sums(5, 0, 1)),
            entry(json!({"date": "2026-01-31", "provider": "ollama", "model": "llama3:8b"}), sums(3, 4, 1)),
            entry(json!({"date": "2026-01-31", "provider": "openai", "model": "gpt-5"}), sums(20, 10, 1)),
        ])
    );
    assert_eq!(
        read(&app, &token, "token-usage/hourly/grouped?endDate=2026-01-31T09:15:00.042Z").await,
        json!([
            entry(json!({"hour": 0, "provider": "openai", "model": "gpt-5"}), sums(20, 10, 1)),
            entry(json!({"hour": 9, "provider": "ollama", "model": "llama3:8b"}), sums(3, 4, 1)),
            entry(json!({"hour": 23, "provider": "ollama", "model": "llama3:8b"}), sums(1, 1, 1)),
        ])
    );
}

#[tokio::test]
async fn without_dates_the_window_ends_now() {
    let (app, token) = with_usage().await;
    let now = Timestamp::now();
    completed(&app, &now.to_string(), "ollama", "m", (1, 0)).await;
    completed(&app, &now.plus_seconds(-86_400).to_string(), "ollama", "m", (1, 0)).await;
    completed(&app, &now.plus_seconds(-32 * 86_400).to_string(), "ollama", "m", (1, 0)).await;
    let count = async |path: &str| read(&app, &token, path).await.as_array().expect("a list").len();
    assert_eq!(count("token-usage/daily?days=1").await, 1);
    assert_eq!(count("token-usage/daily?days=2").await, 2);
    assert_eq!(count("token-usage/daily").await, 2);
    let hourly = read(&app, &token, "token-usage/hourly?hours=1").await;
    assert_eq!(hourly[0]["executionCount"], 1);
    let hourly = read(&app, &token, "token-usage/hourly?hours=25").await;
    let sum: u64 = hourly.as_array().expect("a list").iter().filter_map(|entry| entry["executionCount"].as_u64()).sum();
    assert_eq!(sum, 2);
}

#[tokio::test]
async fn bounds_are_instants_or_days_and_nothing_else() {
    let (app, token) = TestApp::with_admin().await;
    let issues =
        async |query: &str| app.get(&format!("/api/v1/dashboard/{query}"), &token).send().await.issues("query");
    for operation in OPERATIONS {
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-01-31T25:00:00Z",
            "2026-01-31%2000:00",
            "1'%20OR%201=1--",
            "2026-01-31T00:00:00",
        ] {
            let query = format!("{operation}?startDate={text}&endDate={text}");
            assert_eq!(issues(&query).await, ["startDate", "endDate"], "{query}");
        }
        assert_eq!(issues(&format!("{operation}?colour=red")).await, ["request"]);
        assert_eq!(app.call("GET", &format!("/api/v1/dashboard/{operation}")).send().await.bare(401), "Unauthorized");
        read(&app, &token, operation).await;
        read(&app, &token, &format!("{operation}?startDate=0000-01-01&endDate=9999-12-31T23:59:59.999Z")).await;
    }
    for days in ["0", "91", "1.5", "x", ""] {
        assert_eq!(issues(&format!("token-usage/daily?days={days}")).await, ["days"], "{days}");
        assert_eq!(issues(&format!("token-usage/daily/grouped?days={days}")).await, ["days"], "{days}");
    }
    for hours in ["0", "169", "1e1"] {
        assert_eq!(issues(&format!("token-usage/hourly?hours={hours}")).await, ["hours"], "{hours}");
        assert_eq!(issues(&format!("token-usage/hourly/grouped?hours={hours}")).await, ["hours"], "{hours}");
    }
    assert_eq!(issues("stats?days=1").await, ["request"]);
}

#[tokio::test]
async fn a_failure_can_be_read_by_clients() {
    let (app, token) = TestApp::with_admin().await;
    app.db.write(vec![Statement::new("ALTER TABLE usage_events RENAME TO elsewhere", params![])]).await.unwrap();
    let answer = app.get("/api/v1/dashboard/stats", &token).send().await;
    assert_eq!(answer.status.as_u16(), 500);
    let body = answer.json();
    assert_eq!((&body["success"], &body["err"]), (&json!(false), &json!(true)));
    assert!(body["error"].is_string() && body["data"]["error"].is_string() && body["data"]["message"].is_string());
    assert!(!answer.text.contains("usage_events"), "causes stay in the log");
}

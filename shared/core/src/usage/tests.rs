use serde_json::json;

use super::*;
use crate::{
    db::{Db, Statement},
    instant::Timestamp,
    params,
    testing::database,
};

/// Executions that completed at these instants, each with its place in the list as input tokens and one output token.
async fn completed(db: &Db, instants: &[&str]) {
    for (index, instant) in instants.iter().enumerate() {
        let (provider, model) = if index % 2 == 0 { ("ollama", "llama3:8b") } else { ("openai", "gpt-5") };
        let data = json!({"provider": provider, "model": model, "origin": "app", "input_tokens_used": 1_u64 << index,
            "output_tokens_used": 1});
        let insert = "INSERT INTO executions (id, data, provider, model, created_at, updated_at)
            VALUES (?1, ?2, ?2 ->> 'provider', ?2 ->> 'model', ?3, ?3)";
        let finish = "UPDATE executions SET status = 'completed', completed_at = ?2 WHERE id = ?1";
        let id = format!("e{index}");
        let insert = Statement::new(insert, params![&id, data.to_string(), *instant]);
        db.write(vec![insert, Statement::new(finish, params![&id, *instant])]).await.unwrap();
    }
}

const INSTANTS: [&str; 9] = [
    "2026-01-30T23:59:59.999Z",
    "2026-01-31T00:00:00.000Z",
    "2026-01-31T09:00:00.000Z",
    "2026-01-31T09:15:00.042Z",
    "2026-01-31T09:59:59.999Z",
    "2026-01-31T10:00:00.000Z",
    "2026-01-31T11:30:00.000Z",
    "2026-01-31T23:59:59.999Z",
    "2026-02-01T09:00:00.000Z",
];

fn range(from: &str, until: &str) -> Range {
    let read = |text: &str| (!text.is_empty()).then(|| text.parse::<Timestamp>().unwrap());
    Range { from: read(from), until: read(until) }
}

/// Every pair of bounds around every instant gives what a walk over all executions would give.
#[tokio::test]
async fn figures_are_exact_to_the_millisecond() {
    let (db, _folder) = database().await;
    completed(&db, &INSTANTS).await;
    let mut bounds = vec![String::new()];
    for instant in INSTANTS {
        let instant: Timestamp = instant.parse().unwrap();
        bounds.extend([-1, 0, 1].map(|millis| instant.plus_millis(millis).to_string()));
    }
    bounds.push("0000-01-01T00:00:00.000Z".to_owned());
    bounds.push("9999-12-31T23:59:59.999Z".to_owned());
    for from in &bounds {
        for until in &bounds {
            let found = by_model(&db, range(from, until)).await.unwrap();
            let sums = (
                found.iter().map(|(_, usage)| usage.input_tokens).sum::<u64>(),
                found.iter().map(|(_, usage)| usage.executions).sum::<u64>(),
            );
            let is_inside = |instant: &str| {
                (from.is_empty() || instant >= from.as_str()) && (until.is_empty() || instant <= until.as_str())
            };
            let inside: Vec<usize> = (0..INSTANTS.len()).filter(|&index| is_inside(INSTANTS[index])).collect();
            let expected = (inside.iter().map(|index| 1_u64 << index).sum(), inside.len() as u64);
            assert_eq!(sums, expected, "{from} to {until}");
        }
    }
}

#[tokio::test]
async fn buckets_are_utc_days_and_hours_of_the_day() {
    let (db, _folder) = database().await;
    completed(&db, &INSTANTS).await;
    let days = by_day(&db, Range::default()).await.unwrap();
    let counts: Vec<(&str, u64)> = days.iter().map(|(day, usage)| (day.as_str(), usage.executions)).collect();
    assert_eq!(counts, [("2026-01-30", 1), ("2026-01-31", 7), ("2026-02-01", 1)]);
    let hours = by_hour(&db, Range::default()).await.unwrap();
    let counts: Vec<(u32, u64)> = hours.iter().map(|(hour, usage)| (*hour, usage.executions)).collect();
    assert_eq!(counts, [(0, 1), (9, 4), (10, 1), (11, 1), (23, 2)], "hours of all days together");

    let grouped = by_day_and_model(&db, range("2026-01-31T09:15:00.000Z", "2026-01-31T11:00:00.000Z")).await.unwrap();
    let entries: Vec<_> =
        grouped.iter().map(|(day, model, usage)| (day.as_str(), model, usage.total_tokens())).collect();
    let model = |provider: &str, model: &str| Model { provider: provider.into(), model: model.into() };
    assert_eq!(
        entries,
        [("2026-01-31", &model("ollama", "llama3:8b"), 17), ("2026-01-31", &model("openai", "gpt-5"), 42)]
    );
    let grouped = by_hour_and_model(&db, range("", "2026-01-31T09:15:00.041Z")).await.unwrap();
    let entries: Vec<_> = grouped.iter().map(|(hour, model, _)| (*hour, model.provider.as_str())).collect();
    assert_eq!(entries, [(0, "openai"), (9, "ollama"), (23, "ollama")]);
}

use std::{cmp::Reverse, collections::BTreeMap};

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
        grouped.iter().map(|((day, model), usage)| (day.as_str(), model, usage.total_tokens())).collect();
    let model = |provider: &str, model: &str| Model { provider: provider.into(), model: model.into() };
    assert_eq!(
        entries,
        [("2026-01-31", &model("ollama", "llama3:8b"), 17), ("2026-01-31", &model("openai", "gpt-5"), 42)]
    );
    let grouped = by_hour_and_model(&db, range("", "2026-01-31T09:15:00.041Z")).await.unwrap();
    let entries: Vec<_> = grouped.iter().map(|((hour, model), _)| (*hour, model.provider.as_str())).collect();
    assert_eq!(entries, [(0, "openai"), (9, "ollama"), (23, "ollama")]);
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// An instant of three years, often at an end of an hour, a day or a month.
    fn instant(&mut self) -> Timestamp {
        let months = ["2024-02-29", "2025-01-01", "2025-12-31", "2026-01-31", "2026-03-01"];
        let base: Timestamp = format!("{}T00:00:00.000Z", months[self.below(5) as usize]).parse().unwrap();
        let seconds = [0, 3600, 86_400, 86_400 * 31, self.below(86_400 * 40)][self.below(5) as usize];
        base.plus_seconds(seconds as i64).plus_millis(self.below(3) as i64 - 1)
    }
}

/// One execution: when it completed, by which model, and its tokens.
type Event = (String, Model, Usage);

/// Sums by `key` over the events in a range, the plain way.
fn plain<K: Ord>(events: &[Event], range: Range, key: impl Fn(&Event) -> K) -> Vec<(K, Usage)> {
    let (from, until) = (range.from.map(|at| at.to_string()), range.until.map(|at| at.to_string()));
    let is_inside =
        |at: &String| from.as_ref().is_none_or(|from| at >= from) && until.as_ref().is_none_or(|until| at <= until);
    let mut sums = BTreeMap::<K, Usage>::new();
    for event in events.iter().filter(|event| is_inside(&event.0)) {
        *sums.entry(key(event)).or_default() += event.2;
    }
    sums.into_iter().collect()
}

#[tokio::test]
async fn every_series_of_every_range_is_what_the_events_add_up_to() {
    let (db, _folder) = database().await;
    let mut numbers = Numbers(42);
    let events: Vec<Event> = (0..400)
        .map(|_| {
            let model = Model { provider: format!("p{}", numbers.below(3)), model: format!("m{}", numbers.below(3)) };
            let (input_tokens, output_tokens) = (numbers.below(1000), numbers.below(1000));
            (numbers.instant().to_string(), model, Usage { input_tokens, output_tokens, executions: 1 })
        })
        .collect();
    let insert = |(number, (at, model, usage)): (usize, &Event)| {
        let tokens = [usage.input_tokens, usage.output_tokens].map(|tokens| tokens as i64);
        let params = params![at, number.to_string(), &model.provider, &model.model, tokens[0], tokens[1]];
        Statement::new("INSERT INTO usage_events VALUES (?1, ?2, ?3, ?4, ?5, ?6)", params)
    };
    db.write(events.iter().enumerate().map(insert).collect()).await.unwrap();

    let mut used = 0;
    for _ in 0..300 {
        let mut bound = || (numbers.below(8) > 0).then(|| numbers.instant());
        let range = Range { from: bound(), until: bound() };
        let mut models = plain(&events, range, |event| event.1.clone());
        models.sort_by_key(|(_, usage)| Reverse(usage.total_tokens()));
        used += usize::from(!models.is_empty());
        assert_eq!(by_model(&db, range).await.unwrap(), models, "{range:?}");
        let day = |event: &Event| event.0[..10].to_owned();
        assert_eq!(by_day(&db, range).await.unwrap(), plain(&events, range, day), "{range:?}");
        let days = plain(&events, range, |event| (day(event), event.1.clone()));
        assert_eq!(by_day_and_model(&db, range).await.unwrap(), days, "{range:?}");
        let hour = |event: &Event| event.0[11..13].parse::<u32>().unwrap();
        assert_eq!(by_hour(&db, range).await.unwrap(), plain(&events, range, hour), "{range:?}");
        let hours = plain(&events, range, |event| (hour(event), event.1.clone()));
        assert_eq!(by_hour_and_model(&db, range).await.unwrap(), hours, "{range:?}");
    }
    assert!(used > 150, "only {used} ranges had anything in them");
}

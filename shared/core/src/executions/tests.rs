mod counters;
mod fairness;
mod limits;
mod retention;

use serde_json::json;

use super::pipeline::*;
use super::*;
use crate::{
    claims::Recovered,
    config::EncryptionKey,
    db::{Db, Statement},
    pagination::{Direction, PageRequest},
    params,
    prompts::{self, NewPrompt},
    secret::Secret,
    secrets::Cipher,
    settings::{self, NewSetting},
    testing::database,
};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);
const MAX: u32 = 3;

/// A database with a configured Ollama.
async fn with_ollama() -> (Db, tempfile::TempDir) {
    let (db, folder) = database().await;
    let cipher = Cipher::new(&EncryptionKey::new([7; 32]));
    let key = NewSetting::LlmApiKey { provider: ProviderName::Ollama, api_key: Secret::new("none"), active: true };
    settings::create(&db, &cipher, key, Timestamp::now()).await.unwrap();
    (db, folder)
}

fn text_run(count: usize) -> NewExecutions {
    NewExecutions {
        source: Source::Text("Say hello".into()),
        user_input: String::new(),
        targets: vec![Target { provider: "ollama".into(), model: "demo:latest".into() }; count],
        options: Some(json!({"temperature": 0.5, "last_name": "March 7", "big": 12345678901234567890_u64})),
        trace_id: None,
        file_id: None,
        origin: Origin::App,
        webhook_destination_ids: Vec::new(),
    }
}

async fn pending(db: &Db, count: usize) -> Vec<String> {
    create(db, text_run(count), Timestamp::now()).await.unwrap().ids
}

fn answer(text: &str) -> ModelAnswer {
    ModelAnswer {
        text: text.into(),
        input_tokens: 3,
        output_tokens: 4,
        stop_reason: None,
        ignored_options: vec![],
        call: ProviderCall::default(),
    }
}

async fn status(db: &Db, id: &str) -> ExecutionStatus {
    progress(db, id).await.unwrap().unwrap().0
}

/// The kept counters equal the facts.
async fn assert_counters_are_exact(db: &Db) {
    let sql = "SELECT count(*) AS n FROM (
        SELECT prompt_id, period, provider, status, starred, n FROM execution_counts WHERE n <> 0
        EXCEPT SELECT COALESCE(prompt_id, ''), substr(created_at, 1, 7), provider, status, starred, count(*)
        FROM executions GROUP BY 1, 2, 3, 4, 5)";
    assert_eq!(db.read(sql, params![]).await.unwrap().first().unwrap().get::<i64>("n").unwrap(), 0);
    let totals = "SELECT (SELECT COALESCE(sum(n), 0) FROM execution_counts) - (SELECT count(*) FROM executions) AS n";
    assert_eq!(db.read(totals, params![]).await.unwrap().first().unwrap().get::<i64>("n").unwrap(), 0);
}

#[tokio::test]
async fn dispatch_fills_the_free_places_oldest_first() {
    let (db, _folder) = with_ollama().await;
    let now = Timestamp::now();
    let first = create(&db, text_run(1), now.plus_seconds(-9)).await.unwrap().ids;
    let rest = create(&db, text_run(4), now).await.unwrap().ids;
    let dispatched = dispatch(&db, ProviderName::Ollama, now).await.unwrap();
    assert_eq!(dispatched.len(), 2, "ollama serves two at once");
    assert!(dispatched.contains(&first[0]));
    assert!(dispatch(&db, ProviderName::Ollama, now).await.unwrap().is_empty(), "no place is free");
    assert_eq!(rest.len(), 4);
}

#[tokio::test]
async fn a_message_that_comes_twice_is_claimed_once() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 1).await;
    let now = Timestamp::now();
    assert!(claim(&db, &ids[0], LEASE, MAX, now).await.unwrap().is_none(), "not dispatched yet");
    dispatch(&db, ProviderName::Ollama, now).await.unwrap();
    let held = claim(&db, &ids[0], LEASE, MAX, now).await.unwrap().unwrap();
    assert_eq!(held.attempt, 1);
    assert!(claim(&db, &ids[0], LEASE, MAX, now).await.unwrap().is_none(), "held");
    assert!(finish(&db, &held, &Outcome::answered(answer("hello"), None), now).await.unwrap());
    assert!(claim(&db, &ids[0], LEASE, MAX, now).await.unwrap().is_none(), "finished");
    assert!(!finish(&db, &held, &Outcome::Failed("late".into()), now).await.unwrap(), "final is final");

    let view = find(&db, &ids[0]).await.unwrap().unwrap();
    assert_eq!(view.status, ExecutionStatus::Completed);
    assert_eq!(view.data.result.as_deref(), Some("hello"));
    assert_eq!(view.data.options, text_run(1).options, "stored JSON comes back as it went in");
    assert_counters_are_exact(&db).await;
}

#[tokio::test]
async fn a_silent_worker_is_replaced_and_cannot_write_any_more() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 1).await;
    let start = Timestamp::now();
    dispatch(&db, ProviderName::Ollama, start).await.unwrap();
    let lost = claim(&db, &ids[0], LEASE, MAX, start).await.unwrap().unwrap();
    let later = start.plus_seconds(31);
    let taken_over = claim(&db, &ids[0], LEASE, MAX, later).await.unwrap().unwrap();
    assert_eq!(taken_over.attempt, 2);
    assert!(!extend(&db, &lost, LEASE, later).await.unwrap());
    assert!(!finish(&db, &lost, &Outcome::answered(answer("stale"), None), later).await.unwrap());
    assert!(finish(&db, &taken_over, &Outcome::answered(answer("fresh"), None), later).await.unwrap());
    assert_eq!(find(&db, &ids[0]).await.unwrap().unwrap().data.result.as_deref(), Some("fresh"));
}

#[tokio::test]
async fn recovery_brings_back_what_got_stuck_and_gives_up_in_the_end() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 2).await;
    let start = Timestamp::now();
    dispatch(&db, ProviderName::Ollama, start).await.unwrap();
    claim(&db, &ids[0], LEASE, MAX, start).await.unwrap().unwrap();

    let soon = start.plus_seconds(5);
    assert_eq!(recover(&db, MAX, start, 100, soon).await.unwrap(), Recovered::default(), "nothing is stuck yet");

    let later = start.plus_seconds(60);
    let recovered = recover(&db, MAX, later.plus_seconds(-30), 100, later).await.unwrap();
    assert_eq!((recovered.requeued, recovered.unanswered), (vec![ids[0].clone()], vec![ids[1].clone()]));
    assert_eq!(status(&db, &ids[0]).await, ExecutionStatus::Pending);

    let mut now = later;
    for _ in 0..2 {
        dispatch(&db, ProviderName::Ollama, now).await.unwrap();
        claim(&db, &ids[0], LEASE, MAX, now).await.unwrap().unwrap();
        now = now.plus_seconds(60);
        let recovered = recover(&db, MAX, start, 100, now).await.unwrap();
        assert_eq!(recovered.requeued.len() + recovered.interrupted.len(), 1);
    }
    let view = find(&db, &ids[0]).await.unwrap().unwrap();
    assert_eq!(view.status, ExecutionStatus::Failed);
    assert!(view.data.error_message.unwrap().contains("interrupted"));
    assert_counters_are_exact(&db).await;
}

#[tokio::test]
async fn a_retry_waits_for_its_time() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 1).await;
    let now = Timestamp::now();
    dispatch(&db, ProviderName::Ollama, now).await.unwrap();
    let held = claim(&db, &ids[0], LEASE, MAX, now).await.unwrap().unwrap();
    assert!(retry_at(&db, &held, "429", now.plus_seconds(20), now).await.unwrap());
    assert!(dispatch(&db, ProviderName::Ollama, now).await.unwrap().is_empty());
    assert_eq!(find_waiting_provider(&db, &ids[0]).await.unwrap(), Some(ProviderName::Ollama));
    assert_eq!(dispatch(&db, ProviderName::Ollama, now.plus_seconds(20)).await.unwrap(), ids);
}

#[tokio::test]
async fn an_execution_handed_back_has_lost_no_attempt() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 1).await;
    let now = Timestamp::now();
    let held = claim_next(&db, ProviderName::Ollama, LEASE, now).await.unwrap().unwrap();
    assert!(hand_back(&db, &held, now).await.unwrap());
    assert_eq!(progress(&db, &ids[0]).await.unwrap().unwrap(), (ExecutionStatus::Pending, 0));
}

#[tokio::test]
async fn claim_next_respects_the_limit() {
    let (db, _folder) = with_ollama().await;
    pending(&db, 3).await;
    let now = Timestamp::now();
    let next = async || claim_next(&db, ProviderName::Ollama, LEASE, now).await.unwrap();
    let (first, second) = (next().await.unwrap(), next().await.unwrap());
    assert!(next().await.is_none());
    finish(&db, &first, &Outcome::Failed("x".into()), now).await.unwrap();
    assert!(next().await.is_some_and(|third| third.id != second.id));
}

#[tokio::test]
async fn cancelling_works_until_the_end() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 2).await;
    let now = Timestamp::now();
    assert_eq!(cancel(&db, &ids[0], now).await.unwrap(), ProviderName::Ollama);
    let view = find(&db, &ids[0]).await.unwrap().unwrap();
    assert_eq!((view.status, view.started_at), (ExecutionStatus::Failed, None));
    assert_eq!(view.data.error_message.as_deref(), Some("Execution cancelled by user"));
    assert!(matches!(cancel(&db, &ids[0], now).await, Err(CancelError::AlreadyFinished("failed"))));
    assert!(matches!(cancel(&db, "missing", now).await, Err(CancelError::NotFound)));

    let held = claim_next(&db, ProviderName::Ollama, LEASE, now).await.unwrap().unwrap();
    cancel(&db, &held.id, now).await.unwrap();
    assert_eq!(dispatched(&db).await, [held.id.as_str()], "its worker still asks the provider");
    assert!(!extend(&db, &held, LEASE, now).await.unwrap(), "the worker notices");
    assert!(!finish(&db, &held, &Outcome::answered(answer("late"), None), now).await.unwrap());
    assert!(find(&db, &held.id).await.unwrap().unwrap().data.result.is_none(), "the late answer is discarded");
    release(&db, &held).await.unwrap();
    assert!(dispatched(&db).await.is_empty(), "the worker has let go");
    assert_counters_are_exact(&db).await;
}

#[tokio::test]
async fn the_place_of_a_cancelled_execution_is_free_when_its_worker_lets_go_or_dies() {
    let (db, _folder) = with_ollama().await;
    let now = Timestamp::now();
    pending(&db, 4).await;
    let next = async |now| claim_next(&db, ProviderName::Ollama, LEASE, now).await.unwrap();
    let (first, other) = (next(now).await.unwrap(), next(now).await.unwrap());
    cancel(&db, &first.id, now).await.unwrap();
    assert!(next(now).await.is_none(), "the provider is still busy with both");
    release(&db, &first).await.unwrap();
    let second = next(now).await.unwrap();
    release(&db, &second).await.unwrap();
    assert!(next(now).await.is_none(), "nobody lets go of what goes on");

    cancel(&db, &second.id, now).await.unwrap();
    let early = now.plus_seconds(1);
    recover(&db, MAX, early, 10, early).await.unwrap();
    assert!(next(early).await.is_none(), "its worker may live");
    let late = now.plus_millis(i64::try_from(LEASE.as_millis()).unwrap() + 1);
    assert!(extend(&db, &other, LEASE, late).await.unwrap());
    let recovered = recover(&db, MAX, now.plus_seconds(-1), 10, late).await.unwrap();
    assert_eq!(recovered, Recovered::default(), "it has ended, and does not run again");
    assert!(next(late).await.is_some());
}

async fn dispatched(db: &Db) -> Vec<String> {
    let rows = db.read("SELECT id FROM executions WHERE dispatched_at IS NOT NULL", params![]).await.unwrap().rows;
    rows.iter().map(|row| row.get("id").unwrap()).collect()
}

async fn with_prompt(db: &Db, response_schema: Option<Value>) -> String {
    let new = NewPrompt {
        name: "greeting".into(),
        prompt: "Hello {{name}}".into(),
        json_schema_response: response_schema,
        json_schema_input: Some(json!({"type": "object", "properties": {"name": {}}, "required": ["name"]})),
        options: Some(prompts::PromptOptions { accept_file_upload: None, web_search: Some(true) }),
    };
    prompts::create(db, new, Timestamp::now()).await.unwrap().id
}

#[tokio::test]
async fn creation_is_all_or_nothing() {
    let (db, _folder) = with_ollama().await;
    let id = with_prompt(&db, None).await;
    let run = |change: &dyn Fn(&mut NewExecutions)| {
        let mut new = text_run(2);
        new.source = Source::Prompt { id: id.clone(), version: None };
        new.user_input = r#"{"name": "Ada"}"#.into();
        change(&mut new);
        new
    };
    let refused = async |change: &dyn Fn(&mut NewExecutions)| {
        create(&db, run(change), Timestamp::now()).await.unwrap_err().to_string()
    };
    assert!(refused(&|new| new.targets[1].provider = "openai".into()).await.contains("not configured"));
    assert!(refused(&|new| new.targets[1].provider = "unheard".into()).await.contains("not configured"));
    assert!(refused(&|new| new.user_input = "{}".into()).await.contains("name"));
    assert!(refused(&|new| new.user_input = "not json".into()).await.contains("JSON"));
    assert!(refused(&|new| new.file_id = Some("missing".into())).await.contains("missing"));
    let version = |number| {
        move |new: &mut NewExecutions| {
            new.source = Source::Prompt { id: with_id(new), version: Some(number) };
        }
    };
    assert!(refused(&version(9)).await.contains("no version 9"));
    let missing = |new: &mut NewExecutions| new.source = Source::Prompt { id: "x".into(), version: None };
    assert!(refused(&missing).await.contains("no prompt"));
    assert_eq!(stats(&db).await.unwrap(), Stats::default(), "nothing was written");

    let created = create(&db, run(&|_| ()), Timestamp::now()).await.unwrap();
    let view = find(&db, &created.ids[1]).await.unwrap().unwrap();
    assert_eq!(view.prompt, Some(ExecutedPrompt { name: "greeting".into(), version: 1 }));
    assert_eq!(view.data.options.unwrap()["webSearch"], json!(true));
    assert_eq!(stats(&db).await.unwrap().by_status, [("pending", 2)].into());

    prompts::delete(&db, &id).await.unwrap();
    assert_eq!(find(&db, &created.ids[1]).await.unwrap().unwrap().prompt, None, "readable without its prompt");
}

fn with_id(new: &NewExecutions) -> String {
    match &new.source {
        Source::Prompt { id, .. } => id.clone(),
        Source::Text(_) => unreachable!("these runs have a prompt"),
    }
}

#[tokio::test]
async fn preparation_compiles_and_takes_the_versions_schema() {
    let (db, _folder) = with_ollama().await;
    let schema = json!({"type": "object", "properties": {"greeting": {"type": "string"}}});
    let id = with_prompt(&db, Some(schema)).await;
    let mut new = text_run(1);
    new.source = Source::Prompt { id: id.clone(), version: None };
    new.user_input = r#"{"name": "Ada"}"#.into();
    new.options = Some(json!({"schema": {"type": "array"}}));
    let created = create(&db, new, Timestamp::now()).await.unwrap();
    let execution = find(&db, &created.ids[0]).await.unwrap().unwrap().data;
    let prepared = prepare(&db, &execution).await.unwrap();
    assert_eq!((prepared.prompt.as_str(), prepared.user_input.as_str()), ("Hello Ada", ""));
    assert_eq!(prepared.schema.as_ref().unwrap()["type"], json!("object"));
    assert!(prepared.checks_result);

    let Outcome::Completed(members) = Outcome::answered(answer("{\"greeting\":1}"), prepared.schema.as_ref()) else {
        panic!("an invalid answer still completes");
    };
    assert_eq!((members["result_valid"].clone(), members["result"].clone()), (json!(false), json!("{\"greeting\":1}")));

    prompts::delete(&db, &id).await.unwrap();
    assert!(matches!(prepare(&db, &execution).await, Err(PrepareError::PromptGone)));
}

#[tokio::test]
async fn lists_filter_count_and_order() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 5).await;
    update_fields(&db, &ids[0], Some(true), Some("seen"), Timestamp::now()).await.unwrap();
    assert!(!update_fields(&db, "missing", Some(true), None, Timestamp::now()).await.unwrap());
    assert!(!update_fields(&db, "missing", None, None, Timestamp::now()).await.unwrap());
    cancel(&db, &ids[1], Timestamp::now()).await.unwrap();

    let page = PageRequest { page: 1, limit: 2 };
    let found = async |filter: ExecutionFilter| {
        let page = list(&db, &filter, ExecutionOrder::Created, Direction::Descending, page).await.unwrap();
        (page.total, page.data.len())
    };
    assert_eq!(found(ExecutionFilter::default()).await, (5, 2));
    assert_eq!(found(ExecutionFilter { starred: Some(true), ..Default::default() }).await, (1, 1));
    assert_eq!(found(ExecutionFilter { starred: Some(false), ..Default::default() }).await, (4, 2));
    let failed = ExecutionFilter { status: Some(ExecutionStatus::Failed), ..Default::default() };
    assert_eq!(found(ExecutionFilter { provider: Some(ProviderName::Ollama), ..failed.clone() }).await, (1, 1));
    assert_eq!(found(ExecutionFilter { provider: Some(ProviderName::OpenAi), ..failed }).await, (0, 0));
    let some = vec![ids[0].clone(), ids[3].clone(), "missing".to_owned()];
    assert_eq!(found(ExecutionFilter { ids: Some(some), ..Default::default() }).await, (2, 2));
    assert_eq!(found(ExecutionFilter { ids: Some(vec![]), ..Default::default() }).await, (0, 0));

    let all = PageRequest { page: 1, limit: 10 };
    let rows = list(&db, &ExecutionFilter::default(), ExecutionOrder::Completed, Direction::Ascending, all).await;
    assert_eq!(rows.unwrap().data[4].id, ids[1], "missing values come first ascending");
    assert_counters_are_exact(&db).await;
}

#[tokio::test]
async fn usage_is_rolled_up_when_an_execution_completes() {
    let (db, _folder) = with_ollama().await;
    pending(&db, 2).await;
    let now: Timestamp = "2026-01-31T09:15:00.042Z".parse().unwrap();
    while let Some(held) = claim_next(&db, ProviderName::Ollama, LEASE, Timestamp::now()).await.unwrap() {
        finish(&db, &held, &Outcome::answered(answer("x"), None), now).await.unwrap();
    }
    let sql = "SELECT unit || ' ' || period || ' ' || model || ' ' || executions || ' ' || input_tokens || ' ' || output_tokens
            || ' ' || hours AS line FROM usage_sums";
    let rows = db.read(sql, params![]).await.unwrap().rows;
    let lines: Vec<String> = rows.iter().map(|row| row.get("line").unwrap()).collect();
    let sums = r#"demo:latest 2 6 8 {"09":[2,6,8]}"#;
    assert_eq!(lines, [format!("day 2026-01-31 {sums}"), format!("month 2026-01 {sums}")]);
    db.write(vec![Statement::new("DELETE FROM executions", params![])]).await.unwrap();
    assert_counters_are_exact(&db).await;
}

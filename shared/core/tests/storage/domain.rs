//! The domain end to end on every store.

use std::time::Duration;

use serde_json::json;
use shared_core::{
    Db, ProviderName, Secret, Timestamp,
    config::EncryptionKey,
    executions::{
        self, ExecutionStatus, ModelAnswer, NewExecutions, Origin, Outcome, ProviderCall, Source, Target as Model,
        pipeline::{claim, dispatch, finish, progress},
    },
    limits::{self, Limit, LimitError, Take},
    migrations::migrate,
    prompts::{self, NewPrompt, PromptEdit, PromptError},
    secrets::Cipher,
    settings::{self, NewSetting},
    users::{self, UserError},
};

use crate::targets::{Target, number, on_every_target};

on_every_target!(
    exactly_one_first_admin_wins,
    processes_share_their_limits,
    prompts_keep_their_versions,
    an_execution_runs_from_creation_to_result
);

async fn exactly_one_first_admin_wins(target: &Target) {
    migrate(&target.db).await.unwrap();
    let racers: Vec<_> = (0..4)
        .map(|racer| {
            let db = target.another_process();
            tokio::spawn(async move {
                let email = format!("racer-{racer}@example.com");
                users::register_first_admin(&db, &email, "Racer", "correct horse".into(), Timestamp::now()).await
            })
        })
        .collect();
    let mut winners = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => winners += 1,
            Err(error) => assert!(matches!(error, UserError::AlreadyRegistered), "{error}"),
        }
    }
    assert_eq!(winners, 1);
    assert_eq!(number(&target.db, "SELECT count(*) AS n FROM users").await, 1);
}

async fn processes_share_their_limits(target: &Target) {
    migrate(&target.db).await.unwrap();
    let (one, now) = (Take::new("test", "ada", 1, Limit::per_hour(3)), Timestamp::now());
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let (db, one) = (target.another_process(), one.clone());
            tokio::spawn(async move { limits::take(&db, &one, now).await })
        })
        .collect();
    let mut taken = 0;
    for taker in takers {
        match taker.await.unwrap() {
            Ok(()) => taken += 1,
            Err(LimitError::TooMany(reason)) => assert_eq!(reason.retry_after_seconds, 1200),
            Err(LimitError::Db(error)) => panic!("{error}"),
        }
    }
    assert_eq!(taken, 3);
    let restarted = target.another_process();
    assert!(limits::take(&restarted, &one, now).await.is_err());
    limits::take(&restarted, &one, now.plus_seconds(1200)).await.unwrap();
}

fn greeting(name: &str) -> NewPrompt {
    NewPrompt {
        name: name.into(),
        prompt: "Hello {{name}}".into(),
        json_schema_response: None,
        json_schema_input: Some(json!({"type": "object", "properties": {"name": {}}, "required": ["name"]})),
        options: None,
    }
}

async fn prompts_keep_their_versions(target: &Target) {
    let db = &target.db;
    migrate(db).await.unwrap();
    let created = prompts::create(db, greeting("greeting"), Timestamp::now()).await.unwrap();
    let taken = prompts::create(db, greeting("greeting"), Timestamp::now()).await.unwrap_err();
    assert!(matches!(&taken, PromptError::NameTaken(name) if name == "greeting"), "{taken}");

    let edits: Vec<_> = (0..4)
        .map(|edit| {
            let (db, id) = (target.another_process(), created.id.clone());
            tokio::spawn(async move {
                let edit = PromptEdit { prompt: Some(format!("Text {edit}")), ..Default::default() };
                prompts::update(&db, &id, &edit, Timestamp::now()).await.unwrap()
            })
        })
        .collect();
    for edit in edits {
        edit.await.unwrap();
    }
    let found = prompts::find(db, &created.id).await.unwrap().unwrap();
    assert_eq!((found.revision, found.data.current_version, found.data.versions.len()), (4, 5, 5), "no edit got lost");
    let rename = PromptEdit { name: Some("farewell".into()), ..Default::default() };
    prompts::create(db, greeting("farewell"), Timestamp::now()).await.unwrap();
    let taken = prompts::update(db, &created.id, &rename, Timestamp::now()).await.unwrap_err();
    assert!(matches!(taken, PromptError::NameTaken(_)), "{taken}");
}

async fn with_ollama(db: &Db) {
    migrate(db).await.unwrap();
    let cipher = Cipher::new(&EncryptionKey::new([7; 32]));
    let key = NewSetting::LlmApiKey { provider: ProviderName::Ollama, api_key: Secret::new("none"), active: true };
    settings::create(db, &cipher, key, Timestamp::now()).await.unwrap();
}

async fn an_execution_runs_from_creation_to_result(target: &Target) {
    const LEASE: Duration = Duration::from_secs(30);
    let (db, now) = (&target.db, Timestamp::now());
    with_ollama(db).await;
    let prompt = prompts::create(db, greeting("greeting"), now).await.unwrap();
    let new = NewExecutions {
        source: Source::Prompt { id: prompt.id, version: None },
        user_input: r#"{"name": "Ada"}"#.into(),
        targets: vec![Model { provider: "ollama".into(), model: "demo:latest".into() }; 5],
        options: Some(json!({"temperature": 0.5, "big": 12345678901234567890_u64})),
        trace_id: None,
        file_id: None,
        webhook_destination_ids: Vec::new(),
        origin: Origin::Api,
    };
    let ids = executions::create(db, new, now).await.unwrap().ids;

    // Eight workers ask for the two places of this provider at once.
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let db = target.another_process();
            tokio::spawn(async move { dispatch(&db, ProviderName::Ollama, now).await.unwrap() })
        })
        .collect();
    let mut dispatched = Vec::new();
    for worker in workers {
        dispatched.extend(worker.await.unwrap());
    }
    assert_eq!(dispatched.len(), 2, "ollama serves two at once");

    // Each message comes twice, to different workers.
    let mut held = Vec::new();
    for id in &dispatched {
        let (first, second) = (target.another_process(), target.another_process());
        let claims = tokio::join!(claim(&first, id, LEASE, 3, now), claim(&second, id, LEASE, 3, now));
        held.extend([claims.0.unwrap(), claims.1.unwrap()].into_iter().flatten());
    }
    assert_eq!(held.len(), 2);
    let answer = ModelAnswer {
        text: "Hi".into(),
        input_tokens: 3,
        output_tokens: 4,
        stop_reason: None,
        ignored_options: vec![],
        call: ProviderCall::default(),
    };
    assert!(finish(db, &held[0], &Outcome::answered(answer, None), now).await.unwrap());
    assert!(finish(db, &held[1], &Outcome::Failed("out of order".into()), now).await.unwrap());
    assert!(!finish(db, &held[1], &Outcome::Failed("late".into()), now).await.unwrap(), "final is final");
    assert_eq!(progress(db, &held[0].id).await.unwrap(), Some((ExecutionStatus::Completed, 1)));

    let view = executions::find(db, &held[0].id).await.unwrap().unwrap();
    assert_eq!(view.data.result.as_deref(), Some("Hi"));
    assert_eq!(view.data.options.unwrap()["big"], json!(12345678901234567890_u64));
    let stats = executions::stats(db).await.unwrap();
    assert_eq!(stats.by_status, [("completed", 1), ("failed", 1), ("pending", 3)].into());
    assert_eq!(ids.len(), 5);
    let wrong_counters = "SELECT count(*) AS n FROM (
        SELECT prompt_id, period, provider, status, starred, n FROM execution_counts WHERE n <> 0
        EXCEPT SELECT COALESCE(prompt_id, ''), substr(created_at, 1, 7), provider, status, starred, count(*)
        FROM executions GROUP BY 1, 2, 3, 4, 5)";
    assert_eq!(number(db, wrong_counters).await, 0, "the triggers keep the counters");
    let usage =
        "SELECT executions * 100 + input_tokens * 10 + output_tokens AS n FROM usage_hours WHERE unit = 'month'";
    assert_eq!(number(db, usage).await, 134);
}

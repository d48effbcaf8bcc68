use serde_json::json;

use super::*;
use crate::{
    config::EncryptionKey,
    executions::pipeline,
    jobs::{JobFilter, JobOrder},
    pagination::{Direction, PageRequest},
    prompts::{NewPrompt, PromptError},
    secret::Secret,
    secrets::Cipher,
    settings::NewSetting,
    testing::database,
};

async fn with_prompt() -> (Db, tempfile::TempDir, String) {
    let (db, folder) = database().await;
    let cipher = Cipher::new(&EncryptionKey::new([7; 32]));
    let key = NewSetting::LlmApiKey { provider: ProviderName::Ollama, api_key: Secret::new("none"), active: true };
    settings::create(&db, &cipher, key, Timestamp::now()).await.unwrap();
    let prompt = NewPrompt {
        name: "greeting".into(),
        prompt: "Hello".into(),
        json_schema_response: None,
        json_schema_input: None,
        options: None,
    };
    let id = prompts::create(&db, prompt, Timestamp::now()).await.unwrap().id;
    (db, folder, id)
}

fn deployment(name: &str, prompt_id: &str) -> Deployment {
    Deployment {
        name: name.into(),
        prompt_id: prompt_id.into(),
        prompt_version: 1,
        provider: ProviderName::Ollama,
        model: "demo:latest".into(),
        options: None,
        webhook_destination_ids: None,
    }
}

/// Whoever comes first wins; there is never a deployment whose prompt is gone.
#[tokio::test]
async fn a_deployment_and_the_end_of_its_prompt_exclude_each_other() {
    let (db, _folder, prompt) = with_prompt().await;
    let data = deployment("first", &prompt);
    let insert = store::insert(&ids::new_id(), &data, Timestamp::now());
    prompts::delete(&db, &prompt).await.unwrap();
    assert!(matches!(db.write(vec![insert]).await, Err(DbError::Guard)), "the prompt went after it was looked at");

    let (db, _folder, prompt) = with_prompt().await;
    let created = create(&db, deployment("first", &prompt), None, Timestamp::now()).await.unwrap();
    assert!(matches!(prompts::delete(&db, &prompt).await, Err(PromptError::InUse(names)) if names == ["first"]));
    delete(&db, &created.id).await.unwrap();
    prompts::delete(&db, &prompt).await.unwrap();
    assert!(matches!(prompts::delete(&db, &prompt).await, Err(PromptError::NotFound)));
}

#[tokio::test]
async fn an_edit_does_not_overwrite_another() {
    let (db, _folder, prompt) = with_prompt().await;
    let read = create(&db, deployment("first", &prompt), None, Timestamp::now()).await.unwrap();
    let edit = |model: &str| DeploymentEdit { model: Some(model.into()), ..DeploymentEdit::default() };
    update(&db, read.clone(), edit("a"), None, Timestamp::now()).await.unwrap();
    let late = update(&db, read, edit("b"), None, Timestamp::now()).await;
    assert!(matches!(late, Err(DeploymentError::Stale)));
    assert_eq!(find_by_name(&db, "first").await.unwrap().unwrap().data.model, "a");
}

/// Giving up on an execution whose workers went silent is an end like any other (defect E-11).
#[tokio::test]
async fn an_interrupted_execution_is_told_too() {
    let (db, _folder, prompt) = with_prompt().await;
    let now = Timestamp::now();
    let new = NewExecutions {
        source: Source::Prompt { id: prompt, version: None },
        user_input: "x".into(),
        targets: vec![Target { provider: "ollama".into(), model: "demo:latest".into() }],
        options: Some(json!({})),
        trace_id: None,
        file_id: None,
        origin: Origin::Api,
        webhook_destination_ids: vec!["hook".into()],
    };
    let id = executions::create(&db, new, now).await.unwrap().ids.remove(0);
    let lease = std::time::Duration::from_secs(30);
    pipeline::claim_next(&db, ProviderName::Ollama, lease, now).await.unwrap().unwrap();
    let later = now.plus_seconds(60);
    let recovered = pipeline::recover(&db, 1, now, 10, later).await.unwrap();
    assert_eq!(recovered.interrupted, std::slice::from_ref(&id));
    let page = PageRequest { page: 1, limit: 10 };
    let jobs = crate::jobs::list(&db, &JobFilter::default(), JobOrder::default(), Direction::Ascending, page).await;
    let jobs = jobs.unwrap().data;
    assert_eq!(jobs.len(), 1);
    assert!(ids::is_uuid(&jobs[0].id), "{}", jobs[0].id);
    assert_eq!((jobs[0].scheduled_at, jobs[0].created_at), (later, later));
    let payload = json!({"event": "webhook.deployment.execution", "executionId": id, "status": "failed"});
    assert_eq!(jobs[0].data.data, json!({"webhookId": "hook", "data": payload}));
}

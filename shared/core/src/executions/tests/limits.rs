//! How many executions of a provider run at once: the default, or the setting of type `provider-limits`.

use super::*;
use crate::{
    documents::Document,
    settings::{Setting, SettingEdit, SettingType},
};

const OLLAMA: ProviderName = ProviderName::Ollama;

fn cipher() -> Cipher {
    Cipher::new(&EncryptionKey::new([7; 32]))
}

async fn limited(db: &Db, max_running: u32) -> Document<Setting> {
    let new = NewSetting::ProviderLimits { provider: OLLAMA, max_running };
    settings::create(db, &cipher(), new, Timestamp::now()).await.unwrap().setting
}

async fn changed(db: &Db, found: Document<Setting>, max_running: u32) -> Document<Setting> {
    let edit = SettingEdit { max_running: Some(max_running), ..SettingEdit::default() };
    settings::update(db, &cipher(), found, SettingType::ProviderLimits, edit, Timestamp::now()).await.unwrap()
}

async fn dispatched(db: &Db) -> usize {
    dispatch(db, OLLAMA, Timestamp::now()).await.unwrap().len()
}

#[tokio::test]
async fn a_raised_limit_lets_more_run_and_without_the_setting_the_default_holds() {
    let (db, _folder) = with_ollama().await;
    pending(&db, 9).await;
    assert_eq!(dispatched(&db).await, 2, "the default of ollama");
    let setting = limited(&db, 4).await;
    assert_eq!(dispatched(&db).await, 2);
    let setting = changed(&db, setting, 5).await;
    assert_eq!(dispatched(&db).await, 1);
    settings::delete(&db, &setting.id).await.unwrap();
    assert_eq!(dispatched(&db).await, 0, "five run, and two may");
}

#[tokio::test]
async fn a_lowered_limit_takes_effect_as_executions_end() {
    let (db, _folder) = with_ollama().await;
    pending(&db, 6).await;
    let setting = limited(&db, 3).await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(claim_next(&db, OLLAMA, LEASE, Timestamp::now()).await.unwrap().unwrap());
    }
    changed(&db, setting, 1).await;
    for (left, claim) in (0..3).rev().zip(running) {
        assert_eq!(dispatched(&db).await, 0, "{} still run", left + 1);
        finish(&db, &claim, &Outcome::Failed("x".into()), Timestamp::now()).await.unwrap();
    }
    assert_eq!(dispatched(&db).await, 1);
}

#[tokio::test]
async fn a_limit_of_zero_pauses_the_provider() {
    let (db, _folder) = with_ollama().await;
    let ids = pending(&db, 1).await;
    let setting = limited(&db, 0).await;
    assert_eq!(dispatched(&db).await, 0);
    assert!(claim_next(&db, OLLAMA, LEASE, Timestamp::now()).await.unwrap().is_none());
    changed(&db, setting, 1).await;
    assert_eq!(dispatch(&db, OLLAMA, Timestamp::now()).await.unwrap(), ids);
}

#[tokio::test]
async fn the_limit_of_one_provider_is_not_that_of_another() {
    let (db, _folder) = with_ollama().await;
    pending(&db, 3).await;
    let new = NewSetting::ProviderLimits { provider: ProviderName::OpenAi, max_running: 0 };
    settings::create(&db, &cipher(), new, Timestamp::now()).await.unwrap();
    assert_eq!(dispatched(&db).await, 2);
}

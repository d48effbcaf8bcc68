//! Who goes first: people before group runs, and prompts in turns.

use std::collections::BTreeMap;

use super::*;
use crate::test_data::{self, NewItem, TestDataGroup, TestDataMode};

const OLLAMA: ProviderName = ProviderName::Ollama;

/// Configured providers, and groups by their number of items.
struct Line {
    db: Db,
    groups: BTreeMap<usize, String>,
    _folder: tempfile::TempDir,
}

impl Line {
    async fn new(sizes: &[usize]) -> Self {
        let (db, folder) = with_ollama().await;
        let cipher = Cipher::new(&EncryptionKey::new([7; 32]));
        let (provider, api_key) = (ProviderName::OpenAi, Secret::new("none"));
        let key = NewSetting::LlmApiKey { provider, api_key, active: true };
        settings::create(&db, &cipher, key, Timestamp::now()).await.unwrap();
        let mut groups = BTreeMap::new();
        for size in sizes {
            let group = TestDataGroup { name: size.to_string(), description: None, mode: TestDataMode::Raw };
            let id = test_data::create_group(&db, group, Timestamp::now()).await.unwrap().id;
            let items = (0..*size).map(|number| NewItem { name: None, content: number.to_string() }).collect();
            test_data::create_items(&db, &id, items, Timestamp::now()).await.unwrap();
            groups.insert(*size, id);
        }
        Self { db, groups, _folder: folder }
    }

    async fn prompt(&self, name: &str) -> String {
        let new = NewPrompt {
            name: name.into(),
            prompt: "Say hello".into(),
            json_schema_response: None,
            json_schema_input: None,
            options: None,
        };
        prompts::create(&self.db, new, Timestamp::now()).await.unwrap().id
    }

    /// A group run of so many items by these providers.
    async fn run_by(&self, prompt: &str, size: usize, providers: &[&str]) -> Vec<String> {
        let target = |provider: &&str| Target { provider: (*provider).into(), model: "demo:latest".into() };
        let new = NewExecutions {
            source: Source::Prompt { id: prompt.to_owned(), version: None },
            targets: providers.iter().map(target).collect(),
            ..text_run(0)
        };
        create_group_run(&self.db, &self.groups[&size], new, Timestamp::now()).await.unwrap().ids
    }

    async fn run(&self, prompt: &str, size: usize) -> Vec<String> {
        self.run_by(prompt, size, &["ollama"]).await
    }

    /// Serves the next `count` to their end, one after another.
    async fn serve(&self, provider: ProviderName, count: usize) -> Vec<Claim> {
        let mut served = Vec::new();
        for _ in 0..count {
            let claim = self.next(provider).await;
            let ended = finish(&self.db, &claim, &Outcome::Failed("enough".into()), Timestamp::now()).await;
            assert!(ended.unwrap());
            served.push(claim);
        }
        served
    }

    async fn next(&self, provider: ProviderName) -> Claim {
        claim_next(&self.db, provider, LEASE, Timestamp::now()).await.unwrap().expect("something waits")
    }

    /// Whose executions the next `count` are.
    async fn prompts(&self, provider: ProviderName, count: usize) -> Vec<String> {
        let served = self.serve(provider, count).await;
        served.into_iter().map(|claim| claim.execution.prompt_id.expect("a prompt")).collect()
    }
}

fn ids(claims: Vec<Claim>) -> Vec<String> {
    claims.into_iter().map(|claim| claim.id).collect()
}

fn times(prompt: &str, served: &[String]) -> usize {
    served.iter().filter(|id| *id == prompt).count()
}

#[tokio::test]
async fn prompts_whose_runs_wait_together_take_turns() {
    let line = Line::new(&[1000]).await;
    let (one, other) = (line.prompt("one").await, line.prompt("other").await);
    line.run(&one, 1000).await;
    line.run(&other, 1000).await;
    let served = line.prompts(OLLAMA, 40).await;
    for pair in served.chunks(2) {
        assert_eq!(pair, [one.clone(), other.clone()], "one each, the older run first");
    }
}

#[tokio::test]
async fn a_small_run_does_not_wait_behind_a_big_one_and_the_big_one_goes_on() {
    let line = Line::new(&[500, 2]).await;
    let (big, small) = (line.prompt("big").await, line.prompt("small").await);
    line.run(&big, 500).await;
    line.serve(OLLAMA, 100).await;
    line.run(&small, 2).await;
    let served = line.prompts(OLLAMA, 6).await;
    assert_eq!(times(&small, &served), 2, "among the next six");
    assert_eq!(times(&small, &served[..2]), 1, "it does not get every place either");

    // Whoever comes again and again gets no more than every second place.
    let mut served = Vec::new();
    for _ in 0..20 {
        line.run(&small, 2).await;
        served.extend(line.prompts(OLLAMA, 4).await);
    }
    assert!(times(&big, &served) >= 40, "the older run starves: {} of 80", times(&big, &served));
}

#[tokio::test]
async fn a_newcomer_does_not_make_up_for_what_others_had_before_it_came() {
    let line = Line::new(&[500, 100]).await;
    let (old, new) = (line.prompt("old").await, line.prompt("new").await);
    line.run(&old, 500).await;
    // This one fails early and comes back much later, with the place that it had.
    let early = line.next(OLLAMA).await;
    line.serve(OLLAMA, 300).await;
    let running = line.next(OLLAMA).await;
    assert!(retry_at(&line.db, &early, "429", Timestamp::now().plus_seconds(60), Timestamp::now()).await.unwrap());
    line.run(&new, 100).await;
    finish(&line.db, &running, &Outcome::Failed("x".into()), Timestamp::now()).await.unwrap();
    assert_eq!(times(&old, &line.prompts(OLLAMA, 10).await), 5);
}

#[tokio::test]
async fn runs_of_one_prompt_are_served_in_order() {
    let line = Line::new(&[5, 3]).await;
    let (prompt, other) = (line.prompt("one").await, line.prompt("other").await);
    let mut expected = line.run(&prompt, 5).await;
    line.run(&other, 5).await;
    expected.extend(line.run_by(&prompt, 3, &["ollama", "ollama"]).await);
    let served = line.serve(OLLAMA, 16).await;
    let own = served.into_iter().filter(|claim| claim.execution.prompt_id.as_ref() == Some(&prompt)).collect();
    assert_eq!(ids(own), expected, "item by item, run by run");
}

#[tokio::test]
async fn people_pass_every_group_run() {
    let line = Line::new(&[50]).await;
    let prompt = line.prompt("one").await;
    line.run(&prompt, 50).await;
    line.serve(OLLAMA, 10).await;
    let interactive = pending(&line.db, 3).await;
    let mut served = ids(line.serve(OLLAMA, 3).await);
    served.sort();
    let mut expected = interactive;
    expected.sort();
    assert_eq!(served, expected);
    assert_eq!(line.prompts(OLLAMA, 1).await, [prompt], "then the run goes on");
}

#[tokio::test]
async fn turns_at_one_provider_say_nothing_about_another() {
    let line = Line::new(&[20, 3]).await;
    let (one, other) = (line.prompt("one").await, line.prompt("other").await);
    line.run_by(&one, 20, &["ollama"]).await;
    line.run_by(&other, 20, &["openai"]).await;
    line.serve(OLLAMA, 15).await;
    line.run_by(&other, 3, &["ollama"]).await;
    line.run_by(&one, 3, &["openai"]).await;
    assert_eq!(times(&other, &line.prompts(OLLAMA, 4).await), 2, "its line at openai does not hold it back here");
    assert_eq!(times(&one, &line.prompts(ProviderName::OpenAi, 4).await), 2);
}

#[tokio::test]
async fn a_retried_execution_keeps_its_place() {
    let line = Line::new(&[10]).await;
    let (one, other) = (line.prompt("one").await, line.prompt("other").await);
    let ids_of_one = line.run(&one, 10).await;
    line.run(&other, 10).await;
    let first = line.next(OLLAMA).await;
    assert_eq!(first.id, ids_of_one[0]);
    let now = Timestamp::now();
    assert!(retry_at(&line.db, &first, "429", now, now).await.unwrap());
    assert_eq!(line.next(OLLAMA).await.id, first.id, "before everything that came behind it");

    let lost = line.next(OLLAMA).await;
    let later = now.plus_seconds(60);
    recover(&line.db, MAX, now, 100, later).await.unwrap();
    let again = claim_next(&line.db, OLLAMA, LEASE, later).await.unwrap().unwrap();
    assert_eq!(again.id, first.id, "also when its worker went silent");
    assert_eq!(claim_next(&line.db, OLLAMA, LEASE, later).await.unwrap().unwrap().id, lost.id);
}

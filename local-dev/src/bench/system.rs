//! The system that a benchmark measures: started for it alone, with the demo model server as the only provider.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use shared_core::Db;

use super::common::CommonArgs;
use crate::{
    api::Api,
    console,
    demo::DemoProvider,
    report::{Event, Reporter},
    stack::{DemoOptions, Stack, StackOptions},
};

/// Longest time without any progress before a benchmark gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A running system, set up through its public API.
pub(super) struct System<'a> {
    pub(super) api: Api,
    pub(super) db: Db,
    pub(super) demo: &'a DemoProvider,
    progress: Reporter,
}

impl System<'_> {
    /// Starts a system in a temporary directory, measures it, and stops it. Its logs stay when that fails.
    pub(super) async fn run<T>(args: &SystemArgs, measure: impl AsyncFnOnce(&System<'_>) -> Result<T>) -> Result<T> {
        let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
        let progress = console::reporter();
        let steps = progress.clone();
        let options = StackOptions {
            release: !args.common.debug,
            demo: Some(DemoOptions { port: None, delay: Duration::from_millis(args.delay_ms) }),
            maintenance_interval: Duration::from_secs(5),
            show_build: true,
            reporter: Reporter::new(move |event| {
                // Single requests and jobs would only slow things down here.
                if matches!(event, Event::Step(_) | Event::Note(_)) {
                    steps.report(event);
                }
            }),
            ..StackOptions::quiet(dir.path())?
        };
        let stack = Stack::start(options).await?;
        let measured = async { measure(&System::set_up(&stack, args, progress).await?).await }.await;
        let logs = stack.log_dir().to_owned();
        stack.shutdown().await;
        measured.map_err(|error| {
            // The logs are what one wants to see now.
            let _ = dir.keep();
            error.context(format!("The benchmark failed; logs are in {}", logs.display()))
        })
    }

    async fn set_up<'a>(stack: &'a Stack, args: &SystemArgs, progress: Reporter) -> Result<System<'a>> {
        let demo = stack.demo().context("the demo model server is missing")?;
        let db = Db::new(stack.database());
        let api = Api::register(stack.base_url()).await?;
        for setting in [
            json!({"type": "provider-limits", "data": {"provider": "ollama", "max_running": args.concurrency}}),
            json!({"type": "llm-api-key", "data": {"provider": "ollama", "api_key": "local"}}),
        ] {
            api.post("/api/v1/settings", &setting).await?;
        }
        Ok(System { api, db, demo, progress })
    }

    /// Tells what happens next.
    pub(super) fn step(&self, step: &str) {
        self.progress.step(step);
    }

    /// Adds a prompt without schemas; gives its id.
    pub(super) async fn add_prompt(&self, name: &str) -> Result<String> {
        let prompt = json!({"name": name, "prompt": "Repeat what you are given."});
        self.add("/api/v1/prompts", &prompt).await
    }

    /// Creates something; gives its id.
    pub(super) async fn add(&self, path: &str, body: &Value) -> Result<String> {
        let created = self.api.post(path, body).await?;
        Ok(created["id"].as_str().with_context(|| format!("no id from {path}"))?.to_owned())
    }

    /// Waits until nothing is pending or running, as long as something moves.
    pub(super) async fn wait_for_all(&self) -> Result<()> {
        let (mut last, mut moved) = (None, Instant::now());
        loop {
            let stats = self.api.get("/api/v1/executions/stats/all").await?;
            let number = |name: &str| stats[name].as_u64().unwrap_or_default();
            if number("failed") > 0 {
                bail!("{} executions failed", number("failed"));
            }
            if number("pending") + number("running") == 0 {
                return Ok(());
            }
            if last != Some(number("completed")) {
                (last, moved) = (Some(number("completed")), Instant::now());
            } else if moved.elapsed() > PATIENCE {
                bail!("nothing was completed for {} s: {stats}", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Options of every benchmark of the whole system.
#[derive(Debug, Clone, Args)]
pub struct SystemArgs {
    /// Limit of the provider: how many executions run at once
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub concurrency: u32,
    /// How long the provider takes for an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub delay_ms: u64,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl SystemArgs {
    /// What the figures depend on.
    pub(super) fn setting(&self, more: &[(&str, u32)]) -> Value {
        let mut setting = json!({"providerDelayMs": self.delay_ms, "providerLimit": self.concurrency});
        more.iter().for_each(|(name, number)| setting[*name] = json!(number));
        setting
    }
}

impl fmt::Display for SystemArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delay_ms, concurrency, common } = self;
        write!(f, "{common}; the provider answers after {delay_ms} ms, limit {concurrency}")
    }
}

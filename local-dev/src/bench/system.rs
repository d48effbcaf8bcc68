//! The system that a benchmark measures: started for it alone, with the demo model server as the only provider.

use std::{
    collections::BTreeMap,
    fmt, fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use shared_core::Db;

use crate::{
    api::Api,
    cli::BenchArgs,
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
    pub(super) async fn run<T>(args: &BenchArgs, measure: impl AsyncFnOnce(&System<'_>) -> Result<T>) -> Result<T> {
        let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
        let progress = console::reporter();
        let steps = progress.clone();
        let options = StackOptions {
            release: !args.debug,
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

    async fn set_up<'a>(stack: &'a Stack, args: &BenchArgs, progress: Reporter) -> Result<System<'a>> {
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

impl BenchArgs {
    fn build(&self) -> &'static str {
        if self.debug { "debug" } else { "optimised" }
    }

    /// What the figures depend on.
    pub(super) fn setting(&self) -> BTreeMap<&'static str, Value> {
        BTreeMap::from([
            ("cores", json!(cores())),
            ("build", json!(self.build())),
            ("runtime", json!("host")),
            ("providerDelayMs", json!(self.delay_ms)),
            ("providerLimit", json!(self.concurrency)),
        ])
    }

    /// Writes the figures to the file that was asked for, if any.
    pub(super) fn write_json(&self, report: &Value) -> Result<()> {
        let Some(file) = &self.json else {
            return Ok(());
        };
        fs::write(file, format!("{report:#}\n")).with_context(|| format!("cannot write {}", file.display()))
    }
}

impl fmt::Display for BenchArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cores, build, Self { delay_ms, concurrency, .. }) = (cores(), self.build(), self);
        write!(
            f,
            "{cores} cores, {build} build, runtime host; the provider answers after {delay_ms} ms, limit {concurrency}"
        )
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

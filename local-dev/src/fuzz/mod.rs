//! `cargo dev fuzz`: property-based calls of the whole API.
//!
//! [schemathesis](https://schemathesis.io) makes valid and invalid requests from `docs/openapi.json`, sends them as an admin
//! to a real stack, and holds every answer against the document: no 5xx, no undeclared status, content type, header or
//! member. The same seed makes the same requests.
//!
//! `cargo dev fuzz parsers` runs the targets of `tests/fuzz` for longer than `cargo test` does.

mod config;
mod parsers;
mod seeds;

use std::{
    collections::BTreeMap,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    api::Api,
    build::workspace_root,
    console,
    openapi::DOCUMENT_PATH,
    report::{Event, Reporter},
    stack::{Stack, StackOptions},
    tool_env::{FUZZ_TOOLS, ToolEnv},
};

/// Base URLs of all model vendors: made-up requests must not leave this machine.
const VENDORS: [&str; 7] = [
    "OLLAMA_BASE_URL",
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "GEMINI_BASE_URL",
    "DEEPSEEK_BASE_URL",
    "DEEPINFRA_BASE_URL",
    "VOYAGEAI_BASE_URL",
];
/// Nobody listens on port 9.
const NOWHERE: &str = "http://127.0.0.1:9";
/// When a run that hangs is given up.
const LIMIT: Duration = Duration::from_secs(1_800);

pub use parsers::{ParsersArgs, parsers};

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct FuzzArgs {
    /// Other seeds make other requests
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// Random requests per operation, besides those at the edges of what the document allows
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub examples: u32,
    /// Builds with optimisation
    #[arg(long)]
    pub release: bool,
}

/// What a run found.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Requests whose answers were checked.
    pub cases: u64,
    /// Operations that were called.
    pub operations: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether every answer was as declared.
    pub passed: bool,
    /// What schemathesis wrote, with a `curl` line for every failure.
    pub text: String,
}

/// Starts a system of its own, runs against it and prints what was found.
pub async fn command(args: FuzzArgs) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("fuzz-").tempdir().context("no temporary directory")?;
    let tally = Tally::default();
    let options = StackOptions { release: args.release, show_build: true, ..options(dir.path(), &tally)? };
    let stack = Stack::start(options).await?;
    let outcome = run(&stack, args).await;
    let logs = stack.log_dir().to_owned();
    stack.shutdown().await;
    let outcome = outcome?;
    println!("{}", outcome.text);
    println!("{} requests to {} operations in {:.0} s", outcome.cases, outcome.operations, outcome.seconds);
    println!("Answers by status: {:?}", tally.by_status());
    if !outcome.passed {
        let _ = dir.keep();
        bail!("Not every answer was as the document says: see above, and the logs in {}.", logs.display());
    }
    Ok(())
}

/// Counts answers by status: a run whose every request is refused finds nothing.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<u16, usize>>>);

impl Tally {
    /// How many answers of each status came.
    pub fn by_status(&self) -> BTreeMap<u16, usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The share of answers with a status in this range.
    pub fn share(&self, statuses: RangeInclusive<u16>) -> f64 {
        let counts = self.by_status();
        let all: usize = counts.values().sum();
        let some: usize = counts.range(statuses).map(|(_, count)| count).sum();
        some as f64 / all.max(1) as f64
    }

    /// Counts, and prints what is not a request: thousands of these would hide everything else.
    fn reporter(&self) -> Reporter {
        let (tally, steps) = (self.clone(), console::reporter());
        Reporter::new(move |event| match event {
            Event::Request { status, .. } => {
                *tally.0.lock().unwrap_or_else(PoisonError::into_inner).entry(*status).or_default() += 1;
            }
            Event::Step(_) | Event::Note(_) => steps.report(event),
            _ => {}
        })
    }
}

/// Options of a stack that made-up requests may be sent to: no vendor can be reached but the demo provider.
pub fn options(data_dir: &Path, tally: &Tally) -> Result<StackOptions> {
    let mut options = StackOptions { reporter: tally.reporter(), ..StackOptions::quiet(data_dir)? };
    let played = ["OLLAMA_BASE_URL", "VOYAGEAI_BASE_URL"];
    let elsewhere = VENDORS.iter().filter(|name| !played.contains(name));
    options.env.extend(elsewhere.map(|name| ((*name).to_owned(), NOWHERE.to_owned())));
    Ok(options)
}

/// Registers the admin of a fresh stack, makes something of every kind, and calls every operation.
pub async fn run(stack: &Stack, args: FuzzArgs) -> Result<Outcome> {
    let root = workspace_root()?;
    let tools_dir = root.join(".dev");
    let tools =
        tokio::task::spawn_blocking(move || ToolEnv::prepare_set(FUZZ_TOOLS, &tools_dir, &|line| println!("{line}")))
            .await??;
    let document_path = root.join(DOCUMENT_PATH);
    let document = fs::read_to_string(&document_path).context("the OpenAPI document cannot be read")?;
    let document: Value = serde_json::from_str(&document).context("the OpenAPI document is not JSON")?;

    let api = Api::register(stack.base_url()).await?;
    let seeds = seeds::plant(&api).await?;
    let dir = tempfile::tempdir().context("no temporary directory")?;
    let config_path = dir.path().join("schemathesis.toml");
    fs::write(&config_path, config::config(&document, &seeds, args)).context("the configuration cannot be written")?;
    let report_path = dir.path().join("report.json");

    let mut schemathesis = Command::new(tools.program("schemathesis"));
    schemathesis.arg("--config-file").arg(&config_path).arg("--no-color").arg("run").arg(&document_path);
    schemathesis.arg("--url").arg(stack.base_url());
    schemathesis.arg("--report").arg("json").arg("--report-json-path").arg(&report_path);
    schemathesis.current_dir(dir.path()).stdin(Stdio::null()).kill_on_drop(true);
    // A proxy for the outside must not see calls to this machine.
    schemathesis.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let output = tokio::time::timeout(LIMIT, schemathesis.output())
        .await
        .with_context(|| format!("the run took longer than {} s", LIMIT.as_secs()))?
        .context("cannot start schemathesis")?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    outcome(&report_path, output.status.success(), text.into_owned())
}

fn outcome(report: &PathBuf, succeeded: bool, text: String) -> Result<Outcome> {
    let Ok(report) = fs::read_to_string(report) else { bail!("schemathesis gave no report:\n{text}") };
    let report: Value = serde_json::from_str(&report).context("the report is not JSON")?;
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    Ok(Outcome {
        cases: number("/test_cases/generated"),
        operations: number("/operations/tested"),
        seconds: report["running_time"].as_f64().unwrap_or_default(),
        passed: succeeded && report["complete"] == true && number("/operations/errored") == 0,
        text,
    })
}

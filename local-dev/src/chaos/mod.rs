//! `cargo dev chaos`: does anything get lost when everything breaks?
//!
//! A real stack runs executions through deployments with webhooks, against a provider that follows a script
//! (`script`): slow, limited, failing, hanging, talking nonsense. Meanwhile single processes of every job function are
//! killed, the queue server loses its memory, and messages come twice (`monkey`). Afterwards the books are compared: the
//! provider's (`provider`), the receiver's (`receiver`), the logs' (`journal`) and the database's (`audit`). The
//! rules stand in `verdict`. The same seed tells the same story, as far as a story of killed processes repeats itself.

mod audit;
mod dice;
mod journal;
mod monkey;
mod progress;
mod provider;
mod receiver;
mod report;
mod script;
mod signature;
mod verdict;
mod wire;
mod work;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::channel::mpsc;
use serde_json::Value;
use shared_core::{Db, config::DatabaseConfig};

use crate::{
    api::Api,
    console,
    report::Reporter,
    stack::{Stack, StackOptions},
};
use dice::Dice;
use journal::Journal;
use monkey::RESTARTS;
use progress::Progress;
use provider::ScriptedProvider;
use receiver::Receiver;
use report::Figures;
use verdict::{Demanded, Evidence, judge};

/// How long a worker waits for the provider: far longer than the slowest scripted answer.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(2);
/// Short leases and pauses, so that recovery is quick.
const IMPATIENT: [(&str, &str); 10] = [
    ("EXECUTION_LEASE_SECONDS", "4"),
    ("EXECUTION_RETRY_BASE_MS", "50"),
    ("EXECUTION_MAX_ATTEMPTS", "6"),
    ("PROVIDER_TIMEOUT_MS", "2000"),
    ("EMBEDDING_TIMEOUT_MS", "2000"),
    ("JOB_LEASE_SECONDS", "4"),
    ("JOB_RETRY_BASE_MS", "50"),
    ("JOB_ANNOUNCE_AGAIN_SECONDS", "4"),
    ("WEBHOOK_ALLOW_HTTP", "true"),
    ("WEBHOOK_ALLOW_PRIVATE_TARGETS", "true"),
];
/// 5 % of the messages come twice.
const REDELIVER_EVERY: u32 = 20;
/// Two rounds of maintenance and a late duplicate fit in: whoever still touches what has ended is caught.
const AFTERMATH: Duration = Duration::from_secs(3);

/// How much chaos.
#[derive(Debug, Clone, clap::Args)]
pub struct ChaosArgs {
    /// Other seeds tell other stories
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Executions that must survive
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub executions: u32,
    /// Processes that are killed while they live
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub kills: u32,
    /// Limit of the provider: how many executions run at once
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub concurrency: u32,
    /// Builds with optimisation
    #[arg(long)]
    pub release: bool,
    /// Also writes figures and verdict to FILE
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What a run showed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whether every rule holds.
    pub passed: bool,
    /// Figures and verdict as a table.
    pub text: String,
    /// The same as a document.
    pub document: Value,
}

/// Runs, prints the verdict, and fails unless every rule holds. The data stays where something went wrong.
pub async fn command(args: ChaosArgs) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("chaos-").tempdir().context("no temporary directory")?;
    let ran = run(&args, dir.path(), None, &console::reporter(), true).await;
    let passed = ran.as_ref().is_ok_and(|outcome| outcome.passed);
    let kept = (!passed).then(|| dir.keep());
    let kept_at = || kept.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    let outcome = ran.with_context(|| format!("The run with seed {} broke off; see {}", args.seed, kept_at()))?;
    println!("{}", outcome.text);
    if let Some(file) = &args.json {
        fs::write(file, format!("{:#}\n", outcome.document))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if !passed {
        bail!("Not every rule holds with seed {}: database and logs are in {}.", args.seed, kept_at());
    }
    Ok(())
}

/// One run on a stack of its own in `data_dir`, with cargo's own output while building if `show_build`. The data lives in a
/// file there, or in a `database` that holds nothing yet.
pub async fn run(
    args: &ChaosArgs,
    data_dir: &Path,
    database: Option<DatabaseConfig>,
    reporter: &Reporter,
    show_build: bool,
) -> Result<Outcome> {
    let dice = Dice::new(args.seed);
    let (provider, receiver) = (ScriptedProvider::start(dice).await?, Receiver::start(dice).await?);
    let journal = Journal::default();
    let mut env: BTreeMap<_, _> = IMPATIENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    env.extend(["OLLAMA_BASE_URL", "VOYAGEAI_BASE_URL"].map(|name| (name.to_owned(), provider.url())));
    let options = StackOptions {
        release: args.release,
        show_build,
        demo: None,
        database,
        env,
        redeliver_every: Some(REDELIVER_EVERY),
        maintenance_interval: Duration::from_secs(1),
        reporter: journal.reporter(reporter.clone()),
        ..StackOptions::quiet(data_dir)?
    };
    let stack = Stack::start(options).await?;
    let db = Db::new(stack.database());
    let started = Instant::now();
    let progress = Progress::new(args.executions);
    let scene = Scene { args, dice, provider: &provider, receiver: &receiver, progress: &progress };
    let troubled = trouble(&stack, &db, &scene, reporter).await;
    let duration = started.elapsed();
    // Nothing changes after the end, so the books are compared then.
    stack.shutdown().await;
    troubled?;
    let evidence = Evidence {
        demanded: Demanded {
            executions: args.executions,
            limit: args.concurrency,
            kills: args.kills,
            restarts: RESTARTS,
            provider_timeout: PROVIDER_TIMEOUT,
        },
        runs: progress.runs(),
        embeddings: progress.embeddings(),
        calls: provider.calls(),
        most_open: provider.most_open(),
        deliveries: receiver.deliveries(),
        kills: progress.kills(),
        restarts: progress.restarts(),
        pages: journal.pages(),
        facts: audit::collect(&db).await?,
    };
    let (figures, judged) = (Figures::of(&evidence, duration), judge(&evidence));
    Ok(Outcome {
        passed: judged.iter().all(|judged| judged.findings.is_empty()),
        text: report::text(args, &figures, &judged),
        document: report::document(args, &figures, &judged),
    })
}

/// What the parts of a run share.
struct Scene<'a> {
    args: &'a ChaosArgs,
    dice: Dice,
    provider: &'a ScriptedProvider,
    receiver: &'a Receiver,
    progress: &'a Progress,
}

/// Work and trouble at the same time, until everything has ended or nothing moves any more.
async fn trouble(stack: &Stack, db: &Db, scene: &Scene<'_>, reporter: &Reporter) -> Result<()> {
    let host = stack.host().context("only the runtime host can kill")?;
    let functions = monkey::job_functions(stack.template());
    audit::watch(db).await?;
    let api = Api::register(stack.base_url()).await?;
    let deployments = work::set_up(&api, scene.receiver, scene.args.concurrency).await?;
    let ChaosArgs { seed, executions, kills, .. } = scene.args;
    reporter.step(format!("Chaos with seed {seed}: {executions} executions, {kills} kills"));
    let (to_cancel, cancellations) = mpsc::unbounded();
    let everything = async {
        tokio::try_join!(
            work::create(&api, &deployments, scene, to_cancel),
            work::cancel(&api, scene, cancellations),
            monkey::kill(&host, &functions, scene),
            monkey::restart_queue_server(stack, scene),
        )?;
        scene.progress.until_done().await;
        tokio::time::sleep(AFTERMATH).await;
        anyhow::Ok(())
    };
    tokio::select! {
        done = everything => done,
        // Stuck: the verdict says what is.
        watched = scene.progress.watch(db, reporter) => watched,
    }
}

//! `cargo dev` itself: starts the stack, says where everything is, and waits for Ctrl-C.

use std::{fs, io::ErrorKind, path::Path, time::Instant};

use anyhow::{Context, Result};
use shared_core::config::DatabaseConfig;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    build::workspace_root,
    cli::StartArgs,
    console,
    demo::MODELS,
    stack::{DATABASE_FILE, DemoOptions, LOG_DIR, Runtime, Stack, StackOptions, database_at, lock},
};

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(args: StartArgs) -> Result<()> {
    let started = Instant::now();
    let root = workspace_root()?;
    let data_dir = args.data.clone().unwrap_or_else(|| root.join(".dev"));
    let reporter = console::reporter();
    let database = args.database.as_deref().map(database_at).transpose()?;
    if args.reset {
        reset(&data_dir)?;
        reporter.step("Database and logs are deleted");
    }
    let options = StackOptions {
        root,
        data_dir,
        database,
        runtime: if args.host { Runtime::Host } else { Runtime::Watch },
        port: args.port,
        release: args.release,
        demo: args.demo.then(DemoOptions::default),
        ui: args.ui.clone(),
        inherit_env: true,
        maintenance_interval: args.maintenance_interval(),
        show_build: true,
        reporter: reporter.clone(),
        ..StackOptions::quiet("")?
    };
    let mut stop = StopSignal::new()?;
    let stack = tokio::select! {
        stack = Stack::start(options) => stack?,
        // Dropping a stack that is half started stops what has been started.
        () = stop.wait() => {
            println!("\nStopped before everything had started.");
            return Ok(());
        }
    };
    println!("{}", summary(&stack, &args, started));
    stop.wait().await;
    println!("\nStopping the functions, the queue server and the gateway …");
    tokio::select! {
        () = stack.shutdown() => println!("Everything has stopped. Your data is kept; --reset deletes it."),
        () = stop.wait() => println!("Not waiting any longer."),
    }
    Ok(())
}

/// Deletes the database and the logs, but never those of a running system.
fn reset(data_dir: &Path) -> Result<()> {
    let _lock = lock(data_dir)?;
    for file in [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal"), format!("{DATABASE_FILE}-shm")] {
        ignore_missing(fs::remove_file(data_dir.join(&file))).with_context(|| format!("cannot delete {file}"))?;
    }
    ignore_missing(fs::remove_dir_all(data_dir.join(LOG_DIR))).context("cannot delete the logs")
}

fn ignore_missing(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn summary(stack: &Stack, args: &StartArgs, started: Instant) -> String {
    let url = stack.base_url();
    let mut lines = vec![format!("\nReady after {:.1} s.\n", started.elapsed().as_secs_f64())];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<12}{value}"));
    if let Some(ui) = &args.ui {
        row("Application", format!("{url}/ (from {})", ui.display()));
    }
    row("API", format!("{url}/api/v1, described at {url}/api/json-schema"));
    row(
        "Database",
        match stack.database() {
            DatabaseConfig::File(path) => path.display().to_string(),
            DatabaseConfig::Remote { url, .. } => url.clone(),
        },
    );
    row("Logs", stack.log_dir().display().to_string());
    row("Queues", stack.queues().endpoint());
    row("Functions", if args.host { "prebuilt, on the runtime host" } else { "rebuilt when you edit them" }.to_owned());
    match stack.demo() {
        Some(demo) => row("Demo model", format!("ollama:{} at {}", MODELS[0], demo.url())),
        None => {
            row("Models", "Ollama at OLLAMA_BASE_URL or localhost:11434; --demo answers without a model".to_owned())
        }
    }
    lines.push(format!(
        "\nFirst steps (on a fresh database):\n\n  \
         curl {url}/api/health\n  \
         curl {url}/api/v1/auth/register-first-admin -H 'Content-Type: application/json' \\\n    \
         -d '{{\"name\":\"Me\",\"email\":\"me@example.org\",\"password\":\"choose-a-password\"}}'\n\n\
         The README goes on from here. Ctrl-C stops everything.\n"
    ));
    lines.join("\n")
}

/// Ctrl-C or SIGTERM.
struct StopSignal {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

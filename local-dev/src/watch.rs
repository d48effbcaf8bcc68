//! Runs functions under `cargo lambda watch`, which builds them again when their sources change.
//!
//! Its weak spots, and what shields from them here: too many simultaneous calls of one function
//! freeze it (a limit; the rest wait); a call whose process ends is never answered (our own
//! time-outs); lost calls keep their places (a fresh start once all places are lost).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use axum::body::Bytes;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore},
    time::Instant,
};

use crate::{
    child::{GuardedChild, LineSink, LogFile},
    host::HostedFunction,
    invoke::{InvokeError, Invoker},
    report::{Event, Reporter},
    tool_env::ToolEnv,
};

/// Most calls of one function at once; it freezes for good at 101.
const MAX_CALLS: usize = 64;
/// Processes per function. It starts all of them at the first call, each through `cargo run`, so few are better.
pub const PROCESSES: usize = 3;
const START_LIMIT: Duration = Duration::from_secs(30);
const START_ATTEMPTS: u32 = 3;
/// Name under which all functions report their lines: their outputs arrive mixed.
pub const LOG_NAME: &str = "functions";

/// How to run `cargo lambda watch`.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// The workspace.
    pub root: PathBuf,
    /// Whether to build with optimisation.
    pub release: bool,
    /// The functions. All get the union of their environments, because it is one process tree.
    pub functions: Vec<HostedFunction>,
    /// Receives what the functions print.
    pub reporter: Reporter,
}

/// Functions under `cargo lambda watch`.
#[derive(Debug)]
pub struct Watch(Arc<Running>);

#[derive(Debug)]
struct Running {
    tools: ToolEnv,
    options: WatchOptions,
    log: LogFile,
    port: u16,
    child: Mutex<Option<GuardedChild>>,
    client: reqwest::Client,
    functions: BTreeMap<String, Places>,
}

/// The places for calls of one function.
#[derive(Debug)]
struct Places {
    permits: Semaphore,
    /// Calls that were given up; `cargo lambda watch` keeps their places for ever.
    lost: AtomicUsize,
}

impl Watch {
    /// Starts `cargo lambda watch` on a free port. It compiles nothing before the first call.
    pub async fn start(tools: &ToolEnv, options: WatchOptions, log_dir: &Path) -> Result<Self> {
        let log = LogFile::open(log_dir, &format!("{LOG_NAME}.log"))?;
        let mut attempt = 1;
        let (child, port) = loop {
            let port = free_port().await?;
            match launch(tools, &options, port, &log).await {
                Ok(child) => break (child, port),
                // Somebody else may have taken the port in between.
                Err(error) if attempt >= START_ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        };
        let names: BTreeSet<&String> = options.functions.iter().map(|function| &function.name).collect();
        let places = || Places { permits: Semaphore::new(MAX_CALLS), lost: AtomicUsize::new(0) };
        let functions = names.into_iter().map(|name| (name.clone(), places())).collect();
        // Local only, and every call has its own time-out.
        let client = shared_core::outbound::client(|builder| builder.no_proxy().tcp_nodelay(true))?;
        let (tools, child) = (tools.clone(), Mutex::new(Some(child)));
        Ok(Self(Arc::new(Running { tools, options, log, port, child, client, functions })))
    }

    /// Refuses further calls and makes `cargo lambda watch` stop, without waiting.
    pub fn close(&self) {
        self.0.refuse_calls();
        if let Ok(mut child) = self.0.child.try_lock() {
            drop(child.take());
        }
    }

    /// Stops `cargo lambda watch` and every function.
    pub async fn shutdown(&self) {
        self.0.refuse_calls();
        if let Some(child) = self.0.child.lock().await.take() {
            child.stop().await;
        }
    }
}

impl Running {
    fn refuse_calls(&self) {
        for places in self.functions.values() {
            places.permits.close();
        }
    }

    async fn call(self: Arc<Self>, function: String, payload: Bytes, timeout: Duration) -> Result<Bytes, InvokeError> {
        let unreachable = |message: String| InvokeError::Unreachable(message);
        let Some(places) = self.functions.get(&function) else {
            return Err(unreachable(format!("there is no function {function}")));
        };
        let permit = places
            .permits
            .acquire()
            .await
            .map_err(|_| unreachable("cargo lambda watch has been stopped".to_owned()))?;
        let outcome = tokio::time::timeout(timeout, self.post(&function, payload)).await;
        drop(permit);
        match outcome {
            Ok(answer) => answer,
            Err(_) => {
                self.lose_place(&function, places).await;
                Err(InvokeError::Timeout(timeout))
            }
        }
    }

    async fn post(&self, function: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        let unreachable = |error: reqwest::Error| InvokeError::Unreachable(error.without_url().to_string());
        let url = format!("http://127.0.0.1:{}/2015-03-31/functions/{function}/invocations", self.port);
        let answer = self.client.post(url).body(payload).send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(unreachable)?;
        match status {
            200 => Ok(body),
            // It marks function errors by this status alone.
            500 => Err(InvokeError::FunctionError(crate::host::error_text(&body))),
            other => Err(InvokeError::Unreachable(format!("status {other}: {}", String::from_utf8_lossy(&body)))),
        }
    }

    /// Notes that a call was given up, and starts afresh when no place is left.
    async fn lose_place(&self, function: &str, places: &Places) {
        if places.lost.fetch_add(1, Ordering::AcqRel) + 1 < PROCESSES {
            return;
        }
        let mut slot = self.child.lock().await;
        if places.lost.load(Ordering::Acquire) < PROCESSES || places.permits.is_closed() {
            return;
        }
        let reason = "no call was answered in time; cargo lambda watch starts again".to_owned();
        self.options.reporter.report(&Event::Restart { function: function.to_owned(), reason });
        if let Some(child) = slot.take() {
            child.stop().await;
        }
        match launch(&self.tools, &self.options, self.port, &self.log).await {
            Ok(child) => *slot = Some(child),
            Err(error) => self.options.reporter.note(format!("{error:#}")),
        }
        for places in self.functions.values() {
            places.lost.store(0, Ordering::Release);
        }
    }
}

#[async_trait]
impl Invoker for Watch {
    async fn invoke(&self, function: &str, payload: Bytes, timeout: Duration) -> Result<Bytes, InvokeError> {
        // A task of its own: a caller who goes away must not hide that a call was never answered.
        let call = tokio::spawn(self.0.clone().call(function.to_owned(), payload, timeout));
        call.await.unwrap_or_else(|error| Err(InvokeError::Unreachable(error.to_string())))
    }
}

async fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
    Ok(listener.local_addr()?.port())
}

async fn launch(tools: &ToolEnv, options: &WatchOptions, port: u16, log: &LogFile) -> Result<GuardedChild> {
    let (log, reporter) = (log.clone(), options.reporter.clone());
    let sink: LineSink = Arc::new(move |line: &str| {
        log.write_line(line);
        reporter.report(&Event::Log { function: LOG_NAME.to_owned(), line: line.to_owned() });
    });
    let (program, port_text, processes) = (tools.cargo_lambda(), port.to_string(), PROCESSES.to_string());
    let program = program.to_string_lossy();
    let mut command = vec![&*program, "lambda", "watch", "--color", "never", "--invoke-address", "127.0.0.1"];
    command.extend(["--invoke-port", &port_text, "--concurrency", &processes]);
    if options.release {
        command.push("--release");
    }
    let mut child = GuardedChild::spawn(
        &tools.python(),
        &command,
        |guard| {
            guard.current_dir(&options.root);
            // Inherited by the functions. An `--env-file` would be a second copy of the secrets,
            // its parser stumbles over values with "=" or spaces, and it shows up in the log.
            for function in &options.functions {
                guard.envs(&function.environment);
            }
        },
        sink,
    )?;
    let deadline = Instant::now() + START_LIMIT;
    while child.is_running() && Instant::now() < deadline {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(child);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    child.stop().await;
    bail!("cargo lambda watch did not start: see {LOG_NAME}.log.")
}

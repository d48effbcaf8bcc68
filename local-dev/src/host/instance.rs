//! One process of a function.

use std::{
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::{body::Bytes, serve::ListenerExt};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    net::TcpListener,
    process::Command,
    sync::{mpsc, oneshot, watch},
    time::timeout_at,
};

use super::{
    HostedFunction, PROCESS_ID,
    runtime_api::{RuntimeApi, Work},
};
use crate::{
    child::{LineSink, follow},
    invoke::InvokeError,
    process::Usage,
};

/// Lambda's limit for what happens before the first request for work.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// A process with its own Runtime API. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: u64,
    work: mpsc::Sender<Work>,
    api: Arc<RuntimeApi>,
    pid: Option<Pid>,
    /// When it was started.
    started: Instant,
    /// What is wanted of the process.
    wish: watch::Sender<Wish>,
    /// How the process ended, once it has.
    ended: watch::Receiver<Option<String>>,
}

/// What is wanted of a process; never less than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    /// It works.
    Work,
    /// It ends in order (SIGTERM).
    End,
    /// It ends at once (SIGKILL).
    Die,
}

/// How a call on an instance went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The process answered and is free again.
    Answered(Result<Bytes, InvokeError>),
    /// The process is gone and may have done anything.
    Lost(InvokeError),
    /// The process is gone and never saw the call.
    NotTaken(String),
}

impl Instance {
    /// Starts the process.
    ///
    /// `on_end` runs when it has ended; it gets a reason when nobody had asked for that.
    pub(super) fn start(
        id: u64,
        function: &HostedFunction,
        sink: LineSink,
        on_end: impl FnOnce(Option<String>) + Send + 'static,
    ) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let (work, receiver) = mpsc::channel(1);
        let api = Arc::new(RuntimeApi::new(&function.name, receiver));
        let server = axum::serve(listener, api.clone().router());

        let started = Instant::now();
        let mut child = Command::new(&function.binary)
            .args(&function.arguments)
            .env_clear()
            .envs(function.environment.iter().map(|(name, value)| (name, value.replace(PROCESS_ID, &id.to_string()))))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local-{id}"))
            .env("_HANDLER", "bootstrap")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in the terminal is for us.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", function.binary.display()))?;
        follow(&mut child, &sink);

        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        let wish = watch::Sender::new(Wish::Work);
        let (ended_sender, ended) = watch::channel(None);
        let (mut wishes, init) = (wish.subscribe(), api.clone());
        tokio::spawn(async move {
            let server = tokio::spawn(server.into_future());
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    wish = next_wish(&mut wishes) => match (wish, pid) {
                        (Wish::End, Some(pid)) => drop(kill(pid, Signal::SIGTERM)),
                        _ => drop(child.start_kill()),
                    }
                }
            };
            server.abort();
            let asked_for = *wishes.borrow() > Wish::Work || wishes.has_changed().is_err();
            let reason = init.init_error().unwrap_or_else(|| describe(status));
            on_end((!asked_for).then(|| reason.clone()));
            ended_sender.send_replace(Some(reason));
        });
        Ok(Self { id, work, api, pid, started, wish, ended })
    }

    /// Hands one call to the process and waits for the answer.
    pub(super) async fn run(&self, payload: Bytes, timeout: Duration) -> Outcome {
        if let Err(reason) = self.wait_until_ready().await {
            return Outcome::NotTaken(reason);
        }
        if !self.is_usable() {
            return Outcome::NotTaken("the process was killed".to_owned());
        }
        let taken = Arc::new(AtomicBool::new(false));
        let (reply, answer) = oneshot::channel();
        let request_id = uuid::Uuid::new_v4().to_string();
        let work = Work { request_id, payload, timeout, taken: taken.clone(), reply };
        if self.work.try_send(work).is_err() {
            return Outcome::NotTaken("the process takes no work".to_owned());
        }
        let mut ended = self.ended.clone();
        tokio::select! {
            // An answer that arrived just before the end still counts.
            biased;
            Ok(result) = answer => Outcome::Answered(result),
            reason = ended.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                if taken.load(Ordering::Acquire) {
                    Outcome::Lost(InvokeError::Crashed(reason))
                } else {
                    Outcome::NotTaken(reason)
                }
            }
            () = tokio::time::sleep(timeout) => {
                self.kill();
                Outcome::Lost(InvokeError::Timeout(timeout))
            }
        }
    }

    /// Whether the process is alive and may stay so.
    pub(super) fn is_usable(&self) -> bool {
        *self.wish.borrow() == Wish::Work && self.ended.borrow().is_none()
    }

    /// Whether the process works on a call.
    pub(super) fn is_busy(&self) -> bool {
        self.api.is_busy()
    }

    /// Kills the process; it may take a moment to end.
    pub(super) fn kill(&self) {
        self.want(Wish::Die);
    }

    /// Asks the process to end in order. It gets no more calls.
    pub(super) fn terminate(&self) {
        self.want(Wish::End);
    }

    fn want(&self, wish: Wish) {
        self.wish.send_if_modified(|wanted| {
            let is_more = wish > *wanted;
            *wanted = wish.max(*wanted);
            is_more
        });
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(&self) {
        let _ = self.ended.clone().wait_for(Option::is_some).await;
    }

    /// Waits until the process has ended, and tells whether SIGKILL was the reason.
    pub(super) async fn was_killed(&self) -> bool {
        self.ended().await;
        self.ended.borrow().as_deref().is_some_and(|reason| reason.contains("SIGKILL"))
    }

    /// How long ago the process was started.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the process has used so far; `None` when it is gone.
    pub(super) fn usage(&self) -> Option<Usage> {
        Usage::of(u32::try_from(self.pid?.as_raw()).ok()?)
    }

    /// Waits for the first request for work and says how long after the start it came, or why it never will.
    pub(super) async fn wait_until_ready(&self) -> Result<Duration, String> {
        let mut ready = self.api.ready();
        if let Some(at) = *ready.borrow() {
            return Ok(at.saturating_duration_since(self.started));
        }
        let mut ended = self.ended.clone();
        let deadline = tokio::time::Instant::now() + INIT_LIMIT;
        tokio::select! {
            ready = timeout_at(deadline, ready.wait_for(Option::is_some)) => match ready {
                Ok(at) => Ok(at.ok().and_then(|at| *at).unwrap_or(self.started).saturating_duration_since(self.started)),
                Err(_) => {
                    self.kill();
                    Err(format!("did not ask for work within {} s", INIT_LIMIT.as_secs()))
                }
            },
            reason = ended.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                Err(format!("ended before it asked for work ({reason})"))
            }
        }
    }
}

/// Waits until something else is wanted of the process. Its instance was dropped: it dies.
async fn next_wish(wishes: &mut watch::Receiver<Wish>) -> Wish {
    match wishes.changed().await {
        Ok(()) => *wishes.borrow_and_update(),
        Err(_) => Wish::Die,
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        // Displays as "exit status: 1" or "signal: 9 (SIGKILL)".
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

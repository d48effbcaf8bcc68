//! One process of a function.

use std::{
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{body::Bytes, serve::ListenerExt};
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
};

/// Lambda's limit for what happens before the first request for work.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// A process with its own Runtime API. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: u64,
    work: mpsc::Sender<Work>,
    api: Arc<RuntimeApi>,
    /// True as soon as somebody wants the process dead.
    kill: watch::Sender<bool>,
    /// How the process ended, once it has.
    ended: watch::Receiver<Option<String>>,
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

        let mut child = Command::new(&function.binary)
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

        let kill = watch::Sender::new(false);
        let (ended_sender, ended) = watch::channel(None);
        let (mut kill_wanted, init) = (kill.subscribe(), api.clone());
        tokio::spawn(async move {
            let server = tokio::spawn(server.into_future());
            let status = tokio::select! {
                status = child.wait() => status,
                () = asked_to_end(&mut kill_wanted) => {
                    let _ = child.start_kill();
                    child.wait().await
                }
            };
            server.abort();
            let asked_for = *kill_wanted.borrow() || kill_wanted.has_changed().is_err();
            let reason = init.init_error().unwrap_or_else(|| describe(status));
            on_end((!asked_for).then(|| reason.clone()));
            ended_sender.send_replace(Some(reason));
        });
        Ok(Self { id, work, api, kill, ended })
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
        !*self.kill.borrow() && self.ended.borrow().is_none()
    }

    /// Whether the process works on a call.
    pub(super) fn is_busy(&self) -> bool {
        self.api.is_busy()
    }

    /// Kills the process; it may take a moment to end.
    pub(super) fn kill(&self) {
        self.kill.send_replace(true);
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

    async fn wait_until_ready(&self) -> Result<(), String> {
        let mut ready = self.api.ready();
        if *ready.borrow() {
            return Ok(());
        }
        let mut ended = self.ended.clone();
        let deadline = tokio::time::Instant::now() + INIT_LIMIT;
        tokio::select! {
            ready = timeout_at(deadline, ready.wait_for(|ready| *ready)) => match ready {
                Ok(_) => Ok(()),
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

/// Waits until somebody wants the process dead, or the instance was dropped.
async fn asked_to_end(kill: &mut watch::Receiver<bool>) {
    let _ = kill.wait_for(|wanted| *wanted).await;
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        // Displays as "exit status: 1" or "signal: 9 (SIGKILL)".
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

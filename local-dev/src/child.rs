//! Long-running helper processes that never outlive us.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

/// Receives every line that a process writes to its standard output or error.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// How long a guarded process may take to end before it is killed: a little more than the guard
/// itself waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process under a small guard (`guard.py`) that stops it when we end, even by SIGKILL.
///
/// Dropping it stops the process too, without waiting.
#[derive(Debug)]
pub struct GuardedChild {
    guard: Child,
}

impl GuardedChild {
    /// Starts `command` under the guard, with its output going to `sink`.
    ///
    /// `configure` may set the environment and the directory.
    pub fn spawn(
        python: &Path,
        command: &[&str],
        configure: impl FnOnce(&mut Command),
        sink: LineSink,
    ) -> Result<Self> {
        let mut guard = Command::new(python);
        guard
            .args(["-c", include_str!("guard.py")])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in the terminal reaches us only, and we stop it in order.
            .process_group(0);
        configure(&mut guard);
        let mut guard = guard.spawn().with_context(|| format!("cannot start {}", python.display()))?;
        follow(&mut guard, &sink);
        Ok(Self { guard })
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    /// Stops the process and waits until it has ended.
    pub async fn stop(mut self) {
        drop(self.guard.stdin.take());
        if tokio::time::timeout(PATIENCE, self.guard.wait()).await.is_err() {
            let _ = self.guard.kill().await;
        }
    }
}

/// Sends every line of a child's piped output to `sink`.
pub(crate) fn follow(child: &mut Child, sink: &LineSink) {
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(read_lines(stdout, sink.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read_lines(stderr, sink.clone()));
    }
}

async fn read_lines(stream: impl AsyncRead + Unpin, sink: LineSink) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        sink(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// A log file that several processes of one kind write to.
#[derive(Debug, Clone)]
pub struct LogFile(Arc<Mutex<File>>);

impl LogFile {
    /// Opens `name` in `dir` for appending; both are created when missing.
    pub fn open(dir: &Path, name: &str) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join(name);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Appends one line. A full disk must not stop the system, so failures are ignored.
    pub fn write_line(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

//! What the code under test wrote into the log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Catches the log lines of this thread while it lives; for tests whose runtime has one thread.
pub struct CaughtLog {
    lines: Lines,
    _guard: DefaultGuard,
}

impl CaughtLog {
    /// Starts to catch warnings and errors.
    pub fn start() -> Self {
        Self::filtered(Targets::new().with_default(LevelFilter::WARN))
    }

    /// Starts to catch everything that a program built for release can write, and all that our own crates ever write.
    pub fn of_everything() -> Self {
        let ours = ["api_", "job_", "shared_", "migrate"].map(|start| (start, LevelFilter::TRACE));
        Self::filtered(Targets::new().with_default(LevelFilter::INFO).with_targets(ours))
    }

    fn filtered(filter: Targets) -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
        // Not as the filter of the layer: such filters lose lines when another test starts to catch at the same moment.
        let subscriber = tracing_subscriber::registry().with(layer).with(filter);
        Self { lines, _guard: subscriber.set_default() }
    }

    /// The lines since the last call.
    pub fn take(&self) -> Vec<Value> {
        let text = std::mem::take(&mut *self.lines.0.lock().unwrap_or_else(PoisonError::into_inner));
        text.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("a line is JSON"))
            .collect()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

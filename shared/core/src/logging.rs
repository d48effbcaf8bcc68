//! Structured log lines on standard output, one JSON object each.

use tracing_subscriber::EnvFilter;

/// Starts logging; `RUST_LOG` chooses the level, `info` unless set. Later calls change nothing.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_ansi(false);
    // A second start in one process, as tests make it, keeps the first subscriber.
    let _already_started = subscriber.try_init();
}

//! Ending in order: after SIGTERM no work is taken, what runs may finish for a while, the rest is handed back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// Knows whether the process is to end. Cloning is cheap, and all clones know the same.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How long running work may go on.
    grace: Duration,
    requested_at: watch::Sender<Option<Instant>>,
    running: watch::Sender<usize>,
}

/// Work that must end before the process does. Dropping it says that it has.
#[derive(Debug)]
pub struct Running(Arc<Inner>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl Shutdown {
    /// Nobody has asked for an end yet.
    pub fn new(grace: Duration) -> Self {
        Self(Arc::new(Inner { grace, requested_at: watch::Sender::new(None), running: watch::Sender::new(0) }))
    }

    /// Asks for an end.
    pub fn request(&self) {
        self.0.requested_at.send_if_modified(|at| {
            let is_first = at.is_none();
            *at = at.or_else(|| Some(Instant::now()));
            is_first
        });
    }

    /// Whether somebody has.
    pub fn is_requested(&self) -> bool {
        self.0.requested_at.borrow().is_some()
    }

    /// Registers work that must end first.
    pub fn running(&self) -> Running {
        self.0.running.send_modify(|running| *running += 1);
        Running(self.0.clone())
    }

    /// Returns when running work must be handed back: `grace` after the request.
    pub async fn grace_is_over(&self) {
        let mut requested = self.0.requested_at.subscribe();
        // The sender lives as long as `self`, so there is no error.
        let at = requested.wait_for(Option::is_some).await.ok().and_then(|at| *at);
        if let Some(at) = at {
            tokio::time::sleep_until((at + self.0.grace).into()).await;
        }
    }

    /// Returns when no work is running any more.
    pub async fn all_ended(&self) {
        let _ = self.0.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn grace_begins_with_the_first_request_and_ends_once() {
        let shutdown = Shutdown::new(Duration::from_millis(50));
        assert!(!shutdown.is_requested());
        let waiting = tokio::time::timeout(Duration::from_millis(20), shutdown.grace_is_over());
        assert!(waiting.await.is_err(), "nobody asked");
        shutdown.request();
        shutdown.request();
        assert!(shutdown.is_requested());
        shutdown.grace_is_over().await;
    }

    #[tokio::test]
    async fn the_end_waits_for_what_runs() {
        let shutdown = Shutdown::new(Duration::ZERO);
        shutdown.all_ended().await;
        let (first, second) = (shutdown.running(), shutdown.running());
        drop(first);
        let waiting = tokio::time::timeout(Duration::from_millis(20), shutdown.all_ended());
        assert!(waiting.await.is_err(), "one still runs");
        drop(second);
        shutdown.all_ended().await;
    }
}

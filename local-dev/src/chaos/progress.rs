//! How far a run is, for everybody who paces itself by that, and what was done to the system so far.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use shared_core::{Db, params};

use super::{monkey::Kill, work::Run};
use crate::report::Reporter;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const TELL_EVERY: Duration = Duration::from_secs(3);
/// How long nothing may change before the run counts as stuck: longer than almost any pause of a retry.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the parts of a run share. Everything is written down when it happens: a run that gets stuck is judged too.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many executions there will be.
    wanted: u64,
    runs: Mutex<Vec<Run>>,
    embeddings: Mutex<Vec<Run>>,
    kills: Mutex<Vec<Kill>>,
    restarts: Mutex<usize>,
    ended: AtomicU64,
    /// Webhook deliveries and embeddings that have not ended.
    open_jobs: AtomicU64,
    /// Whether the two numbers above are from a look into the database.
    is_known: AtomicBool,
}

impl Progress {
    pub(super) fn new(wanted: u32) -> Self {
        Self { wanted: wanted.into(), ..Self::default() }
    }

    pub(super) fn created(&self, run: Run) {
        lock(&self.runs).push(run);
    }

    pub(super) fn embedding_created(&self, run: Run) {
        lock(&self.embeddings).push(run);
    }

    pub(super) fn killed(&self, kill: Kill) {
        lock(&self.kills).push(kill);
    }

    pub(super) fn restarted(&self) {
        *lock(&self.restarts) += 1;
    }

    pub(super) fn runs(&self) -> Vec<Run> {
        lock(&self.runs).clone()
    }

    pub(super) fn embeddings(&self) -> Vec<Run> {
        lock(&self.embeddings).clone()
    }

    pub(super) fn kills(&self) -> Vec<Kill> {
        lock(&self.kills).clone()
    }

    pub(super) fn restarts(&self) -> usize {
        *lock(&self.restarts)
    }

    /// How many executions were created and have not ended.
    pub(super) fn backlog(&self) -> u64 {
        (lock(&self.runs).len() as u64).saturating_sub(self.ended.load(Ordering::Relaxed))
    }

    /// The share of all executions that has ended.
    pub(super) fn share(&self) -> f64 {
        self.ended.load(Ordering::Relaxed) as f64 / self.wanted.max(1) as f64
    }

    /// Returns when all executions and all webhooks have ended.
    pub(super) async fn until_done(&self) {
        while !self.is_done() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_done(&self) -> bool {
        // The last execution brings its webhooks in the transaction that ends it, and both are looked at in one.
        let is_known = self.is_known.load(Ordering::Acquire);
        is_known && self.share() >= 1.0 && self.open_jobs.load(Ordering::Relaxed) == 0
    }

    /// Looks into the database over and over, tells how it goes, and returns when nothing moves any more.
    pub(super) async fn watch(&self, db: &Db, reporter: &Reporter) -> Result<()> {
        let (mut last, mut moved, mut told) = (self.numbers(), Instant::now(), Instant::now());
        loop {
            self.look(db).await?;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                reporter.note(self.tell());
            }
            if self.numbers() != last || self.is_done() {
                (last, moved) = (self.numbers(), Instant::now());
            } else if moved.elapsed() > PATIENCE {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self, db: &Db) -> Result<()> {
        let sql = "SELECT
            (SELECT count(*) FROM executions WHERE status IN ('completed', 'failed')) AS ended,
            (SELECT count(*) FROM jobs WHERE status IN ('pending', 'running', 'retrying')) AS open_jobs";
        let rows = db.read(sql, params![]).await?;
        if let Some(row) = rows.first() {
            // In this order: who sees the last end must not see the jobs of an earlier look.
            self.open_jobs.store(row.get("open_jobs")?, Ordering::Release);
            self.ended.store(row.get("ended")?, Ordering::Release);
            self.is_known.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn numbers(&self) -> [u64; 5] {
        let (runs, kills) = (lock(&self.runs).len() as u64, lock(&self.kills).len() as u64);
        let counters = [&self.ended, &self.open_jobs].map(|counter| counter.load(Ordering::Relaxed));
        [runs, counters[0], counters[1], kills, self.restarts() as u64]
    }

    fn tell(&self) -> String {
        let [created, ended, open_jobs, kills, restarts] = self.numbers();
        format!(
            "{ended} of {} executions ended, {} in line or running, {open_jobs} jobs open; {kills} kills, \
             {restarts} restarts of the queue server",
            self.wanted,
            created.saturating_sub(ended)
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use shared_core::{config::DatabaseConfig, db::Statement, migrations};

    use super::*;

    #[tokio::test]
    async fn a_run_is_done_when_its_executions_and_their_webhooks_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
        migrations::migrate(&db).await.unwrap();
        let progress = Progress::new(1);
        assert!(!progress.is_done());
        for (sql, is_done) in [
            (
                "INSERT INTO executions (id, created_at, updated_at, provider, model, data) VALUES ('e', '', '',
                    'ollama', 'm', '{\"provider\": \"ollama\", \"model\": \"m\", \"webhookDestinationIds\": [\"d\"]}')",
                false,
            ),
            ("UPDATE executions SET status = 'failed'", false),
            ("UPDATE jobs SET status = 'completed'", true),
        ] {
            db.write(vec![Statement::new(sql, params![])]).await.unwrap();
            progress.look(&db).await.unwrap();
            assert_eq!(progress.is_done(), is_done, "{sql}");
        }
    }
}

//! How far the run is, for everybody who paces itself by that.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;
use shared_core::{Db, params};

use crate::report::Reporter;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const TELL_EVERY: Duration = Duration::from_secs(3);
/// How long nothing may change before the run counts as stuck: longer than any pause of a retry.
const PATIENCE: Duration = Duration::from_secs(90);

/// Counters that the parts of a run share.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many executions there will be.
    pub(super) wanted: u64,
    pub(super) created: AtomicU64,
    pub(super) ended: AtomicU64,
    /// Webhook deliveries that have not ended.
    pub(super) open_jobs: AtomicU64,
    pub(super) kills: AtomicU64,
    pub(super) restarts: AtomicU64,
    pub(super) is_known: AtomicBool,
    pub(super) ignores_jobs: bool,
}

impl Progress {
    pub(super) fn new(wanted: u32) -> Self {
        Self { wanted: wanted.into(), ..Self::default() }
    }

    /// Executions that were created and have not ended.
    pub(super) fn backlog(&self) -> u64 {
        get(&self.created).saturating_sub(get(&self.ended))
    }

    /// The share of all executions that has ended.
    pub(super) fn share(&self) -> f64 {
        get(&self.ended) as f64 / self.wanted.max(1) as f64
    }

    /// Returns when everything has been created and has ended.
    pub(super) async fn until_done(&self) {
        self.is_known.store(false, Ordering::Relaxed);
        while !self.is_done() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_done(&self) -> bool {
        self.is_known.load(Ordering::Relaxed) && self.share() >= 1.0 && (self.ignores_jobs || get(&self.open_jobs) == 0)
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
            // Jobs first: when all executions have ended, no further jobs come.
            self.open_jobs.store(row.get("open_jobs")?, Ordering::Relaxed);
            self.ended.store(row.get("ended")?, Ordering::Relaxed);
            self.is_known.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn numbers(&self) -> [u64; 5] {
        [&self.created, &self.ended, &self.open_jobs, &self.kills, &self.restarts].map(get)
    }

    fn tell(&self) -> String {
        let [created, ended, open_jobs, kills, restarts] = self.numbers();
        format!(
            "{ended} of {} executions ended, {} in line or running, {open_jobs} webhooks open; {kills} kills, \
             {restarts} restarts of the queue server",
            self.wanted,
            created.saturating_sub(ended)
        )
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

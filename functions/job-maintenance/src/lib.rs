//! What time alone triggers: work that got stuck is brought back, what is old is deleted, kept counters are held against
//! the facts.
//!
//! Each duty has a module. It does a bounded piece of work, the next round goes on from there. It may be repeated, and
//! two rounds may run at once: every step is one conditional or idempotent write.

mod counters;
mod executions;
mod invitations;
mod jobs;
mod retention;
mod time_limit;

use std::time::Instant;

use serde::Serialize;
use shared_core::{
    Db, Timestamp,
    config::{Env, ExecutionConfig, JobConfig, RetentionConfig},
    db::DbError,
    migrations,
};
use shared_jobs::{
    Dispatcher, JobType, Queues,
    types::{EXECUTION, GenerateEmbedding, WebhookDelivery},
};

pub use time_limit::stop_at;

/// What this function holds while it lives.
#[derive(Clone)]
pub struct Maintenance {
    db: Db,
    dispatcher: Dispatcher,
    executions: ExecutionConfig,
    jobs: JobConfig,
    retention: RetentionConfig,
}

/// One thing that maintenance cares for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Executions that got stuck or wait for a free place.
    Executions,
    /// Jobs that got stuck or are due.
    Jobs,
    /// Invitations that expired.
    Invitations,
    /// Limits that are not in use.
    Limits,
    /// Executions that are older than they are kept.
    OldExecutions,
    /// Jobs that are older than they are kept.
    OldJobs,
    /// Vectors that are older than they are kept.
    OldEmbeddings,
    /// Entries of the audit log that are older than they are kept.
    OldAuditEntries,
    /// Counters of executions.
    ExecutionCounts,
    /// Counters of jobs.
    JobCounts,
    /// Sums of usage.
    Usage,
}

impl Duty {
    /// Every duty, the most urgent first.
    pub const ALL: [Self; 11] = [
        Self::Executions,
        Self::Jobs,
        Self::Invitations,
        Self::Limits,
        Self::OldExecutions,
        Self::OldJobs,
        Self::OldEmbeddings,
        Self::OldAuditEntries,
        Self::ExecutionCounts,
        Self::JobCounts,
        Self::Usage,
    ];
}

/// What one round did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Executions whose worker went silent and that wait again.
    pub requeued: usize,
    /// Executions whose worker went silent at the last attempt.
    pub interrupted: usize,
    /// Announcements that nobody had answered.
    pub announced_again: usize,
    /// Waiting executions that got a free place.
    pub dispatched: usize,
    /// Jobs whose worker went silent and that are tried again.
    pub jobs_requeued: usize,
    /// Jobs whose worker went silent at the last attempt.
    pub jobs_interrupted: usize,
    /// Due jobs that were announced: new ones whose announcement was lost, retries, and those that nobody took.
    pub jobs_announced: usize,
    /// Accounts whose invitation had expired.
    pub deleted_invitations: u64,
    /// Executions that were older than they are kept.
    pub deleted_executions: u64,
    /// Jobs that were older than they are kept.
    pub deleted_jobs: u64,
    /// Jobs whose vectors were older than they are kept.
    pub deleted_embeddings: u64,
    /// Entries of the audit log that were older than they are kept.
    pub deleted_audit_entries: u64,
    /// Counters and sums that differed from the facts.
    pub repaired: usize,
    /// Duties that there was no time for.
    pub left_out: Vec<Duty>,
}

impl Maintenance {
    /// Reads the configuration; nothing is connected yet.
    pub fn read(env: &mut Env) -> Option<Self> {
        let queues = Queues::read(env, &[EXECUTION, WebhookDelivery::KIND, GenerateEmbedding::KIND]);
        let database = env.database();
        let (executions, jobs, retention) = (env.executions(), env.jobs(), env.retention());
        let db = migrations::current_database(&database?);
        let dispatcher = Dispatcher::new(db.clone(), queues?);
        Some(Self { db, dispatcher, executions: executions?, jobs: jobs?, retention: retention? })
    }

    /// One round; no duty is begun after `until`. A duty that fails does not keep the others from their work; the first
    /// failure is that of the round. On a schema that is too old nothing is done.
    pub async fn run(&self, now: Timestamp, until: Option<Instant>) -> Result<Report, DbError> {
        let (mut report, mut failure) = (Report::default(), None);
        for duty in Duty::ALL {
            if until.is_some_and(|until| Instant::now() >= until) {
                report.left_out.push(duty);
                continue;
            }
            // Boxed, or the compiler has to lay out all duties within each other.
            if let Err(error) = Box::pin(self.perform(duty, now, &mut report)).await {
                if let DbError::OldSchema { .. } = error {
                    tracing::error!(job.name = "maintenance", %error, "no round before the migrations");
                    return Err(error);
                }
                tracing::error!(job.name = "maintenance", ?duty, %error, "duty failed, the next round tries again");
                failure.get_or_insert(error);
            }
        }
        report.log();
        failure.map_or(Ok(report), Err)
    }

    async fn perform(&self, duty: Duty, now: Timestamp, report: &mut Report) -> Result<(), DbError> {
        match duty {
            Duty::Executions => self.recover_executions(now, report).await?,
            Duty::Jobs => self.recover_jobs(now, report).await?,
            Duty::Invitations => report.deleted_invitations = self.delete_expired_invitations(now).await?,
            // Bookkeeping: nobody needs to hear of it.
            Duty::Limits => self.forget_full_limits(now).await?,
            Duty::OldExecutions => report.deleted_executions = self.delete_old_executions(now).await?,
            Duty::OldJobs => report.deleted_jobs = self.delete_old_jobs(now).await?,
            Duty::OldEmbeddings => report.deleted_embeddings = self.delete_old_embeddings(now).await?,
            Duty::OldAuditEntries => report.deleted_audit_entries = self.delete_old_audit_entries(now).await?,
            Duty::ExecutionCounts => report.repaired += self.check_execution_counts().await?,
            Duty::JobCounts => report.repaired += self.check_job_counts().await?,
            Duty::Usage => report.repaired += self.check_usage().await?,
        }
        Ok(())
    }
}

impl Report {
    /// One line, unless there was nothing to do.
    fn log(&self) {
        if *self == Self::default() {
            return;
        }
        tracing::info!(
            job.name = "maintenance",
            requeued = self.requeued,
            interrupted = self.interrupted,
            announced_again = self.announced_again,
            dispatched = self.dispatched,
            jobs_requeued = self.jobs_requeued,
            jobs_interrupted = self.jobs_interrupted,
            jobs_announced = self.jobs_announced,
            deleted_invitations = self.deleted_invitations,
            deleted_executions = self.deleted_executions,
            deleted_jobs = self.deleted_jobs,
            deleted_embeddings = self.deleted_embeddings,
            deleted_audit_entries = self.deleted_audit_entries,
            repaired = self.repaired,
            left_out = ?self.left_out,
            "job ended"
        );
    }
}

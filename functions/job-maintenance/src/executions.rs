//! Executions that got stuck: leases that ran out, announcements that led to nothing, free places that nobody gave away.

use shared_core::{
    Timestamp,
    db::DbError,
    executions::pipeline::{self, Recovered},
};
use shared_jobs::types::EXECUTION;

use crate::{Maintenance, Report};

/// How much of each kind one round brings back.
const ROUND: u32 = 500;

impl Maintenance {
    pub(crate) async fn recover_executions(&self, now: Timestamp, report: &mut Report) -> Result<(), DbError> {
        let announced_before = now.minus(self.executions.lease);
        let Recovered { requeued, interrupted, unanswered } =
            pipeline::recover(&self.db, self.executions.max_attempts, announced_before, ROUND, now).await?;
        report.requeued = requeued.len();
        report.interrupted = interrupted.len();
        report.announced_again = unanswered.len();
        self.dispatcher.announce(EXECUTION, &unanswered).await;
        for provider in pipeline::providers_with_waiting(&self.db).await? {
            report.dispatched += self.dispatcher.dispatch(provider).await?;
        }
        Ok(())
    }
}

//! Jobs that got stuck or are due: leases that ran out, announcements that were lost or led to nothing, retries.

use shared_core::{Timestamp, db::DbError, jobs::pipeline};
use shared_jobs::types::KINDS;

use crate::{Maintenance, Report};

/// How much of each kind one round brings back, and how many jobs of each type it announces.
const ROUND: u32 = 500;

impl Maintenance {
    pub(crate) async fn recover_jobs(&self, now: Timestamp, report: &mut Report) -> Result<(), DbError> {
        let announced_before = now.minus(self.jobs.announce_again);
        let recovered = pipeline::recover(&self.db, announced_before, ROUND, now).await?;
        report.jobs_requeued = recovered.requeued.len();
        report.jobs_interrupted = recovered.interrupted.len();
        for kind in KINDS {
            let mut announced = 0;
            // Until nothing is due, or the queue does not answer.
            while announced < ROUND as usize {
                match self.dispatcher.dispatch_jobs(kind).await? {
                    0 => break,
                    more => announced += more,
                }
            }
            report.jobs_announced += announced;
        }
        Ok(())
    }
}

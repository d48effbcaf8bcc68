//! Kept counters against the facts. They are kept by triggers, so a difference means a bug or somebody's hand in the
//! database: it is named in the log, and repaired.

use std::fmt::Display;

use shared_core::{
    counters::{Counters, Portion},
    cursors,
    db::DbError,
    executions, jobs, usage,
};

use crate::Maintenance;

/// Cursor over the days; holds what comes right after the one that was looked at last.
const DAYS: &str = "usage";
const MONTH_LENGTH: usize = "2026-01".len();
/// After so many portions that are in order a round has seen enough.
const ENOUGH: usize = 5;
/// How many portions one round looks at, whatever it finds.
const MOST: usize = 50;
/// How many differences one line of the log names.
const MOST_NAMED: usize = 20;

/// What a round found in counters.
struct Walk {
    repaired: usize,
    /// Whether it has looked at the last portion; the next round begins with the first.
    is_at_end: bool,
}

impl Maintenance {
    /// Looks at the next counters of executions, and at the totals where the counters end.
    pub(crate) async fn check_execution_counts(&self) -> Result<usize, DbError> {
        let Walk { mut repaired, is_at_end } = self.walk(&executions::COUNTERS).await?;
        if is_at_end {
            let differences = executions::total_differences(&self.db).await?;
            if !differences.is_empty() {
                warn("execution_totals", "all prompts", &differences);
                executions::sum_up_totals(&self.db).await?;
                repaired += differences.len();
            }
        }
        Ok(repaired)
    }

    /// Looks at the next counters of jobs.
    pub(crate) async fn check_job_counts(&self) -> Result<usize, DbError> {
        Ok(self.walk(&jobs::COUNTERS).await?.repaired)
    }

    /// Looks at the next portions of these counters.
    async fn walk(&self, counters: &Counters) -> Result<Walk, DbError> {
        let (db, cursor) = (&self.db, counters.table);
        let (mut repaired, mut in_order) = (0, 0);
        let position = cursors::find(db, cursor).await?;
        let mut last = position.as_deref().and_then(Portion::parse);
        for _ in 0..MOST {
            let next = match &last {
                Some(last) => counters.after(db, last).await?,
                None => counters.first(db).await?,
            };
            let Some(portion) = next else {
                cursors::move_to(db, cursor, "").await?;
                return Ok(Walk { repaired, is_at_end: true });
            };
            db.write(vec![cursors::moved(cursor, &portion.position()), counters.forget_empty(&portion)]).await?;
            let differences = counters.differences(db, &portion).await?;
            if differences.is_empty() {
                in_order += 1;
            } else {
                repaired += differences.len();
                warn(counters.table, &portion.to_string(), &differences);
                counters.recount(db, &portion).await?;
            }
            if in_order == ENOUGH {
                break;
            }
            last = Some(portion);
        }
        Ok(Walk { repaired, is_at_end: false })
    }

    /// Looks at the sums of the next day, and of a month when all of its days have been looked at.
    pub(crate) async fn check_usage(&self) -> Result<usize, DbError> {
        let (db, mut repaired) = (&self.db, 0);
        let position = cursors::find(db, DAYS).await?.unwrap_or_default();
        let next = usage::day_from(db, &position).await?;
        let goes_on = |month: &&str| next.as_ref().is_some_and(|day| day.starts_with(month));
        let month_left = position.get(..MONTH_LENGTH).filter(|month| !goes_on(month)).map(str::to_owned);
        let day = match next {
            Some(day) => Some(day),
            // The end: from the beginning again.
            None => usage::day_from(db, "").await?,
        };
        if let Some(day) = &day {
            cursors::move_to(db, DAYS, &format!("{day}~")).await?;
        }
        for period in month_left.into_iter().chain(day) {
            let differences = usage::usage_differences(db, &period).await?;
            if !differences.is_empty() {
                repaired += differences.len();
                warn("usage_sums", &period, &differences);
                usage::sum_up(db, &period).await?;
            }
        }
        Ok(repaired)
    }
}

fn warn(table: &str, of: &str, differences: &[impl Display]) {
    let named: Vec<String> = differences.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    tracing::warn!(
        job.name = "maintenance",
        table,
        of,
        differences = differences.len(),
        named = named.join("; "),
        "kept counters differ from the facts and are counted anew"
    );
}

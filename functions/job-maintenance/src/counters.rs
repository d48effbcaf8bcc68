//! Kept counters against the facts. They are kept by triggers, so a difference means a bug or somebody's hand in the
//! database: it is named in the log, and repaired.

use std::fmt::Display;

use shared_core::{cursors, db::DbError, executions, usage};

use crate::Maintenance;

/// Cursor over the prompts; holds the one that was looked at last.
const PROMPTS: &str = "execution-counts";
/// Cursor over the days; holds what comes right after the one that was looked at last.
const DAYS: &str = "usage";
const MONTH_LENGTH: usize = "2026-01".len();
/// How many prompts one round looks at while the total does not agree.
const MOST_PROMPTS: usize = 50;
/// How many differences one line of the log names.
const MOST_NAMED: usize = 20;

impl Maintenance {
    /// Looks at the counters of the next prompt, and goes on while the sum of all counters is not the number of
    /// executions.
    pub(crate) async fn check_execution_counts(&self) -> Result<usize, DbError> {
        let (db, mut repaired) = (&self.db, 0);
        let mut position = cursors::find(db, PROMPTS).await?;
        for _ in 0..MOST_PROMPTS {
            let prompt = executions::prompt_after(db, position.as_deref()).await?;
            cursors::move_to(db, PROMPTS, &prompt).await?;
            let differences = executions::count_differences(db, &prompt).await?;
            if !differences.is_empty() {
                repaired += differences.len();
                warn("execution_counts", &format!("prompt \"{prompt}\""), &differences);
                executions::recount(db, &prompt).await?;
            }
            position = Some(prompt);
            if executions::total_agrees(db).await? {
                break;
            }
        }
        Ok(repaired)
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

//! The kept counters against the facts: where `execution_counts` differs from `executions`, and its repair.
//!
//! Triggers keep the counters in the very write that changes the fact, so a difference is a bug, or somebody's hand in
//! the database. Maintenance looks for one, says so, and repairs it. Each look is one statement, hence one moment.

use std::fmt;

use crate::{
    db::{Db, DbError, Statement, Value},
    params,
};

/// A counter that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountDifference {
    /// Provider of the executions that are counted.
    pub provider: String,
    /// Their status.
    pub status: String,
    /// Whether they are starred.
    pub starred: bool,
    /// What the counter says.
    pub kept: i64,
    /// How many there are.
    pub counted: i64,
}

impl fmt::Display for CountDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, status, starred, kept, counted } = self;
        let starred = if *starred { " starred" } else { "" };
        write!(f, "{provider} {status}{starred}: kept {kept}, counted {counted}")
    }
}

/// Whether the sum of all counters is the number of executions.
pub async fn total_agrees(db: &Db) -> Result<bool, DbError> {
    let sql = "SELECT (SELECT COALESCE(sum(n), 0) FROM execution_totals) = (SELECT count(*) FROM executions) AS agrees";
    db.read(sql, params![]).await?.first().map_or(Ok(true), |row| row.get("agrees"))
}

/// The prompt whose counters are looked at after those of this one, of all prompts that have counters or executions. The
/// empty id stands for direct text; it comes first, and again after the last.
pub async fn prompt_after(db: &Db, prompt_id: Option<&str>) -> Result<String, DbError> {
    let Some(prompt_id) = prompt_id else {
        return Ok(String::new());
    };
    let sql = "SELECT min(prompt_id) AS prompt_id FROM (
            SELECT min(prompt_id) AS prompt_id FROM execution_counts WHERE prompt_id > ?1
            UNION ALL SELECT min(prompt_id) FROM executions WHERE prompt_id > ?1)";
    let next: Option<Option<String>> =
        db.read(sql, params![prompt_id]).await?.first().map(|row| row.get("prompt_id")).transpose()?;
    Ok(next.flatten().unwrap_or_default())
}

const DIFFERENCES: &str = "SELECT provider, status, starred, sum(kept) AS kept, sum(counted) AS counted FROM (
        SELECT provider, status, starred, n AS kept, 0 AS counted FROM execution_counts WHERE prompt_id = ?1
        UNION ALL
        SELECT provider, status, starred, 0, count(*) FROM executions WHERE prompt_id IS ?2
        GROUP BY provider, status, starred)
    GROUP BY provider, status, starred HAVING sum(kept) <> sum(counted)
    ORDER BY provider, status, starred";

/// What is wrong with the counters of a prompt.
pub async fn count_differences(db: &Db, prompt_id: &str) -> Result<Vec<CountDifference>, DbError> {
    let rows = db.read(DIFFERENCES, both(prompt_id)).await?.rows;
    let differences = rows.iter().map(|row| {
        Ok(CountDifference {
            provider: row.get("provider")?,
            status: row.get("status")?,
            starred: row.get("starred")?,
            kept: row.get("kept")?,
            counted: row.get("counted")?,
        })
    });
    differences.collect()
}

/// Counts the executions of a prompt anew.
pub async fn recount(db: &Db, prompt_id: &str) -> Result<(), DbError> {
    let forget = Statement::new("DELETE FROM execution_counts WHERE prompt_id = ?1", params![prompt_id]);
    let count = "INSERT INTO execution_counts (prompt_id, provider, status, starred, n)
        SELECT ?1, provider, status, starred, count(*) FROM executions WHERE prompt_id IS ?2
        GROUP BY provider, status, starred";
    db.write(vec![forget, Statement::new(count, both(prompt_id))]).await?;
    Ok(())
}

/// The id as the counters have it and as the executions have it: direct text has none there.
fn both(prompt_id: &str) -> Vec<Value> {
    params![prompt_id, (!prompt_id.is_empty()).then_some(prompt_id)]
}

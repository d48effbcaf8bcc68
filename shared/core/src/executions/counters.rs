//! The kept counters of executions, and the totals that sum them up.

use crate::{
    counters::{Counters, Difference},
    db::{Db, DbError, Statement},
    params,
};

/// Executions by prompt and month of creation; direct text has no prompt.
pub const COUNTERS: Counters = Counters {
    table: "execution_counts",
    counted: "executions",
    owner: "prompt_id",
    period_length: 7,
    kinds: "provider, status, starred",
    name: "provider || ' ' || status || CASE WHEN starred THEN ' starred' ELSE '' END",
};

/// Which totals are not the sum of their counters.
pub async fn total_differences(db: &Db) -> Result<Vec<Difference>, DbError> {
    let sql = format!(
        "SELECT {name} AS name, sum(kept) AS kept, sum(counted) AS counted FROM (
            SELECT provider, status, starred, n AS kept, 0 AS counted FROM execution_totals
            UNION ALL
            SELECT provider, status, starred, 0, n FROM execution_counts)
        GROUP BY provider, status, starred HAVING sum(kept) <> sum(counted) ORDER BY provider, status, starred",
        name = COUNTERS.name,
    );
    db.read(sql, params![]).await?.rows.iter().map(Difference::of).collect()
}

/// Sums up the counters anew.
pub async fn sum_up_totals(db: &Db) -> Result<(), DbError> {
    let sum = "INSERT INTO execution_totals (provider, status, starred, n)
        SELECT provider, status, starred, sum(n) FROM execution_counts GROUP BY provider, status, starred";
    db.write(vec![Statement::new("DELETE FROM execution_totals", params![]), Statement::new(sum, params![])]).await?;
    Ok(())
}

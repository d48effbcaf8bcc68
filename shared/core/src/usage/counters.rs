//! The kept sums against the facts: where `usage_hourly` and `usage_daily` differ from `usage_events`, and their repair.

use std::fmt;

use super::{Model, store::model_of};
use crate::{
    db::{Db, DbError, Row, Statement, Value},
    params,
};

/// A sum that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDifference {
    /// The hour, `2026-01-31T09`, or the day, `2026-01-31`.
    pub period: String,
    /// Whose usage is summed up.
    pub model: Model,
    /// Kept and counted number of executions, input tokens and output tokens.
    pub figures: [(i64, i64); 3],
}

impl fmt::Display for UsageDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { period, model: Model { provider, model }, figures } = self;
        write!(f, "{period} {provider} {model}:")?;
        for (name, (kept, counted)) in ["executions", "input tokens", "output tokens"].iter().zip(figures) {
            if kept != counted {
                write!(f, " {name} kept {kept}, counted {counted}")?;
            }
        }
        Ok(())
    }
}

/// The first day from `position` on that has sums or events; `None` when there is nothing more.
pub async fn day_from(db: &Db, position: &str) -> Result<Option<String>, DbError> {
    let sql = "SELECT min(day) AS day FROM (
            SELECT min(day) AS day FROM usage_daily WHERE day >= ?1
            UNION ALL SELECT substr(min(hour), 1, 10) FROM usage_hourly WHERE hour >= ?1
            UNION ALL SELECT substr(min(completed_at), 1, 10) FROM usage_events WHERE completed_at >= ?1)";
    let first: Option<Option<String>> =
        db.read(sql, params![position]).await?.first().map(|row| row.get("day")).transpose()?;
    Ok(first.flatten())
}

/// A day as a range of texts: its hours and instants begin with it, and a tilde sorts behind whatever follows.
fn bounds(day: &str) -> Vec<Value> {
    params![day, format!("{day}~")]
}

const DIFFERENCES: &str = "SELECT period, provider, model, sum(kept_executions) AS kept_executions,
        sum(kept_input) AS kept_input, sum(kept_output) AS kept_output, sum(executions) AS executions,
        sum(input) AS input, sum(output) AS output
    FROM (
        SELECT day AS period, provider, model, executions AS kept_executions, input_tokens AS kept_input,
            output_tokens AS kept_output, 0 AS executions, 0 AS input, 0 AS output
        FROM usage_daily WHERE day >= ?1 AND day < ?2
        UNION ALL
        SELECT hour, provider, model, executions, input_tokens, output_tokens, 0, 0, 0
        FROM usage_hourly WHERE hour >= ?1 AND hour < ?2
        UNION ALL
        SELECT substr(completed_at, 1, 10), provider, model, 0, 0, 0, count(*), sum(input_tokens), sum(output_tokens)
        FROM usage_events WHERE completed_at >= ?1 AND completed_at < ?2 GROUP BY 1, 2, 3
        UNION ALL
        SELECT substr(completed_at, 1, 13), provider, model, 0, 0, 0, count(*), sum(input_tokens), sum(output_tokens)
        FROM usage_events WHERE completed_at >= ?1 AND completed_at < ?2 GROUP BY 1, 2, 3)
    GROUP BY period, provider, model
    HAVING sum(kept_executions) <> sum(executions) OR sum(kept_input) <> sum(input) OR sum(kept_output) <> sum(output)
    ORDER BY period, provider, model";

/// What is wrong with the sums of a day and of its hours.
pub async fn usage_differences(db: &Db, day: &str) -> Result<Vec<UsageDifference>, DbError> {
    db.read(DIFFERENCES, bounds(day)).await?.rows.iter().map(difference_of).collect()
}

fn difference_of(row: &Row) -> Result<UsageDifference, DbError> {
    Ok(UsageDifference {
        period: row.get("period")?,
        model: model_of(row)?,
        figures: [
            (row.get("kept_executions")?, row.get("executions")?),
            (row.get("kept_input")?, row.get("input")?),
            (row.get("kept_output")?, row.get("output")?),
        ],
    })
}

/// Sums a day and its hours up anew.
pub async fn sum_up(db: &Db, day: &str) -> Result<(), DbError> {
    let statements = [
        "DELETE FROM usage_daily WHERE day >= ?1 AND day < ?2",
        "DELETE FROM usage_hourly WHERE hour >= ?1 AND hour < ?2",
        "INSERT INTO usage_daily (day, provider, model, executions, input_tokens, output_tokens)
        SELECT substr(completed_at, 1, 10), provider, model, count(*), sum(input_tokens), sum(output_tokens)
        FROM usage_events WHERE completed_at >= ?1 AND completed_at < ?2 GROUP BY 1, 2, 3",
        "INSERT INTO usage_hourly (hour, provider, model, executions, input_tokens, output_tokens)
        SELECT substr(completed_at, 1, 13), provider, model, count(*), sum(input_tokens), sum(output_tokens)
        FROM usage_events WHERE completed_at >= ?1 AND completed_at < ?2 GROUP BY 1, 2, 3",
    ];
    db.write(statements.map(|sql| Statement::new(sql, bounds(day))).into()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testing::database,
        usage::{Range, Usage, by_model},
    };

    async fn write(db: &Db, sql: &'static str) {
        db.write(vec![Statement::new(sql, params![])]).await.unwrap();
    }

    /// Two executions in one hour, one much later, and the right sums of all.
    async fn used() -> (Db, tempfile::TempDir) {
        let (db, folder) = database().await;
        write(
            &db,
            "INSERT INTO usage_events VALUES ('2026-01-31T09:15:00.042Z', 'a', 'ollama', 'm', 3, 4),
                ('2026-01-31T09:59:59.999Z', 'b', 'ollama', 'm', 3, 4), ('2026-03-01T00:00:00.000Z', 'c', 'openai', 'n', 1, 1)",
        )
        .await;
        for day in ["2026-01-31", "2026-03-01"] {
            sum_up(&db, day).await.unwrap();
        }
        (db, folder)
    }

    async fn all_days(db: &Db) -> Vec<String> {
        let (mut position, mut found) = (String::new(), Vec::new());
        while let Some(day) = day_from(db, &position).await.unwrap() {
            position = format!("{day}~");
            found.push(day);
        }
        found
    }

    #[tokio::test]
    async fn days_follow_each_other_and_empty_ones_are_skipped() {
        let (db, _folder) = used().await;
        write(&db, "INSERT INTO usage_hourly VALUES ('no hour', 'ollama', 'm', 1, 1, 1)").await;
        write(&db, "INSERT INTO usage_daily VALUES ('2026-02-02', 'ollama', 'm', 1, 1, 1)").await;
        assert_eq!(all_days(&db).await, ["2026-01-31", "2026-02-02", "2026-03-01", "no hour"]);
    }

    #[tokio::test]
    async fn a_spoiled_sum_is_named_and_summed_up_anew() {
        let (db, _folder) = used().await;
        for day in all_days(&db).await {
            assert_eq!(usage_differences(&db, &day).await.unwrap(), []);
        }
        write(&db, "UPDATE usage_hourly SET input_tokens = 7 WHERE provider = 'ollama'").await;
        write(&db, "INSERT INTO usage_hourly VALUES ('2026-02-01T08', 'openai', 'n', 1, 2, 0)").await;
        write(&db, "DELETE FROM usage_daily WHERE day = '2026-03-01'").await;
        let mut named = Vec::new();
        for day in all_days(&db).await {
            named.extend(usage_differences(&db, &day).await.unwrap().iter().map(ToString::to_string));
            sum_up(&db, &day).await.unwrap();
            assert_eq!(usage_differences(&db, &day).await.unwrap(), []);
        }
        let expected = [
            "2026-01-31T09 ollama m: input tokens kept 7, counted 6",
            "2026-02-01T08 openai n: executions kept 1, counted 0 input tokens kept 2, counted 0",
            "2026-03-01 openai n: executions kept 0, counted 1 input tokens kept 0, counted 1 output tokens kept 0, counted 1",
        ];
        assert_eq!(named, expected);
        let usage = by_model(&db, Range::default()).await.unwrap();
        let sums: Vec<Usage> = usage.into_iter().map(|(_, sums)| sums).collect();
        let sum = |executions, input_tokens, output_tokens| Usage { input_tokens, output_tokens, executions };
        assert_eq!(sums, [sum(2, 6, 8), sum(1, 1, 1)]);
    }
}

//! The kept sums against the facts: where `usage_hourly` differs from `usage_events`, and its repair.

use std::fmt;

use super::{Model, store::model_of};
use crate::{
    db::{Db, DbError, Row, Statement},
    instant::Timestamp,
    params,
};

/// How many hours are compared at once.
const HOURS: i64 = 24;

/// Some hours in a row, as `usage_hourly` writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The first of them.
    pub from: String,
    /// The first one behind them; the next comparison begins there.
    pub until: String,
}

/// A sum that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDifference {
    /// The hour, `2026-01-31T09`.
    pub hour: String,
    /// Whose usage is summed up.
    pub model: Model,
    /// Kept and counted number of executions, input tokens and output tokens.
    pub figures: [(i64, i64); 3],
}

impl fmt::Display for UsageDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hour, model: Model { provider, model }, figures } = self;
        write!(f, "{hour} {provider} {model}:")?;
        for (name, (kept, counted)) in ["executions", "input tokens", "output tokens"].iter().zip(figures) {
            if kept != counted {
                write!(f, " {name} kept {kept}, counted {counted}")?;
            }
        }
        Ok(())
    }
}

/// Some hours from `position` on, beginning with the first that has sums or events; `None` when there is nothing more.
pub async fn hours_from(db: &Db, position: &str) -> Result<Option<Hours>, DbError> {
    let sql = "SELECT min(hour) AS hour FROM (
            SELECT min(hour) AS hour FROM usage_hourly WHERE hour >= ?1
            UNION ALL SELECT substr(min(completed_at), 1, 13) FROM usage_events WHERE completed_at >= ?1)";
    let first: Option<Option<String>> =
        db.read(sql, params![position]).await?.first().map(|row| row.get("hour")).transpose()?;
    Ok(first.flatten().map(|from| Hours { until: end_of(&from), from }))
}

/// Where the hours end that begin with this one. Text that is no hour stands alone.
fn end_of(from: &str) -> String {
    match format!("{from}:00:00.000Z").parse::<Timestamp>() {
        Ok(start) => start.plus_seconds(HOURS * 3600).to_string()[..13].to_owned(),
        Err(_) => format!("{from}~"),
    }
}

const DIFFERENCES: &str = "SELECT hour, provider, model, sum(kept_executions) AS kept_executions,
        sum(kept_input) AS kept_input, sum(kept_output) AS kept_output, sum(executions) AS executions,
        sum(input) AS input, sum(output) AS output
    FROM (
        SELECT hour, provider, model, executions AS kept_executions, input_tokens AS kept_input,
            output_tokens AS kept_output, 0 AS executions, 0 AS input, 0 AS output
        FROM usage_hourly WHERE hour >= ?1 AND hour < ?2
        UNION ALL
        SELECT substr(completed_at, 1, 13), provider, model, 0, 0, 0, count(*), sum(input_tokens), sum(output_tokens)
        FROM usage_events WHERE completed_at >= ?1 AND completed_at < ?2 GROUP BY 1, 2, 3)
    GROUP BY hour, provider, model
    HAVING sum(kept_executions) <> sum(executions) OR sum(kept_input) <> sum(input) OR sum(kept_output) <> sum(output)
    ORDER BY hour, provider, model";

/// What is wrong with the sums of these hours.
pub async fn usage_differences(db: &Db, hours: &Hours) -> Result<Vec<UsageDifference>, DbError> {
    let rows = db.read(DIFFERENCES, params![&hours.from, &hours.until]).await?.rows;
    rows.iter().map(difference_of).collect()
}

fn difference_of(row: &Row) -> Result<UsageDifference, DbError> {
    Ok(UsageDifference {
        hour: row.get("hour")?,
        model: model_of(row)?,
        figures: [
            (row.get("kept_executions")?, row.get("executions")?),
            (row.get("kept_input")?, row.get("input")?),
            (row.get("kept_output")?, row.get("output")?),
        ],
    })
}

/// Sums these hours up anew.
pub async fn sum_up(db: &Db, hours: &Hours) -> Result<(), DbError> {
    let bounds = || params![&hours.from, &hours.until];
    let forget = Statement::new("DELETE FROM usage_hourly WHERE hour >= ?1 AND hour < ?2", bounds());
    let sum = "INSERT INTO usage_hourly (hour, provider, model, executions, input_tokens, output_tokens)
        SELECT substr(completed_at, 1, 13), provider, model, count(*), sum(input_tokens), sum(output_tokens)
        FROM usage_events WHERE completed_at >= ?1 AND completed_at < ?2 GROUP BY 1, 2, 3";
    db.write(vec![forget, Statement::new(sum, bounds())]).await?;
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
        for from in ["2026-01-31T09", "2026-03-01T00"] {
            sum_up(&db, &Hours { from: from.to_owned(), until: format!("{from}~") }).await.unwrap();
        }
        (db, folder)
    }

    async fn all_hours(db: &Db) -> Vec<Hours> {
        let (mut position, mut found) = (String::new(), Vec::new());
        while let Some(hours) = hours_from(db, &position).await.unwrap() {
            position.clone_from(&hours.until);
            found.push(hours);
        }
        found
    }

    #[tokio::test]
    async fn hours_follow_each_other_and_empty_ones_are_skipped() {
        let (db, _folder) = used().await;
        write(&db, "INSERT INTO usage_hourly VALUES ('no hour', 'ollama', 'm', 1, 1, 1)").await;
        let hours = |from: &str, until: &str| Hours { from: from.to_owned(), until: until.to_owned() };
        let expected = [
            hours("2026-01-31T09", "2026-02-01T09"),
            hours("2026-03-01T00", "2026-03-02T00"),
            hours("no hour", "no hour~"),
        ];
        assert_eq!(all_hours(&db).await, expected);
    }

    #[tokio::test]
    async fn a_spoiled_sum_is_named_and_summed_up_anew() {
        let (db, _folder) = used().await;
        for hours in all_hours(&db).await {
            assert_eq!(usage_differences(&db, &hours).await.unwrap(), []);
        }
        write(&db, "UPDATE usage_hourly SET input_tokens = 7 WHERE provider = 'ollama'").await;
        write(&db, "INSERT INTO usage_hourly VALUES ('2026-02-01T08', 'openai', 'n', 1, 2, 0)").await;
        write(&db, "DELETE FROM usage_hourly WHERE hour = '2026-03-01T00'").await;
        let mut named = Vec::new();
        for hours in all_hours(&db).await {
            named.extend(usage_differences(&db, &hours).await.unwrap().iter().map(ToString::to_string));
            sum_up(&db, &hours).await.unwrap();
            assert_eq!(usage_differences(&db, &hours).await.unwrap(), []);
        }
        let expected = [
            "2026-01-31T09 ollama m: input tokens kept 7, counted 6",
            "2026-02-01T08 openai n: executions kept 1, counted 0 input tokens kept 2, counted 0",
            "2026-03-01T00 openai n: executions kept 0, counted 1 input tokens kept 0, counted 1 output tokens kept 0, counted 1",
        ];
        assert_eq!(named, expected);
        let usage = by_model(&db, Range::default()).await.unwrap();
        let sums: Vec<Usage> = usage.into_iter().map(|(_, sums)| sums).collect();
        let sum = |executions, input_tokens, output_tokens| Usage { input_tokens, output_tokens, executions };
        assert_eq!(sums, [sum(2, 6, 8), sum(1, 1, 1)]);
    }

    #[tokio::test]
    async fn only_the_hours_are_read() {
        let (db, _folder) = database().await;
        let rows = db.read(format!("EXPLAIN QUERY PLAN {DIFFERENCES}"), params!["a", "b"]).await.unwrap().rows;
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        let reads: Vec<_> = plan.iter().filter(|step| step.contains(" usage_")).collect();
        assert!(reads.len() == 2 && reads.iter().all(|step| step.starts_with("SEARCH")), "{plan:?}");
    }
}

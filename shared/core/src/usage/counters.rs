//! The kept sums against the facts, and their repair: `usage_sums` of a day against `usage_events`, of a month against its days.

use std::fmt;

use super::{Model, range::Unit, store::model_of};
use crate::{
    db::{Db, DbError, Row, Statement, Value},
    params,
};

/// A sum that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDifference {
    /// The day, `2026-01-31`, the month, `2026-01`, or an hour of the day in one of them, `2026-01-31T09` and `2026-01T09`.
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

/// The first day from `position` on that has sums or events; `None` when there is nothing more. A month with sums counts from
/// its first day on.
pub async fn day_from(db: &Db, position: &str) -> Result<Option<String>, DbError> {
    let sql = "SELECT min(day) AS day FROM (
            SELECT min(period) AS day FROM usage_sums WHERE unit = 'day' AND period >= ?1
            UNION ALL SELECT min(period) || '-01' FROM usage_sums WHERE unit = 'month' AND period > substr(?1, 1, 7)
            UNION ALL SELECT substr(min(completed_at), 1, 10) FROM usage_events WHERE completed_at >= ?1)";
    let first: Option<Option<String>> =
        db.read(sql, params![position]).await?.first().map(|row| row.get("day")).transpose()?;
    Ok(first.flatten())
}

/// What a day (`2026-01-31`) or a month (`2026-01`), `?2`, is the sum of.
fn facts(unit: Unit) -> &'static str {
    match unit {
        Unit::Day => {
            "SELECT provider, model, substr(completed_at, 12, 2) AS hour, count(*) AS executions,
                sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
            FROM usage_events WHERE completed_at >= ?2 AND completed_at < ?2 || '~' GROUP BY 1, 2, 3"
        }
        Unit::Month => {
            "SELECT provider, model, hour, sum(executions) AS executions, sum(input_tokens) AS input_tokens,
                sum(output_tokens) AS output_tokens
            FROM usage_hours WHERE unit = 'day' AND period >= ?2 AND period < ?2 || '~' GROUP BY 1, 2, 3"
        }
    }
}

/// Which unit `period` is, and the two as parameters.
fn unit_of(period: &str) -> (Unit, Vec<Value>) {
    let unit = if period.len() == Unit::Month.length() { Unit::Month } else { Unit::Day };
    (unit, params![unit.as_str(), period])
}

/// What is wrong with the sums of a day or of a month, as a whole and by hour.
pub async fn usage_differences(db: &Db, period: &str) -> Result<Vec<UsageDifference>, DbError> {
    let (unit, params) = unit_of(period);
    let sql = format!(
        "WITH facts AS ({})
        SELECT ?2 || iif(hour = '', '', 'T' || hour) AS period, provider, model,
            sum(kept_executions) AS kept_executions, sum(kept_input) AS kept_input, sum(kept_output) AS kept_output,
            sum(executions) AS executions, sum(input) AS input, sum(output) AS output
        FROM (
            SELECT '' AS hour, provider, model, executions AS kept_executions, input_tokens AS kept_input,
                output_tokens AS kept_output, 0 AS executions, 0 AS input, 0 AS output
            FROM usage_sums WHERE unit = ?1 AND period = ?2
            UNION ALL
            SELECT hour, provider, model, executions, input_tokens, output_tokens, 0, 0, 0
            FROM usage_hours WHERE unit = ?1 AND period = ?2
            UNION ALL SELECT '', provider, model, 0, 0, 0, executions, input_tokens, output_tokens FROM facts
            UNION ALL SELECT hour, provider, model, 0, 0, 0, executions, input_tokens, output_tokens FROM facts)
        GROUP BY hour, provider, model
        HAVING sum(kept_executions) <> sum(executions) OR sum(kept_input) <> sum(input) OR sum(kept_output) <> sum(output)
        ORDER BY hour, provider, model",
        facts(unit)
    );
    db.read(sql, params).await?.rows.iter().map(difference_of).collect()
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

/// Sums a day or a month up anew.
pub async fn sum_up(db: &Db, period: &str) -> Result<(), DbError> {
    let (unit, params) = unit_of(period);
    let insert = format!(
        "INSERT INTO usage_sums (unit, period, provider, model, executions, input_tokens, output_tokens, hours)
        SELECT ?1, ?2, provider, model, sum(executions), sum(input_tokens), sum(output_tokens),
            json_group_object(hour, json_array(executions, input_tokens, output_tokens))
        FROM ({}) GROUP BY provider, model",
        facts(unit)
    );
    let delete = Statement::new("DELETE FROM usage_sums WHERE unit = ?1 AND period = ?2", params.clone());
    db.write(vec![delete, Statement::new(insert, params)]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testing::database,
        usage::{Range, Usage, by_hour, by_model},
    };

    async fn write(db: &Db, sql: &'static str) {
        db.write(vec![Statement::new(sql, params![])]).await.unwrap();
    }

    /// Two executions in one hour and one much later; triggers sum them up.
    async fn used() -> (Db, tempfile::TempDir) {
        let (db, folder) = database().await;
        write(
            &db,
            "INSERT INTO usage_events VALUES ('2026-01-31T09:15:00.042Z', 'a', 'ollama', 'm', 3, 4),
                ('2026-01-31T09:59:59.999Z', 'b', 'ollama', 'm', 3, 4), ('2026-03-01T00:00:00.000Z', 'c', 'openai', 'n', 1, 1)",
        )
        .await;
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

    /// Days and then months; all that is wrong is named and repaired.
    async fn repair(db: &Db) -> Vec<String> {
        let days = all_days(db).await;
        let months: Vec<String> = days.iter().map(|day| day[..7].to_owned()).collect();
        let mut named = Vec::new();
        for period in days.iter().chain(&months) {
            let differences = usage_differences(db, period).await.unwrap();
            if !differences.is_empty() {
                named.extend(differences.iter().map(ToString::to_string));
                sum_up(db, period).await.unwrap();
                assert_eq!(usage_differences(db, period).await.unwrap(), []);
            }
        }
        named
    }

    #[tokio::test]
    async fn days_follow_each_other_and_empty_ones_are_skipped() {
        let (db, _folder) = used().await;
        write(&db, "INSERT INTO usage_sums VALUES ('day', '2026-02-02', 'ollama', 'm', 1, 1, 1, '{}')").await;
        write(&db, "INSERT INTO usage_sums VALUES ('month', '2026-05', 'ollama', 'm', 1, 1, 1, '{}')").await;
        write(&db, "DELETE FROM usage_sums WHERE unit = 'month' AND period = '2026-01'").await;
        assert_eq!(all_days(&db).await, ["2026-01-31", "2026-02-02", "2026-03-01", "2026-05-01"]);
    }

    #[tokio::test]
    async fn what_triggers_summed_up_is_right() {
        let (db, _folder) = used().await;
        assert_eq!(repair(&db).await, Vec::<String>::new());
        let sql = "SELECT count(*) AS n FROM usage_sums";
        assert_eq!(db.read(sql, params![]).await.unwrap().first().unwrap().get::<u32>("n").unwrap(), 4);
    }

    #[tokio::test]
    async fn a_spoiled_sum_is_named_and_summed_up_anew() {
        let (db, _folder) = used().await;
        write(&db, "UPDATE usage_sums SET hours = '{\"09\": [2, 7, 8]}' WHERE unit = 'day' AND provider = 'ollama'")
            .await;
        write(&db, "UPDATE usage_sums SET input_tokens = 9 WHERE unit = 'month' AND provider = 'ollama'").await;
        write(
            &db,
            "INSERT INTO usage_sums VALUES ('day', '2026-02-01', 'openai', 'n', 1, 2, 0, '{\"08\": [1, 2, 0]}')",
        )
        .await;
        write(&db, "INSERT INTO usage_sums VALUES ('month', '2026-05', 'openai', 'n', 1, 0, 0, '{}')").await;
        write(&db, "DELETE FROM usage_sums WHERE period = '2026-03-01'").await;
        let expected = [
            "2026-01-31T09 ollama m: input tokens kept 7, counted 6",
            "2026-02-01 openai n: executions kept 1, counted 0 input tokens kept 2, counted 0",
            "2026-02-01T08 openai n: executions kept 1, counted 0 input tokens kept 2, counted 0",
            "2026-03-01 openai n: executions kept 0, counted 1 input tokens kept 0, counted 1 output tokens kept 0, counted 1",
            "2026-03-01T00 openai n: executions kept 0, counted 1 input tokens kept 0, counted 1 output tokens kept 0, counted 1",
            "2026-01 ollama m: input tokens kept 9, counted 6",
            "2026-05 openai n: executions kept 1, counted 0",
        ];
        assert_eq!(repair(&db).await, expected);
        assert_eq!(repair(&db).await, Vec::<String>::new());
        let sum = |executions, input_tokens, output_tokens| Usage { input_tokens, output_tokens, executions };
        let sums: Vec<Usage> =
            by_model(&db, Range::default()).await.unwrap().into_iter().map(|(_, sums)| sums).collect();
        assert_eq!(sums, [sum(2, 6, 8), sum(1, 1, 1)]);
        assert_eq!(by_hour(&db, Range::default()).await.unwrap(), [(0, sum(1, 1, 1)), (9, sum(2, 6, 8))]);
    }
}

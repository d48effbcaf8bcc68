//! All SQL of usage.

use super::{Model, Range, Usage};
use crate::{
    db::{Db, DbError, FromValue, Row, Value},
    params,
};

/// Usage in a range by hour, provider and model: whole hours from the kept sums, the edges from the single executions.
/// An hour may come in several rows; they are summed up.
const BY_HOUR: &str = "
    SELECT hour, provider, model, executions, input_tokens, output_tokens
    FROM usage_hourly WHERE hour >= ?1 AND hour < ?2
    UNION ALL
    SELECT substr(completed_at, 1, 13), provider, model, 1, input_tokens, output_tokens
    FROM usage_events WHERE completed_at >= ?3 AND completed_at <= ?4
    UNION ALL
    SELECT substr(completed_at, 1, 13), provider, model, 1, input_tokens, output_tokens
    FROM usage_events WHERE completed_at >= ?5 AND completed_at <= ?6";

/// The same by day, for which whole days need no look at their hours.
const BY_DAY: &str = "
    SELECT day, provider, model, executions, input_tokens, output_tokens
    FROM usage_daily WHERE day >= ?1 AND day < ?2
    UNION ALL
    SELECT substr(hour, 1, 10), provider, model, executions, input_tokens, output_tokens
    FROM usage_hourly WHERE hour >= ?3 AND hour < ?4
    UNION ALL
    SELECT substr(hour, 1, 10), provider, model, executions, input_tokens, output_tokens
    FROM usage_hourly WHERE hour >= ?5 AND hour < ?6
    UNION ALL
    SELECT substr(completed_at, 1, 10), provider, model, 1, input_tokens, output_tokens
    FROM usage_events WHERE completed_at >= ?7 AND completed_at <= ?8
    UNION ALL
    SELECT substr(completed_at, 1, 10), provider, model, 1, input_tokens, output_tokens
    FROM usage_events WHERE completed_at >= ?9 AND completed_at <= ?10";

/// What is summed up.
const SUMS: &str = "sum(executions) AS executions, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens";

/// Usage by provider and model, largest total first.
pub async fn by_model(db: &Db, range: Range) -> Result<Vec<(Model, Usage)>, DbError> {
    let sql = format!(
        "SELECT provider, model, {SUMS} FROM ({BY_DAY}) GROUP BY provider, model
        ORDER BY sum(input_tokens) + sum(output_tokens) DESC, provider, model"
    );
    let rows = db.read(sql, Bucket::Day.bounds(range)).await?.rows;
    rows.iter().map(|row| Ok((model_of(row)?, usage_of(row)?))).collect()
}

/// Usage by UTC day, oldest first; days without executions are absent.
pub async fn by_day(db: &Db, range: Range) -> Result<Vec<(String, Usage)>, DbError> {
    by(db, range, Bucket::Day).await
}

/// Usage by UTC day, provider and model, in this order.
pub async fn by_day_and_model(db: &Db, range: Range) -> Result<Vec<(String, Model, Usage)>, DbError> {
    by_and_model(db, range, Bucket::Day).await
}

/// Usage by UTC hour of the day, over all days of the range (defect DB-05).
pub async fn by_hour(db: &Db, range: Range) -> Result<Vec<(u32, Usage)>, DbError> {
    by(db, range, Bucket::HourOfDay).await
}

/// Usage by UTC hour of the day, provider and model, in this order.
pub async fn by_hour_and_model(db: &Db, range: Range) -> Result<Vec<(u32, Model, Usage)>, DbError> {
    by_and_model(db, range, Bucket::HourOfDay).await
}

/// What a series has its points for.
#[derive(Debug, Clone, Copy)]
enum Bucket {
    Day,
    HourOfDay,
}

impl Bucket {
    /// The rows that are summed up, `bucket` naming the point that they belong to.
    fn used(self) -> String {
        match self {
            Self::Day => format!("SELECT day AS bucket, * FROM ({BY_DAY})"),
            // The last two characters of an hour are its hour of the day.
            Self::HourOfDay => format!("SELECT CAST(substr(hour, 12, 2) AS INTEGER) AS bucket, * FROM ({BY_HOUR})"),
        }
    }

    fn bounds(self, range: Range) -> Vec<Value> {
        let parts = range.parts();
        let [first_edge, last_edge] = parts.edges;
        let [hours_before, hours_behind] = parts.hours_around;
        let bounds = match self {
            Self::Day => vec![parts.days, hours_before, hours_behind, first_edge, last_edge],
            Self::HourOfDay => vec![parts.hours, first_edge, last_edge],
        };
        bounds.into_iter().flat_map(|(from, until)| params![from, until]).collect()
    }
}

async fn by<T: FromValue>(db: &Db, range: Range, bucket: Bucket) -> Result<Vec<(T, Usage)>, DbError> {
    let sql = format!("SELECT bucket, {SUMS} FROM ({}) GROUP BY bucket ORDER BY bucket", bucket.used());
    let rows = db.read(sql, bucket.bounds(range)).await?.rows;
    rows.iter().map(|row| Ok((row.get("bucket")?, usage_of(row)?))).collect()
}

async fn by_and_model<T: FromValue>(db: &Db, range: Range, bucket: Bucket) -> Result<Vec<(T, Model, Usage)>, DbError> {
    let sql = format!(
        "SELECT bucket, provider, model, {SUMS} FROM ({})
        GROUP BY bucket, provider, model ORDER BY bucket, provider, model",
        bucket.used()
    );
    let rows = db.read(sql, bucket.bounds(range)).await?.rows;
    rows.iter().map(|row| Ok((row.get("bucket")?, model_of(row)?, usage_of(row)?))).collect()
}

pub(super) fn model_of(row: &Row) -> Result<Model, DbError> {
    Ok(Model { provider: row.get("provider")?, model: row.get("model")? })
}

fn usage_of(row: &Row) -> Result<Usage, DbError> {
    Ok(Usage {
        input_tokens: row.get("input_tokens")?,
        output_tokens: row.get("output_tokens")?,
        executions: row.get("executions")?,
    })
}

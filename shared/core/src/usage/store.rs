//! All SQL of usage.

use super::{Model, Range, Usage};
use crate::{
    db::{Db, DbError, FromValue, Row, Value},
    params,
};

/// Usage in a range by hour, provider and model: whole hours from the kept sums, the edges from the single executions.
/// An hour may come in several rows; they are summed up.
const USED: &str = "
    SELECT hour, provider, model, executions, input_tokens, output_tokens
    FROM usage_hourly WHERE hour >= ?1 AND hour < ?2
    UNION ALL
    SELECT substr(completed_at, 1, 13), provider, model, 1, input_tokens, output_tokens
    FROM usage_events WHERE completed_at >= ?3 AND completed_at <= ?4
    UNION ALL
    SELECT substr(completed_at, 1, 13), provider, model, 1, input_tokens, output_tokens
    FROM usage_events WHERE completed_at >= ?5 AND completed_at <= ?6";

/// What is summed up.
const SUMS: &str = "sum(executions) AS executions, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens";

/// The first ten characters of an hour are its day, the last two its hour of the day.
const DAY: &str = "substr(hour, 1, 10)";
const HOUR_OF_DAY: &str = "CAST(substr(hour, 12, 2) AS INTEGER)";

/// Usage by provider and model, largest total first.
pub async fn by_model(db: &Db, range: Range) -> Result<Vec<(Model, Usage)>, DbError> {
    let sql = format!(
        "SELECT provider, model, {SUMS} FROM ({USED}) GROUP BY provider, model
        ORDER BY sum(input_tokens) + sum(output_tokens) DESC, provider, model"
    );
    let rows = db.read(sql, bounds(range)).await?.rows;
    rows.iter().map(|row| Ok((model_of(row)?, usage_of(row)?))).collect()
}

/// Usage by UTC day, oldest first; days without executions are absent.
pub async fn by_day(db: &Db, range: Range) -> Result<Vec<(String, Usage)>, DbError> {
    by(db, range, DAY).await
}

/// Usage by UTC day, provider and model, in this order.
pub async fn by_day_and_model(db: &Db, range: Range) -> Result<Vec<(String, Model, Usage)>, DbError> {
    by_and_model(db, range, DAY).await
}

/// Usage by UTC hour of the day, over all days of the range (defect DB-05).
pub async fn by_hour(db: &Db, range: Range) -> Result<Vec<(u32, Usage)>, DbError> {
    by(db, range, HOUR_OF_DAY).await
}

/// Usage by UTC hour of the day, provider and model, in this order.
pub async fn by_hour_and_model(db: &Db, range: Range) -> Result<Vec<(u32, Model, Usage)>, DbError> {
    by_and_model(db, range, HOUR_OF_DAY).await
}

async fn by<T: FromValue>(db: &Db, range: Range, bucket: &'static str) -> Result<Vec<(T, Usage)>, DbError> {
    let rows = db.read(format!("SELECT {bucket} AS bucket, {SUMS} FROM ({USED}) GROUP BY 1 ORDER BY 1"), bounds(range));
    rows.await?.rows.iter().map(|row| Ok((row.get("bucket")?, usage_of(row)?))).collect()
}

async fn by_and_model<T: FromValue>(
    db: &Db,
    range: Range,
    bucket: &'static str,
) -> Result<Vec<(T, Model, Usage)>, DbError> {
    let sql = format!(
        "SELECT {bucket} AS bucket, provider, model, {SUMS} FROM ({USED})
        GROUP BY 1, provider, model ORDER BY 1, provider, model"
    );
    let rows = db.read(sql, bounds(range)).await?.rows;
    rows.iter().map(|row| Ok((row.get("bucket")?, model_of(row)?, usage_of(row)?))).collect()
}

fn bounds(range: Range) -> Vec<Value> {
    let parts = range.parts();
    let (hours, first, last) = (parts.hours, parts.first_edge, parts.last_edge);
    params![hours.0, hours.1, first.0, first.1, last.0, last.1]
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

/// How the database goes about it, for the test that nothing is walked through.
#[cfg(test)]
pub(super) async fn plan(db: &Db) -> Result<Vec<String>, DbError> {
    let sql = format!("EXPLAIN QUERY PLAN SELECT {DAY} AS bucket, {SUMS} FROM ({USED}) GROUP BY 1 ORDER BY 1");
    db.read(sql, bounds(Range::default())).await?.rows.iter().map(|row| row.get("detail")).collect()
}

//! All SQL of usage that the dashboard asks.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::json;

use super::{
    Model, Range, Usage,
    range::{DAY_LENGTH, Unit},
};
use crate::{
    db::{Db, DbError, Row, Statement},
    params,
};

/// Whole periods: `?1` is a list of unit and bounds.
const PERIODS: &str = "json_each(?1) AS part CROSS JOIN usage_sums
    WHERE unit = part.value ->> 0 AND period >= part.value ->> 1 AND period < part.value ->> 2";
/// The days that hours are taken of.
const DAYS: &str = "SELECT period, provider, model, hours FROM usage_sums
    WHERE unit = 'day' AND period IN (SELECT value FROM json_each(?1))";
/// What lies inside of an hour: `?1` is a list of bounds.
const INSTANTS: &str = "SELECT substr(completed_at, 1, 13) AS hour, provider, model, count(*) AS executions,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM json_each(?1) AS part CROSS JOIN usage_events
    WHERE completed_at >= part.value ->> 0 AND completed_at < part.value ->> 1 GROUP BY 1, 2, 3";
const SUMS: &str = "sum(executions) AS executions, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens";

/// Usage by provider and model, largest total first.
pub async fn by_model(db: &Db, range: Range) -> Result<Vec<(Model, Usage)>, DbError> {
    let sql = format!("SELECT provider, model, {SUMS} FROM {PERIODS} GROUP BY provider, model");
    let Found { periods, hours } = read(db, range, &[Unit::Month, Unit::Day], sql).await?;
    let periods: Result<Vec<_>, DbError> = periods.iter().map(|row| Ok((model_of(row)?, usage_of(row)?))).collect();
    let mut found = summed(periods?, hours.into_iter().map(|(_, model, usage)| (model, usage)));
    found.sort_by_key(|(_, usage)| Reverse(usage.total_tokens()));
    Ok(found)
}

/// Usage by UTC day, oldest first; days without executions are absent.
pub async fn by_day(db: &Db, range: Range) -> Result<Vec<(String, Usage)>, DbError> {
    // Days are one part. Grouped along the primary key, they need no sorting.
    let sql = format!(
        "SELECT period, {SUMS} FROM usage_sums
        WHERE unit = 'day' AND period >= ?1 ->> '$[0][1]' AND period < ?1 ->> '$[0][2]' GROUP BY period"
    );
    let Found { periods, hours } = read(db, range, &[Unit::Day], sql).await?;
    let periods: Result<Vec<_>, DbError> = periods.iter().map(|row| Ok((row.get("period")?, usage_of(row)?))).collect();
    Ok(summed(periods?, hours.into_iter().map(|(hour, _, usage)| (day_of(&hour), usage))))
}

/// Usage by UTC day, provider and model, in this order.
pub async fn by_day_and_model(db: &Db, range: Range) -> Result<Vec<((String, Model), Usage)>, DbError> {
    let sql = format!("SELECT period, provider, model, executions, input_tokens, output_tokens FROM {PERIODS}");
    let Found { periods, hours } = read(db, range, &[Unit::Day], sql).await?;
    let entry_of = |row: &Row| Ok(((row.get("period")?, model_of(row)?), usage_of(row)?));
    let periods: Result<Vec<_>, DbError> = periods.iter().map(entry_of).collect();
    Ok(summed(periods?, hours.into_iter().map(|(hour, model, usage)| ((day_of(&hour), model), usage))))
}

/// Usage by UTC hour of the day, over all days of the range (defect DB-05).
pub async fn by_hour(db: &Db, range: Range) -> Result<Vec<(u32, Usage)>, DbError> {
    let found = by_hour_and_model(db, range).await?;
    Ok(summed(found.into_iter().map(|((hour, _), usage)| (hour, usage)).collect(), []))
}

/// Usage by UTC hour of the day, provider and model, in this order.
pub async fn by_hour_and_model(db: &Db, range: Range) -> Result<Vec<((u32, Model), Usage)>, DbError> {
    let sql = format!("SELECT provider, model, hours FROM {PERIODS}");
    let Found { periods, hours } = read(db, range, &[Unit::Month, Unit::Day], sql).await?;
    let mut models = BTreeMap::<Model, BTreeMap<u32, Usage>>::new();
    for row in &periods {
        let of_model = models.entry(model_of(row)?).or_default();
        for (hour, usage) in hours_of(row)? {
            *of_model.entry(number_of(&hour)?).or_default() += usage;
        }
    }
    for (hour, model, usage) in hours {
        *models.entry(model).or_default().entry(number_of(&hour[DAY_LENGTH + 1..])?).or_default() += usage;
    }
    let entries = models
        .into_iter()
        .flat_map(|(model, hours)| hours.into_iter().map(move |(hour, usage)| ((hour, model.clone()), usage)));
    Ok(summed(entries.collect(), []))
}

/// What is summed up for a range: rows of its whole periods, and its hours around them. An hour may come twice.
struct Found {
    periods: Vec<Row>,
    hours: Vec<(String, Model, Usage)>,
}

/// Reads the whole periods with `sql`. What is recorded between the statements is found by one of them or by none.
async fn read(db: &Db, range: Range, units: &[Unit], sql: String) -> Result<Found, DbError> {
    let parts = range.parts(units);
    let periods: Vec<_> = parts.periods.iter().map(|(unit, (from, until))| (unit.as_str(), from, until)).collect();
    let days: Vec<&str> = parts.hours.iter().map(|(from, _)| &from[..DAY_LENGTH]).collect();
    let statements = vec![
        Statement::new(sql, params![json!(periods).to_string()]),
        Statement::new(DAYS, params![json!(days).to_string()]),
        Statement::new(INSTANTS, params![json!(parts.instants).to_string()]),
    ];
    let mut answers = db.read_many(statements).await?.into_iter().map(|rows| rows.rows);
    let mut next = || answers.next().unwrap_or_default();
    let (periods, days, instants) = (next(), next(), next());

    let mut hours = Vec::new();
    for row in &days {
        let day: String = row.get("period")?;
        for (hour, usage) in hours_of(row)? {
            let hour = format!("{day}T{hour}");
            if parts.hours.iter().any(|(from, until)| *from <= hour && hour < *until) {
                hours.push((hour, model_of(row)?, usage));
            }
        }
    }
    for row in &instants {
        hours.push((row.get("hour")?, model_of(row)?, usage_of(row)?));
    }
    Ok(Found { periods, hours })
}

/// All entries in order, those of one key added up.
fn summed<K: Ord>(mut entries: Vec<(K, Usage)>, more: impl IntoIterator<Item = (K, Usage)>) -> Vec<(K, Usage)> {
    entries.extend(more);
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    entries.dedup_by(|(key, usage), (first, sum)| {
        let is_same = key == first;
        if is_same {
            *sum += *usage;
        }
        is_same
    });
    entries
}

/// The hours of a sum, by the two digits that name them.
fn hours_of(row: &Row) -> Result<impl Iterator<Item = (String, Usage)>, DbError> {
    let hours: BTreeMap<String, [u64; 3]> = row.json("hours")?;
    Ok(hours.into_iter().map(|(hour, [executions, input_tokens, output_tokens])| {
        (hour, Usage { input_tokens, output_tokens, executions })
    }))
}

fn number_of(hour: &str) -> Result<u32, DbError> {
    hour.parse().map_err(|_| DbError::Column("hours"))
}

/// The day of an hour.
fn day_of(hour: &str) -> String {
    hour[..DAY_LENGTH].to_owned()
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

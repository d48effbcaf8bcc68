//! All SQL of usage that the dashboard asks.

use std::{cmp::Reverse, collections::BTreeMap, ops};

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::json;

use super::{
    Model, Range, Usage,
    range::{Bounds, DAY_LENGTH, Unit},
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
const INSTANTS: &str =
    "SELECT substr(completed_at, 1, 10) AS day, CAST(substr(completed_at, 12, 2) AS INTEGER) AS hour,
        provider, model, count(*) AS executions, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM json_each(?1) AS part CROSS JOIN usage_events
    WHERE completed_at >= part.value ->> 0 AND completed_at < part.value ->> 1 GROUP BY 1, 2, 3, 4";
const SUMS: &str = "sum(executions) AS executions, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens";

/// Usage by provider and model, largest total first.
pub async fn by_model(db: &Db, range: Range) -> Result<Vec<(Model, Usage)>, DbError> {
    let sql = format!("SELECT provider, model, {SUMS} FROM {PERIODS} GROUP BY provider, model");
    let Found { periods, around } = read(db, range, &[Unit::Month, Unit::Day], sql).await?;
    let periods: Result<Vec<_>, DbError> = periods.iter().map(|row| Ok((model_of(row)?, usage_of(row)?))).collect();
    let mut found = summed(periods?, around.into_iter().map(|hours| (hours.model, hours.usages.values().sum())));
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
    let Found { periods, around } = read(db, range, &[Unit::Day], sql).await?;
    let periods: Result<Vec<_>, DbError> = periods.iter().map(|row| Ok((row.get("period")?, usage_of(row)?))).collect();
    Ok(summed(periods?, around.into_iter().map(|hours| (hours.day, hours.usages.values().sum()))))
}

/// Usage by UTC day, provider and model, in this order.
pub async fn by_day_and_model(db: &Db, range: Range) -> Result<Vec<((String, Model), Usage)>, DbError> {
    let sql = format!("SELECT period, provider, model, executions, input_tokens, output_tokens FROM {PERIODS}");
    let Found { periods, around } = read(db, range, &[Unit::Day], sql).await?;
    let entry_of = |row: &Row| Ok(((row.get("period")?, model_of(row)?), usage_of(row)?));
    let periods: Result<Vec<_>, DbError> = periods.iter().map(entry_of).collect();
    Ok(summed(periods?, around.into_iter().map(|hours| ((hours.day, hours.model), hours.usages.values().sum()))))
}

/// Usage by UTC hour of the day, over all days of the range (defect DB-05).
pub async fn by_hour(db: &Db, range: Range) -> Result<Vec<(u32, Usage)>, DbError> {
    let found = by_hour_and_model(db, range).await?;
    Ok(summed(found.into_iter().map(|((hour, _), usage)| (hour, usage)).collect(), []))
}

/// Usage by UTC hour of the day, provider and model, in this order.
pub async fn by_hour_and_model(db: &Db, range: Range) -> Result<Vec<((u32, Model), Usage)>, DbError> {
    let sql = format!("SELECT provider, model, hours FROM {PERIODS}");
    let Found { periods, around } = read(db, range, &[Unit::Month, Unit::Day], sql).await?;
    let mut models = BTreeMap::<Model, BTreeMap<u32, Usage>>::new();
    let mut add = |model, usages: BTreeMap<u32, Usage>| {
        let of_model = models.entry(model).or_default();
        for (hour, usage) in usages {
            *of_model.entry(hour).or_default() += usage;
        }
    };
    for row in &periods {
        add(model_of(row)?, hours_of(row)?);
    }
    for hours in around {
        add(hours.model, hours.usages);
    }
    let entries = models
        .into_iter()
        .flat_map(|(model, hours)| hours.into_iter().map(move |(hour, usage)| ((hour, model.clone()), usage)));
    Ok(summed(entries.collect(), []))
}

/// What is summed up for a range: rows of its whole periods, and what lies around them. An hour may come twice.
struct Found {
    periods: Vec<Row>,
    around: Vec<Hours>,
}

/// Usage within some hours of a day.
struct Hours {
    day: String,
    model: Model,
    usages: BTreeMap<u32, Usage>,
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

    let mut around = Vec::with_capacity(days.len() + instants.len());
    for row in &days {
        let (day, mut usages) = (row.get::<String>("period")?, hours_of(row)?);
        let wanted = parts.hours.iter().find(|(from, _)| from.starts_with(&day)).map(numbers_in);
        usages.retain(|hour, _| wanted.as_ref().is_some_and(|wanted| wanted.contains(hour)));
        around.push(Hours { day, model: model_of(row)?, usages });
    }
    for row in &instants {
        let usages = BTreeMap::from([(row.get("hour")?, usage_of(row)?)]);
        around.push(Hours { day: row.get("day")?, model: model_of(row)?, usages });
    }
    around.retain(|hours| !hours.usages.is_empty());
    Ok(Found { periods, around })
}

/// Which hours of the day lie within bounds that are about one day.
fn numbers_in((from, until): &Bounds) -> ops::Range<u32> {
    let number = |text: &str| text.get(DAY_LENGTH + 1..DAY_LENGTH + 3).and_then(|hour| hour.parse::<u32>().ok());
    // `2026-01-31T09~` is what comes after the hour, `2026-01-31` is before all and `2026-01-31~` after all.
    number(from).map_or(0, |hour| hour + 1)..number(until).unwrap_or(24)
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

/// How a sum is split by the hour of the day.
fn hours_of(row: &Row) -> Result<BTreeMap<u32, Usage>, DbError> {
    let hours: BTreeMap<HourOfDay, [u64; 3]> = row.json("hours")?;
    let usage = |[executions, input_tokens, output_tokens]: [u64; 3]| Usage { input_tokens, output_tokens, executions };
    Ok(hours.into_iter().map(|(HourOfDay(hour), sums)| (hour, usage(sums))).collect())
}

/// The number of an hour, of which JSON has the two digits.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct HourOfDay(u32);

impl<'de> Deserialize<'de> for HourOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&str>::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
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

//! Exports: all matching executions, piece by piece, each piece going on behind the last row of the one before it.
//!
//! A row's place is its sort value and its sequence number, not a number of rows: what is recorded or deleted meanwhile makes no row
//! come twice or be left out, and a late piece costs no more than the first.

use super::{
    ExecutionFilter, ExecutionOrder, ExecutionView,
    list::ordering,
    store::{VIEW, view_of},
};
use crate::{
    db::{Db, DbError, Row, Value},
    pagination::Direction,
    params,
};

/// An execution with name and text of the executed version.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedExecution {
    /// The execution.
    pub view: ExecutionView,
    /// Text of the executed version.
    pub prompt_value: Option<String>,
    /// Where the next piece goes on if this row is the last that was taken.
    pub place: ExportPlace,
}

/// The place of a row in an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPlace {
    /// Absent where an execution has not started or not ended, and the export is sorted by that.
    sort_value: Option<String>,
    seq: i64,
}

impl ExportPlace {
    /// Reads what [`fmt::Display`](std::fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (sort_value, seq) = text.split_once('_')?;
        let sort_value = (!sort_value.is_empty()).then(|| sort_value.to_owned());
        Some(Self { sort_value, seq: seq.parse().ok()? })
    }
}

impl std::fmt::Display for ExportPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.sort_value.as_deref().unwrap_or_default(), self.seq)
    }
}

/// Up to `limit` matching executions behind a place, or from the start.
pub async fn export(
    db: &Db,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    direction: Direction,
    after: Option<&ExportPlace>,
    limit: u32,
) -> Result<Vec<ExportedExecution>, DbError> {
    let mut exported = Vec::new();
    for (part, params) in parts(order.column(), direction, after) {
        let left = limit - exported.len() as u32;
        if left == 0 {
            break;
        }
        let (condition, mut params) = filter.condition_after(params);
        params.push(left.into());
        let limit = params.len();
        let (inner, outer) = (ordering(order, direction, ""), ordering(order, direction, "e."));
        let sql = format!(
            "SELECT json_extract(p.data, '$.versions[' || (json_extract(e.data, '$.prompt_version') - 1) || '].prompt')
                AS prompt_value, e.{column} AS sort_value, e.seq AS seq, {VIEW}
            WHERE e.seq IN (SELECT seq FROM {source} WHERE {part} AND {condition} ORDER BY {inner} LIMIT +?{limit})
            ORDER BY {outer}",
            source = filter.source(order),
            column = order.column(),
        );
        let rows = db.read(sql, params).await?.rows;
        exported.extend(rows.iter().map(exported_of).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(exported)
}

/// What is still to come behind a place, in order: conditions on the sort column with their parameters. Rows without a sort
/// value have an end of their own, because SQL compares nothing with NULL.
fn parts(column: &str, direction: Direction, after: Option<&ExportPlace>) -> Vec<(String, Vec<Value>)> {
    let with = (format!("{column} IS NOT NULL"), params![]);
    let without = (format!("{column} IS NULL"), params![]);
    let (comparison, missing_first) = match direction {
        Direction::Ascending => (">", true),
        Direction::Descending => ("<", false),
    };
    match after.map(|place| (&place.sort_value, place.seq)) {
        None if missing_first => vec![without, with],
        None => vec![with, without],
        Some((Some(value), seq)) => {
            let rest = (format!("({column}, seq) {comparison} (?1, ?2)"), params![value, seq]);
            if missing_first { vec![rest] } else { vec![rest, without] }
        }
        Some((None, seq)) => {
            let rest = (format!("{column} IS NULL AND seq {comparison} ?1"), params![seq]);
            if missing_first { vec![rest, with] } else { vec![rest] }
        }
    }
}

fn exported_of(row: &Row) -> Result<ExportedExecution, DbError> {
    let view = view_of(row)?;
    let place = ExportPlace { sort_value: row.get("sort_value")?, seq: row.get("seq")? };
    Ok(ExportedExecution { view, prompt_value: row.get("prompt_value")?, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for (sort_value, seq) in [(Some("2026-01-31T09:15:00.042Z"), 7), (None, i64::MAX)] {
            let place = ExportPlace { sort_value: sort_value.map(str::to_owned), seq };
            assert_eq!(ExportPlace::parse(&place.to_string()), Some(place));
        }
        for text in ["", "_", "x", "2026_", "2026_x", "_1.5"] {
            assert_eq!(ExportPlace::parse(text), None, "{text}");
        }
    }
}

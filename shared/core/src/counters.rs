//! Kept counters: how many rows of a table there are, by what its lists are filtered by.
//!
//! Triggers keep them in the write that changes a row, so a difference is a bug, or somebody's hand in the database.
//! Maintenance looks for one, says so, and repairs it, portion by portion: the rows of one owner that were created in one
//! period. Each look is one statement and each repair one atomic write, hence of one moment, whatever is written meanwhile.

use std::fmt;

use crate::{
    db::{Db, DbError, Row, Statement, Value},
    params,
};

/// Counters and what they count. Both tables have the owner and the kinds as columns.
#[derive(Debug)]
pub struct Counters {
    /// The table of counters: owner, period, kinds and `n`.
    pub table: &'static str,
    /// The table of what is counted.
    pub counted: &'static str,
    /// Whose rows are counted together; where what is counted has none, the counters have an empty text.
    pub owner: &'static str,
    /// How much of `created_at` is the period: 7 characters for a month, 10 for a day.
    pub period_length: u8,
    /// The other columns that tell counters apart.
    pub kinds: &'static str,
    /// The kinds in words, as SQL.
    pub name: &'static str,
}

/// What is counted and compared at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Portion {
    owner: String,
    period: String,
}

impl Portion {
    /// Reads what [`Portion::position`] gave.
    pub fn parse(position: &str) -> Option<Self> {
        let (period, owner) = position.split_once(' ')?;
        Some(Self { owner: owner.to_owned(), period: period.to_owned() })
    }

    /// The portion as a text for a cursor.
    pub fn position(&self) -> String {
        format!("{} {}", self.period, self.owner)
    }

    /// The owner as the counters have it, the period, and the owner as the counted rows have it.
    fn params(&self) -> Vec<Value> {
        params![&self.owner, &self.period, (!self.owner.is_empty()).then_some(&self.owner)]
    }

    fn of(row: &Row) -> Result<Self, DbError> {
        Ok(Self { owner: row.get("owner")?, period: row.get("period")? })
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" {}", self.owner, self.period)
    }
}

/// A counter that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it counts, in words.
    pub name: String,
    /// What it says.
    pub kept: i64,
    /// How many there are.
    pub counted: i64,
}

impl Difference {
    pub(crate) fn of(row: &Row) -> Result<Self, DbError> {
        Ok(Self { name: row.get("name")?, kept: row.get("kept")?, counted: row.get("counted")? })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kept, counted } = self;
        write!(f, "{name}: kept {kept}, counted {counted}")
    }
}

impl Counters {
    /// The first portion of all that have counters or rows.
    pub async fn first(&self, db: &Db) -> Result<Option<Portion>, DbError> {
        self.after(db, &Portion { owner: String::new(), period: String::new() }).await
    }

    /// The portion behind this one.
    pub async fn after(&self, db: &Db, portion: &Portion) -> Result<Option<Portion>, DbError> {
        let Self { table, counted, owner, period_length, .. } = self;
        let Portion { owner: of, period } = portion;
        // Behind every moment of the period.
        let end = if period.is_empty() { String::new() } else { format!("{period}~") };
        let row = format!("COALESCE({owner}, '') AS owner, substr(created_at, 1, {period_length}) AS period");
        let kept = format!(
            "SELECT {owner} AS owner, period FROM {table} WHERE ({owner}, period) > (?1, ?2)
            ORDER BY {owner}, period LIMIT 1"
        );
        let own =
            format!("SELECT {row} FROM {counted} WHERE {owner} IS ?1 AND created_at > ?2 ORDER BY created_at LIMIT 1");
        let others = format!("SELECT {row} FROM {counted} WHERE {owner} > ?1 ORDER BY {owner}, created_at LIMIT 1");
        let answers = db
            .read_many(vec![
                Statement::new(kept, params![of, &end]),
                Statement::new(own, params![(!of.is_empty()).then_some(of), &end]),
                Statement::new(others, params![of]),
            ])
            .await?;
        let found = answers.iter().filter_map(|answer| answer.first()).map(Portion::of);
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().min())
    }

    /// What is wrong with the counters of a portion.
    pub async fn differences(&self, db: &Db, portion: &Portion) -> Result<Vec<Difference>, DbError> {
        let Self { table, owner, kinds, name, .. } = self;
        let sql = format!(
            "SELECT {name} AS name, sum(kept) AS kept, sum(counted) AS counted FROM (
                SELECT {kinds}, n AS kept, 0 AS counted FROM {table} WHERE {owner} = ?1 AND period = ?2
                UNION ALL
                SELECT {kinds}, 0, count(*) {rows} GROUP BY {kinds})
            GROUP BY {kinds} HAVING sum(kept) <> sum(counted) ORDER BY {kinds}",
            rows = self.rows(),
        );
        db.read(sql, portion.params()).await?.rows.iter().map(Difference::of).collect()
    }

    /// Counts a portion anew.
    pub async fn recount(&self, db: &Db, portion: &Portion) -> Result<(), DbError> {
        let Self { table, owner, kinds, .. } = self;
        let forget = format!("DELETE FROM {table} WHERE {owner} = ?1 AND period = ?2");
        let count = format!(
            "INSERT INTO {table} ({owner}, period, {kinds}, n)
            SELECT ?1, ?2, {kinds}, count(*) {rows} GROUP BY {kinds}",
            rows = self.rows(),
        );
        let forget = Statement::new(forget, params![&portion.owner, &portion.period]);
        db.write(vec![forget, Statement::new(count, portion.params())]).await?;
        Ok(())
    }

    /// Removes the counters of a portion that have come down to nothing.
    pub fn forget_empty(&self, portion: &Portion) -> Statement {
        let Self { table, owner, .. } = self;
        let sql = format!("DELETE FROM {table} WHERE {owner} = ?1 AND period = ?2 AND n = 0");
        Statement::new(sql, params![&portion.owner, &portion.period])
    }

    /// The rows of a portion. A moment begins with its period, and `~` is behind every character of a moment.
    fn rows(&self) -> String {
        let Self { counted, owner, .. } = self;
        format!("FROM {counted} WHERE {owner} IS ?3 AND created_at >= ?2 AND created_at < ?2 || '~'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_read_as_it_was_written() {
        for owner in ["", "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10", "webhook-delivery"] {
            let portion = Portion { owner: owner.to_owned(), period: "2026-01".to_owned() };
            assert_eq!(Portion::parse(&portion.position()), Some(portion));
        }
        assert_eq!(Portion::parse(""), None);
    }
}

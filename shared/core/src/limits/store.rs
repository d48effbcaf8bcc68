//! All SQL of limits.

use super::nanos;
use crate::{
    db::{Db, DbError, Rows, Statement},
    instant::Timestamp,
    params,
};

/// Moves the moment when a bucket is full on by `cost`, unless it would then lie behind `horizon`.
pub(super) fn take(bucket: &str, cost: i64, horizon: i64, now: Timestamp) -> Statement {
    // The condition in front of the insert is for what is more than a full bucket holds.
    let sql = "INSERT INTO limits (bucket, full_at) SELECT ?1, ?2 + ?3 WHERE ?2 + ?3 <= ?4
        ON CONFLICT (bucket) DO UPDATE SET full_at = max(full_at, ?2) + ?3 WHERE max(full_at, ?2) + ?3 <= ?4";
    Statement::new(sql, params![bucket, nanos(now), cost, horizon]).expecting_one()
}

pub(super) fn give_back(bucket: &str, cost: i64) -> Statement {
    Statement::new("UPDATE limits SET full_at = full_at - ?2 WHERE bucket = ?1", params![bucket, cost])
}

/// When each bucket is full again; 0 for one that was not used lately.
pub(super) async fn full_at(db: &Db, buckets: impl Iterator<Item = &str>) -> Result<Vec<i64>, DbError> {
    let sql = "SELECT full_at FROM limits WHERE bucket = ?1";
    let answers = db.read_many(buckets.map(|bucket| Statement::new(sql, params![bucket])).collect()).await?;
    answers.iter().map(|answer| answer.first().map_or(Ok(0), |row| row.get("full_at"))).collect()
}

/// Deletes the rows of at most `most` buckets that are full; tells how many there were.
pub async fn forget_full(db: &Db, most: u32, now: Timestamp) -> Result<u64, DbError> {
    let sql = "DELETE FROM limits WHERE bucket IN (SELECT bucket FROM limits WHERE full_at <= ?1 LIMIT +?2)";
    let answers = db.write(vec![Statement::new(sql, params![nanos(now), most])]).await?;
    Ok(answers.first().map_or(0, |answer: &Rows| answer.affected))
}

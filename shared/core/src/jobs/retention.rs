//! How long jobs are kept.

use crate::{
    db::{Db, DbError, Statement},
    instant::Timestamp,
    params,
};

/// Deletes up to `limit` jobs that ended before this moment, the oldest first; tells how many.
pub async fn delete_ended(db: &Db, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let sql = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs
        WHERE completed_at < ?1 AND +status IN ('completed', 'failed', 'terminated')
        ORDER BY completed_at, id LIMIT +?2)";
    let answers = db.write(vec![Statement::new(sql, params![before, limit])]).await?;
    Ok(answers.first().map_or(0, |answer| answer.affected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn only_what_ended_before_is_deleted_the_oldest_first_and_in_batches() {
        let (db, _folder) = database().await;
        let start: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
        let job = |id: &str, status: &str, ended: Option<Timestamp>| {
            let sql = "INSERT INTO jobs (id, data, created_at, updated_at, scheduled_at, type, status, completed_at)
                VALUES (?1, '{}', ?2, ?2, ?2, 'webhook-delivery', ?3, ?4)";
            Statement::new(sql, params![id, start, status, ended])
        };
        let day = |days: i64| Some(start.plus_seconds(days * 86_400));
        let statements = vec![
            job("a", "completed", day(0)),
            job("b", "failed", day(1)),
            job("c", "terminated", day(2)),
            job("d", "completed", day(3)),
            job("e", "pending", None),
            // A job that is tried again has not ended, whatever it has been through.
            job("f", "retrying", day(0)),
            job("g", "running", day(0)),
        ];
        db.write(statements).await.unwrap();
        let before = start.plus_seconds(3 * 86_400);
        assert_eq!(delete_ended(&db, before, 2).await.unwrap(), 2);
        let left = async || -> Vec<String> {
            let rows = db.read("SELECT id FROM jobs ORDER BY id", params![]).await.unwrap().rows;
            rows.iter().map(|row| row.get("id").unwrap()).collect()
        };
        assert_eq!(left().await, ["c", "d", "e", "f", "g"]);
        assert_eq!(delete_ended(&db, before, 2).await.unwrap(), 1);
        assert_eq!(delete_ended(&db, before, 2).await.unwrap(), 0);
        assert_eq!(left().await, ["d", "e", "f", "g"]);
    }
}

//! How far maintenance has come with work that is spread over many rounds.

use crate::{
    db::{Db, DbError, Statement},
    params,
};

/// Where the next round goes on; `None` before the first.
pub async fn find(db: &Db, name: &str) -> Result<Option<String>, DbError> {
    let sql = "SELECT position FROM maintenance_cursors WHERE name = ?1";
    db.read(sql, params![name]).await?.first().map(|row| row.get("position")).transpose()
}

/// Notes where the next round goes on. Do this before the work itself, so that a piece of work that always fails cannot
/// hold up the rest.
pub async fn move_to(db: &Db, name: &str, position: &str) -> Result<(), DbError> {
    db.write(vec![moved(name, position)]).await?;
    Ok(())
}

/// The same as a part of a write.
pub fn moved(name: &str, position: &str) -> Statement {
    let sql = "INSERT INTO maintenance_cursors (name, position) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET position = excluded.position";
    Statement::new(sql, params![name, position])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn a_cursor_is_where_it_was_moved_to_last() {
        let (db, _folder) = database().await;
        assert_eq!(find(&db, "a").await.unwrap(), None);
        for position in ["1", "2", ""] {
            move_to(&db, "a", position).await.unwrap();
            assert_eq!(find(&db, "a").await.unwrap().as_deref(), Some(position));
        }
        assert_eq!(find(&db, "b").await.unwrap(), None);
    }
}

//! What vendors answered when asked for their models, shared by all function instances: minutes for success, seconds for
//! failure (defect V-10).

use crate::{
    db::{Db, DbError, Statement},
    documents::to_json,
    instant::Timestamp,
    params,
    provider_name::ProviderName,
};

const SUCCESS_SECONDS: i64 = 5 * 60;
const FAILURE_SECONDS: i64 = 10;

/// The models of a provider, or why they could not be read.
pub type ModelList = Result<Vec<String>, String>;

/// The list that is still good, if there is one.
pub async fn find_fresh(db: &Db, provider: ProviderName, now: Timestamp) -> Result<Option<ModelList>, DbError> {
    let sql = "SELECT models, error FROM model_lists WHERE provider = ?1 AND expires_at > ?2";
    let rows = db.read(sql, params![provider.as_str(), now]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let error: Option<String> = row.get("error")?;
    Ok(Some(match error {
        Some(error) => Err(error),
        None => Ok(row.json("models")?),
    }))
}

/// Keeps a list for a while.
pub async fn keep(db: &Db, provider: ProviderName, list: &ModelList, now: Timestamp) -> Result<(), DbError> {
    let (models, error, seconds) = match list {
        Ok(models) => (to_json(models), None, SUCCESS_SECONDS),
        Err(error) => ("[]".to_owned(), Some(error.clone()), FAILURE_SECONDS),
    };
    let sql = "INSERT INTO model_lists (provider, fetched_at, expires_at, models, error) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (provider) DO UPDATE SET fetched_at = excluded.fetched_at, expires_at = excluded.expires_at,
            models = excluded.models, error = excluded.error";
    let params = params![provider.as_str(), now, now.plus_seconds(seconds), models, error];
    db.write(vec![Statement::new(sql, params)]).await?;
    Ok(())
}

/// Forgets the list, because another key may see other models.
pub fn forget(provider: ProviderName) -> Statement {
    Statement::new("DELETE FROM model_lists WHERE provider = ?1", params![provider.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn keeps_success_for_minutes_and_failure_for_seconds() {
        let (db, _folder) = database().await;
        let now = Timestamp::now();
        let fresh = async |seconds| find_fresh(&db, ProviderName::Ollama, now.plus_seconds(seconds)).await.unwrap();
        assert_eq!(fresh(0).await, None);
        keep(&db, ProviderName::Ollama, &Err("down".into()), now).await.unwrap();
        assert_eq!((fresh(9).await, fresh(10).await), (Some(Err("down".into())), None));
        keep(&db, ProviderName::Ollama, &Ok(vec!["a:b".into()]), now).await.unwrap();
        assert_eq!((fresh(299).await, fresh(300).await), (Some(Ok(vec!["a:b".into()])), None));
        db.write(vec![forget(ProviderName::Ollama)]).await.unwrap();
        assert_eq!(fresh(0).await, None);
    }
}

//! Fills a database with what a year of use leaves behind.
//!
//! The database makes the rows itself, so that a million of them take minutes. Counters follow by trigger; usage is
//! recorded afterwards, because the rows come in completed. Indexes are dropped meanwhile and made again as they were.

use anyhow::{Context, Result};
use shared_core::{Db, Timestamp, db::Statement, params};

/// Prompts that the executions belong to.
pub(super) const PROMPTS: u32 = 200;
/// Rows that one write makes.
const BATCH: u32 = 20_000;
const YEAR_SECONDS: i64 = 365 * 86_400;
/// Tables that grow with the number of executions.
const GROWING: [&str; 4] = ["executions", "jobs", "comments", "usage_events"];

/// A mix of the row's number, for everything that is to look random and be the same each time.
const ROWS: &str = "WITH RECURSIVE
    numbers (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?2),
    mixed AS (SELECT i, (i * 2654435761) % 4294967296 AS h FROM numbers)";

/// `?3` is the number of all rows, `?4` the first second, `?5` a long text. Two KiB each.
const EXECUTIONS: &str = "INSERT INTO executions
        (id, created_at, updated_at, started_at, completed_at, status, attempt, prompt_id, provider, model, starred, data)
    SELECT printf('%08x-%04x-4%03x-8%03x-%012x', h, h / 7 % 65536, h / 11 % 4096, h / 13 % 4096, i),
        strftime('%Y-%m-%dT%H:%M:%fZ', start, 'unixepoch'), strftime('%Y-%m-%dT%H:%M:%fZ', stop, 'unixepoch'),
        strftime('%Y-%m-%dT%H:%M:%fZ', start + 0.2, 'unixepoch'), strftime('%Y-%m-%dT%H:%M:%fZ', stop, 'unixepoch'),
        status, 1, prompt_id, provider, model, starred,
        json_object('prompt_id', prompt_id, 'prompt_version', 1, 'user_input', substr(?5, h % 3000, 600),
            'provider', provider, 'model', model, 'origin', 'api', 'starred', json(iif(starred, 'true', 'false')),
            'result', substr(?5, h % 2900, 1100), 'result_valid', json('true'),
            'input_tokens_used', 100 + h % 900, 'output_tokens_used', 50 + h % 400)
    FROM (
        SELECT *, provider || '-model-' || (h / 128 % 3) AS model,
            ?4 + 31536000.0 * i / ?3 AS start, ?4 + 31536000.0 * i / ?3 + 0.5 + h % 9000 / 1000.0 AS stop
        FROM (
            SELECT i, h, printf('%08x-0000-4000-8000-%012x', h / 64 % {PROMPTS}, h / 64 % {PROMPTS}) AS prompt_id,
                CASE WHEN h % 100 < 40 THEN 'openai' WHEN h % 100 < 65 THEN 'anthropic' WHEN h % 100 < 80 THEN 'gemini'
                    WHEN h % 100 < 90 THEN 'ollama' WHEN h % 100 < 97 THEN 'deepseek' ELSE 'deepinfra' END AS provider,
                iif(h / 256 % 100 < 5, 'failed', 'completed') AS status, h / 512 % 100 < 1 AS starred
            FROM mixed))";

/// One delivery for each fourth execution, within the last thirty days. Parameters as above.
const JOBS: &str = "INSERT INTO jobs
        (id, created_at, updated_at, scheduled_at, started_at, completed_at, status, attempts, type, data)
    SELECT printf('%08x-%04x-4%03x-8%03x-%012x', h, h / 7 % 65536, h / 11 % 4096, h / 13 % 4096, i), at, at, at, at, at,
        iif(h % 100 < 3, 'failed', 'completed'), 1, 'webhook-delivery',
        json_object('type', 'webhook-delivery', 'data', json_object('webhookId', substr(?5, h % 3000, 36)),
            'maxAttempts', 8, 'retryDelayMs', 5000, 'retryBackoffMultiplier', 5, 'maxRetryDelayMs', 300000)
    FROM (SELECT *, strftime('%Y-%m-%dT%H:%M:%fZ', ?4 + 28857600 + 2592000.0 * i / ?3, 'unixepoch') AS at FROM mixed)
    WHERE i % 4 = 0";

/// A comment on each hundredth execution.
const COMMENTS: &str = "INSERT INTO comments (id, created_at, updated_at, data)
    SELECT printf('%08x-c000-4000-8000-%012x', h, i), at, at, json_object('text', substr(?5, h % 3000, 200),
        'data', json_object('type', 'generic'), 'prompt_id', printf('%08x-0000-4000-8000-%012x', h % 200, h % 200))
    FROM (SELECT *, strftime('%Y-%m-%dT%H:%M:%fZ', ?4 + 31536000.0 * i / ?3, 'unixepoch') AS at FROM mixed)
    WHERE i % 100 = 0";

/// `?1` is now, `?2` the text of the prompts.
const PROMPT_ROWS: &str = "WITH RECURSIVE
    numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < {PROMPTS})
    INSERT INTO prompts (id, created_at, updated_at, data)
    SELECT printf('%08x-0000-4000-8000-%012x', i, i), ?1, ?1, json_object('name', 'prompt ' || i, 'prompt', ?2,
        'current_version', 1, 'versions', json_array(
            json_object('version', 1, 'name', 'prompt ' || i, 'prompt', ?2, 'created_at', ?1)))
    FROM numbers";

/// A key for each provider, and no place at one of them, so that what is created there waits and nothing is announced.
const SETTINGS: &str = "INSERT INTO settings (id, created_at, updated_at, data)
    SELECT 'key-' || value, ?1, ?1, json_object('type', 'llm-api-key', 'identifier', value, 'provider', value,
        'api_key', 'never used', 'active', json('true'))
    FROM json_each('[\"openai\", \"anthropic\", \"gemini\", \"ollama\", \"deepseek\", \"deepinfra\"]')
    UNION ALL
    SELECT 'limit', ?1, ?1, json_object(
        'type', 'provider-limits', 'identifier', 'ollama', 'provider', 'ollama', 'max_running', 0)";

/// Triggers sum it up.
const USAGE: &str =
    "INSERT INTO usage_events (completed_at, execution_id, provider, model, input_tokens, output_tokens)
    SELECT completed_at, id, provider, model, data ->> 'input_tokens_used', data ->> 'output_tokens_used'
    FROM executions WHERE status = 'completed'";

/// The id of a prompt that has executions.
pub(super) fn a_prompt() -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", 7, 7)
}

/// Records so many executions, and what goes with them.
pub(super) async fn seed(db: &Db, executions: u32) -> Result<()> {
    let (now, text) = (Timestamp::now(), "The quick brown fox jumps over the lazy dog. ".repeat(100));
    let prompts = PROMPT_ROWS.replace("{PROMPTS}", &PROMPTS.to_string());
    let basics = vec![Statement::new(prompts, params![now, &text]), Statement::new(SETTINGS, params![now])];
    db.write(basics).await.context("prompts and settings")?;

    let indexes = drop_indexes(db).await?;
    let start = now.unix_seconds() - YEAR_SECONDS - 60;
    for first in (0..executions).step_by(BATCH as usize) {
        let end = executions.min(first + BATCH);
        let rows = |insert: &str| {
            let (into, select) = insert.split_once("\n    SELECT").unwrap_or((insert, ""));
            let sql = format!("{into} {ROWS}\n    SELECT{select}").replace("{PROMPTS}", &PROMPTS.to_string());
            Statement::new(sql, params![first, end, executions, start, &text])
        };
        db.write([EXECUTIONS, JOBS, COMMENTS].map(rows).into()).await.context("executions")?;
    }
    for sql in [USAGE.to_owned()].into_iter().chain(indexes) {
        db.write(vec![Statement::new(sql.clone(), params![])]).await.with_context(|| sql)?;
    }
    Ok(())
}

/// Drops the indexes of the tables that grow; gives the statements that make them again.
async fn drop_indexes(db: &Db) -> Result<Vec<String>> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
        AND tbl_name IN (SELECT value FROM json_each(?1))";
    let rows = db.read(sql, params![serde_json::json!(GROWING).to_string()]).await?.rows;
    let mut made = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: String = row.get("name")?;
        db.write(vec![Statement::new(format!("DROP INDEX {name}"), params![])]).await?;
        made.push(row.get("sql")?);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use shared_core::{config::DatabaseConfig, executions, jobs, migrations, usage};

    use super::*;

    #[tokio::test]
    async fn what_is_seeded_is_complete_and_its_counters_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::new(&DatabaseConfig::File(folder.path().join("seeded.db")));
        migrations::migrate(&db).await.unwrap();
        let schema = async || {
            let sql = "SELECT group_concat(name, ' ') AS names FROM (SELECT name FROM sqlite_master ORDER BY name)";
            db.read(sql, params![]).await.unwrap().first().unwrap().get::<String>("names").unwrap()
        };
        let before = schema().await;
        seed(&db, 1_500).await.unwrap();
        assert_eq!(schema().await, before, "every index is back");
        let stats = executions::stats(&db).await.unwrap();
        assert_eq!(stats.by_status.values().sum::<u64>(), 1_500);
        assert_eq!(stats.by_provider.len(), 6);
        assert_eq!(executions::total_differences(&db).await.unwrap(), []);
        for counters in [&executions::COUNTERS, &jobs::COUNTERS] {
            let portion = counters.first(&db).await.unwrap().unwrap();
            assert_eq!(counters.differences(&db, &portion).await.unwrap(), []);
        }
        let day = usage::day_from(&db, "").await.unwrap().unwrap();
        for period in [&day, &day[..7]] {
            assert_eq!(usage::usage_differences(&db, period).await.unwrap(), []);
        }
        let used = usage::by_model(&db, usage::Range::default()).await.unwrap();
        assert_eq!(used.len(), 18);
    }
}

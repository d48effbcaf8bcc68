//! What the database knows: a witness of every end, the rows as they are, and a recount of everything that is kept.

use anyhow::Result;
use shared_core::{
    Db,
    db::{Row, Statement},
    params,
};

/// An update that ended a row, or that changed one that had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Id of an execution or of a job.
    pub(super) id: String,
    pub(super) attempt: u32,
    /// The status before and after.
    pub(super) from: String,
    pub(super) to: String,
}

/// An execution or an embedding as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExecutionRow {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) attempts: u32,
    pub(super) result: Option<String>,
}

/// A webhook delivery as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobRow {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) attempts: u32,
    pub(super) execution: String,
    /// Id of the destination's setting.
    pub(super) destination: String,
}

/// Everything that is read after the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) ends: Vec<End>,
    pub(super) executions: Vec<ExecutionRow>,
    pub(super) embeddings: Vec<ExecutionRow>,
    pub(super) jobs: Vec<JobRow>,
    /// Rows in which kept numbers and a recount differ.
    pub(super) differences: Vec<String>,
    /// Rows that are still on their way, or hold something that they should have given back.
    pub(super) leftovers: Vec<String>,
}

/// Watches the two tables from inside the transactions themselves: whatever ends a row leaves a line, and so does
/// whatever touches the outcome of a row that has ended.
const WITNESS: [&str; 3] = [
    "CREATE TABLE chaos_ends (number INTEGER PRIMARY KEY, id TEXT NOT NULL, attempt INTEGER NOT NULL,
        before TEXT NOT NULL, after TEXT NOT NULL)",
    "CREATE TRIGGER chaos_execution_ends AFTER UPDATE ON executions
        WHEN (NEW.status IN ('completed', 'failed') AND OLD.status NOT IN ('completed', 'failed'))
            OR (OLD.status IN ('completed', 'failed') AND (NEW.status <> OLD.status OR NEW.data <> OLD.data
                OR NEW.completed_at <> OLD.completed_at OR NEW.attempt <> OLD.attempt))
        BEGIN
            INSERT INTO chaos_ends (id, attempt, before, after) VALUES (NEW.id, NEW.attempt, OLD.status, NEW.status);
        END",
    "CREATE TRIGGER chaos_job_ends AFTER UPDATE ON jobs
        WHEN (NEW.status IN ('completed', 'failed', 'terminated')
                AND OLD.status NOT IN ('completed', 'failed', 'terminated'))
            OR (OLD.status IN ('completed', 'failed', 'terminated') AND (NEW.status <> OLD.status
                OR NEW.data <> OLD.data OR NEW.completed_at <> OLD.completed_at OR NEW.attempts <> OLD.attempts))
        BEGIN
            INSERT INTO chaos_ends (id, attempt, before, after) VALUES (NEW.id, NEW.attempts, OLD.status, NEW.status);
        END",
];

/// What is kept, and the query that counts it again; both give one text per row.
const RECOUNTS: [(&str, &str, &str); 3] = [
    (
        "execution_counts",
        "SELECT prompt_id || ' ' || provider || ' ' || status || ' ' || starred || ': ' || sum(n) AS line
            FROM execution_counts GROUP BY prompt_id, provider, status, starred HAVING sum(n) <> 0",
        "SELECT COALESCE(prompt_id, '') || ' ' || provider || ' ' || status || ' ' || starred || ': ' || count(*) AS line
            FROM executions GROUP BY COALESCE(prompt_id, ''), provider, status, starred",
    ),
    (
        "usage_sums",
        "SELECT period || 'T' || hour || ' ' || provider || ' ' || model || ': ' || executions || ', ' || input_tokens || ', '
            || output_tokens AS line FROM usage_hours WHERE unit = 'day'",
        "SELECT substr(completed_at, 1, 13) || ' ' || provider || ' ' || model || ': ' || count(*) || ', '
            || sum(COALESCE(json_extract(data, '$.input_tokens_used'), 0)) || ', '
            || sum(COALESCE(json_extract(data, '$.output_tokens_used'), 0)) AS line
            FROM executions WHERE status = 'completed' GROUP BY substr(completed_at, 1, 13), provider, model",
    ),
    (
        "usage_events",
        "SELECT completed_at || ' ' || execution_id || ' ' || provider || ' ' || model || ': ' || input_tokens || ', '
            || output_tokens AS line FROM usage_events",
        "SELECT completed_at || ' ' || id || ' ' || provider || ' ' || model || ': '
            || COALESCE(json_extract(data, '$.input_tokens_used'), 0) || ', '
            || COALESCE(json_extract(data, '$.output_tokens_used'), 0) AS line
            FROM executions WHERE status = 'completed'",
    ),
];

const LEFTOVERS: &str = "
    SELECT 'execution ' || id || ' is ' || status || ', attempt ' || attempt
        || COALESCE(', dispatched at ' || dispatched_at, '') || COALESCE(', leased until ' || lease_until, '')
        || COALESCE(', next attempt at ' || next_attempt_at, '') || COALESCE(' (' || last_error || ')', '') AS line
    FROM executions
    WHERE status NOT IN ('completed', 'failed') OR dispatched_at IS NOT NULL OR lease_until IS NOT NULL
    UNION ALL
    SELECT type || ' ' || id || ' is ' || status || ', attempt ' || attempts
        || COALESCE(', announced at ' || announced_at, '') || COALESCE(', leased until ' || lease_until, '')
        || COALESCE(', next attempt at ' || next_retry_at, '') || COALESCE(' (' || json_extract(data, '$.error') || ')', '')
    FROM jobs
    WHERE status NOT IN ('completed', 'failed', 'terminated') OR lease_until IS NOT NULL OR announced_at IS NOT NULL";

/// Puts the witness into the database of a system that has just started.
pub(super) async fn watch(db: &Db) -> Result<()> {
    db.write(WITNESS.map(|sql| Statement::new(sql, params![])).into()).await?;
    Ok(())
}

/// Reads everything.
pub(super) async fn collect(db: &Db) -> Result<Facts> {
    let ends = "SELECT id, attempt, before, after FROM chaos_ends ORDER BY number";
    let executions = "SELECT id, status, attempt, json_extract(data, '$.result') AS result FROM executions ORDER BY id";
    let jobs = "SELECT id, status, attempts, json_extract(data, '$.data.data.executionId') AS execution,
            json_extract(data, '$.data.webhookId') AS destination
        FROM jobs WHERE type = 'webhook-delivery' ORDER BY id";
    // As the provider would have said it: its vectors hold the number of the call.
    let embeddings = "SELECT id, status, attempts AS attempt, 'Answer ' || (
            SELECT CAST(json_extract(vectors, '$[0][0]') AS INTEGER) FROM embedding_results WHERE job_id = id
        ) || ' to ' || json_extract(data, '$.data.inputs') AS result
        FROM jobs WHERE type = 'generate-embedding' ORDER BY id";
    let read_row = |row: &Row| {
        let (status, attempts) = (row.get("status")?, row.get("attempt")?);
        Ok(ExecutionRow { id: row.get("id")?, status, attempts, result: row.get("result")? })
    };
    Ok(Facts {
        ends: rows(db, ends, |row| {
            Ok(End {
                id: row.get("id")?,
                attempt: row.get("attempt")?,
                from: row.get("before")?,
                to: row.get("after")?,
            })
        })
        .await?,
        executions: rows(db, executions, read_row).await?,
        embeddings: rows(db, embeddings, read_row).await?,
        jobs: rows(db, jobs, |row| {
            let (status, attempts, execution) = (row.get("status")?, row.get("attempts")?, row.get("execution")?);
            Ok(JobRow { id: row.get("id")?, status, attempts, execution, destination: row.get("destination")? })
        })
        .await?,
        differences: differences(db).await?,
        leftovers: rows(db, LEFTOVERS, |row| Ok(row.get("line")?)).await?,
    })
}

async fn differences(db: &Db) -> Result<Vec<String>> {
    let mut differences = vec![];
    for (name, kept, counted) in RECOUNTS {
        for (what, left, right) in [("holds", kept, counted), ("lacks", counted, kept)] {
            let sql = format!("SELECT line FROM ({left}) EXCEPT SELECT line FROM ({right})");
            let lines = rows(db, sql, |row| Ok(row.get::<String>("line")?)).await?;
            differences.extend(lines.into_iter().map(|line| format!("{name} {what} {line}")));
        }
    }
    Ok(differences)
}

async fn rows<T>(db: &Db, sql: impl Into<String>, read: impl Fn(&Row) -> Result<T>) -> Result<Vec<T>> {
    db.read(sql.into(), params![]).await?.rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use shared_core::{config::DatabaseConfig, migrations};

    use super::*;

    async fn database() -> (Db, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
        migrations::migrate(&db).await.unwrap();
        watch(&db).await.unwrap();
        (db, folder)
    }

    async fn run(db: &Db, sql: &'static str) {
        db.write(vec![Statement::new(sql, params![])]).await.unwrap();
    }

    const INSERT: &str = r#"INSERT INTO executions (id, created_at, updated_at, provider, model, data)
        VALUES ('e', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 'ollama', 'm',
            '{"provider": "ollama", "model": "m", "webhookDestinationIds": ["d"]}')"#;
    const COMPLETE: &str = r#"UPDATE executions SET status = 'completed', attempt = 1,
        completed_at = '2026-01-01T00:00:01.000Z', data = json_patch(data, '{"result": "x", "input_tokens_used": 3}')"#;

    #[tokio::test]
    async fn every_end_and_every_later_change_is_witnessed() {
        let (db, _folder) = database().await;
        run(&db, INSERT).await;
        run(&db, "UPDATE executions SET status = 'running', attempt = 1").await;
        run(&db, COMPLETE).await;
        run(&db, "UPDATE executions SET updated_at = '2026-01-02T00:00:00.000Z'").await;
        let facts = collect(&db).await.unwrap();
        let end =
            |from: &str, to: &str| End { id: "e".to_owned(), attempt: 1, from: from.to_owned(), to: to.to_owned() };
        assert_eq!(facts.ends, [end("running", "completed")]);
        run(&db, "UPDATE executions SET data = json_set(data, '$.result', 'another')").await;
        assert_eq!(collect(&db).await.unwrap().ends[1..], [end("completed", "completed")]);
        run(&db, "UPDATE executions SET status = 'pending'").await;
        assert_eq!(collect(&db).await.unwrap().ends[2..], [end("completed", "pending")]);
        assert_eq!(facts.executions[0].result.as_deref(), Some("x"));
        assert_eq!((facts.jobs[0].execution.as_str(), facts.jobs[0].destination.as_str()), ("e", "d"));
    }

    #[tokio::test]
    async fn kept_numbers_are_compared_with_a_recount() {
        let (db, _folder) = database().await;
        run(&db, INSERT).await;
        run(&db, COMPLETE).await;
        assert_eq!(collect(&db).await.unwrap().differences, Vec::<String>::new());
        for (spoil, table) in [
            ("UPDATE execution_counts SET n = n + 1 WHERE status = 'completed'", "execution_counts"),
            (r#"UPDATE usage_sums SET hours = '{"00": [1, 4, 0]}'"#, "usage_sums"),
            ("DELETE FROM usage_events", "usage_events"),
        ] {
            run(&db, spoil).await;
            let differences = collect(&db).await.unwrap().differences;
            assert!(differences.iter().any(|line| line.starts_with(table)), "{spoil}: {differences:?}");
        }
    }

    #[tokio::test]
    async fn what_is_still_on_its_way_is_listed() {
        let (db, _folder) = database().await;
        run(&db, INSERT).await;
        run(&db, "UPDATE executions SET dispatched_at = '2026-01-01T00:00:00.000Z'").await;
        let leftovers = collect(&db).await.unwrap().leftovers;
        assert_eq!(leftovers, ["execution e is pending, attempt 0, dispatched at 2026-01-01T00:00:00.000Z"]);
        run(&db, COMPLETE).await;
        let leftovers = collect(&db).await.unwrap().leftovers;
        assert_eq!(leftovers.len(), 2, "a place that was not given back, and a webhook: {leftovers:?}");
        run(&db, "UPDATE executions SET dispatched_at = NULL").await;
        run(&db, "UPDATE jobs SET status = 'completed'").await;
        assert_eq!(collect(&db).await.unwrap().leftovers, Vec::<String>::new());
    }
}

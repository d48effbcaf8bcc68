//! How the database finds what each operation asks for: by an index, without walking through tables that grow and without
//! sorting. `walk` calls every operation over a server that remembers the SQL, and each statement is explained here.
//!
//! What is not served like that is listed with its reason in `EXCEPTIONS`.

mod walk;

use std::collections::BTreeSet;

use shared_core::{
    Db,
    config::DatabaseConfig,
    db::{Statement, Value},
    migrations,
};
use shared_http::access::RULES;
use tests::TestApp;

/// A step of a plan that is all right although it walks or sorts.
struct Exception {
    /// A part of the statement.
    sql: &'static str,
    /// A part of the step.
    step: &'static str,
}

const fn exception(sql: &'static str, step: &'static str) -> Exception {
    Exception { sql, step }
}

const SORTS: &str = "USE TEMP B-TREE";

const EXCEPTIONS: &[Exception] = &[
    // A page of at most a thousand rows is chosen by an index and then put into its order.
    exception("WHERE e.seq IN (SELECT seq FROM executions ", SORTS),
    exception("FROM jobs WHERE id IN (\n", SORTS),
    // What is asked for by ids, as many as a request can name.
    exception("SELECT DISTINCT value FROM json_each(", SORTS),
    // Substrings have no index. The tables grow with what people write; of jobs, narrow columns are read.
    exception("instr(lower(", "SCAN"),
    exception("instr(lower(", SORTS),
    // Drop-downs and lists that show everything, as the contract wants; people made what they show.
    exception("FROM prompts WHERE true ORDER BY", "SCAN prompts USING INDEX"),
    exception("FROM test_data_groups WHERE true ORDER BY", "SCAN test_data_groups USING INDEX"),
    exception("FROM files ORDER BY name", "SCAN files USING INDEX"),
    exception("FROM settings WHERE true ORDER BY", "SCAN settings USING INDEX"),
    // How many there are of what people made.
    exception("SELECT count(*) AS n FROM", "USING COVERING INDEX"),
    // Sums by model over the months and days of a range, and over the executions of the hours at its edges.
    exception("CROSS JOIN usage_sums", SORTS),
    exception("CROSS JOIN usage_events", SORTS),
    // Maintenance compares a day with its executions, and a month with its days.
    exception("FROM usage_events WHERE completed_at >= ?2", SORTS),
    exception("FROM usage_hours WHERE unit = 'day'", SORTS),
    // Totals by provider, status and star: a few dozen rows.
    exception("FROM execution_totals", "SCAN execution_totals"),
    exception("FROM job_counts", "SCAN job_counts"),
    // Deleting a destination looks for it in every deployment.
    exception("UPDATE deployments SET revision = revision + 1", "SCAN deployments"),
    exception("UPDATE deployment_embeddings SET revision = revision + 1", "SCAN deployment_embeddings"),
    // Pages of the audit log that are read from its end are turned round.
    exception(") AS entry LEFT JOIN users", SORTS),
    // Maintenance compares a portion of counters with what they count, read from an index alone, and totals with all
    // counters, of which there are some dozen for each month of a prompt.
    exception("0 AS counted FROM execution_counts WHERE prompt_id = ?1", SORTS),
    exception("0 AS counted FROM job_counts WHERE type = ?1", SORTS),
    exception("FROM executions WHERE prompt_id IS ?3", SORTS),
    exception("FROM jobs WHERE type IS ?3", SORTS),
    exception("FROM execution_totals\n", "SCAN execution_counts"),
    exception("FROM execution_totals\n", SORTS),
    exception("sum(n) FROM execution_counts GROUP BY", "SCAN execution_counts"),
    exception("sum(n) FROM execution_counts GROUP BY", SORTS),
];

/// Statements that are sent with every execution, and the step that must be in their plan.
const HOT: &[(&str, &str)] = &[
    (
        "UPDATE executions SET dispatched_at = ?2 WHERE id IN (SELECT id FROM executions",
        "executions_waiting (provider=?",
    ),
    ("SET status = 'running', attempt = attempt + 1, lease_until = ?4", "executions_waiting (provider=?"),
    (
        "SET status = 'running', attempt = attempt + 1, lease_until = ?4",
        "settings_identifier (type=? AND identifier=?)",
    ),
    ("SET status = 'running', attempt = attempt + 1, lease_until = ?3", "(id=?)"),
    ("UPDATE executions SET status = ?3, data = json_patch(data, ?4)", "(id=?)"),
    ("SET status = 'failed', dispatched_at = NULL", "executions_leases (lease_until<?)"),
    ("UPDATE executions SET dispatched_at = NULL, lease_until = NULL WHERE id IN (", "executions_occupying"),
    ("UPDATE executions SET dispatched_at = ?1", "executions_occupying"),
    ("SELECT value AS provider FROM json_each(?1)", "executions_waiting (provider=?"),
    (
        "COALESCE((SELECT max(turn) FROM executions",
        "executions_waiting_of_prompt (provider=? AND priority=? AND prompt_id=?",
    ),
    ("DELETE FROM executions WHERE id IN", "executions_completed (completed_at<?)"),
    ("FROM executions WHERE prompt_id IS ?3", "COVERING INDEX executions_prompt_created (prompt_id=? AND created_at>?"),
    ("FROM executions WHERE prompt_id IS ?1", "COVERING INDEX executions_prompt_created (prompt_id=? AND created_at>?"),
    ("FROM jobs WHERE type IS ?3", "COVERING INDEX jobs_type_created (type=? AND created_at>?"),
    ("UPDATE jobs SET announced_at = ?2", "jobs_due (type=?"),
    ("UPDATE jobs SET announced_at = NULL\n", "jobs_announced (announced_at<?)"),
    ("UPDATE jobs SET status = 'retrying'", "jobs_status_"),
    ("UPDATE jobs SET status = 'running'", "(id=?)"),
    ("WHERE k.key_digest = ?1", "api_keys_digest (key_digest=?)"),
    ("FROM comments WHERE prompt_id = ?1", "comments_of_prompt (prompt_id=?)"),
    ("FROM prompts WHERE true ORDER BY created_at", "prompts_newest"),
    ("FROM test_data_items WHERE group_id = ?1 ORDER BY updated_at", "test_data_items_changed (group_id=?)"),
];

/// The steps of a statement's plan.
async fn plan(db: &Db, sql: &str) -> Vec<String> {
    let numbers = sql.split('?').skip(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let parameters = numbers.filter_map(|number| number.parse::<usize>().ok()).max().unwrap_or(0);
    let rows = db.read(format!("EXPLAIN QUERY PLAN {sql}"), vec![Value::Null; parameters]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}")).rows;
    rows.iter().map(|row| row.get("detail").expect("a text")).collect()
}

/// Whether a step walks through a table or sorts. Walking along an index is all right while a limit ends it, and so is
/// walking through what other steps of the plan have found.
fn is_suspect(sql: &str, step: &str, steps: &[String]) -> bool {
    let Some(scanned) = step.strip_prefix("SCAN ") else { return step.starts_with(SORTS) };
    let is_table_function = step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW");
    let walks_an_index = step.contains(" INDEX ") && sql.contains("LIMIT ");
    let found = ["CO-ROUTINE", "MATERIALIZE"].map(|made| format!("{made} {scanned}"));
    !is_table_function && !walks_an_index && !steps.iter().any(|step| found.contains(step))
}

/// No transaction marks, and nothing of migrations: what they send ends with a semicolon.
fn is_about_data(sql: &str) -> bool {
    let is_data = ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb));
    let is_about_schema = ["schema_migrations", "sqlite_master"].iter().any(|table| sql.contains(table));
    is_data && !is_about_schema && !sql.trim_end().ends_with(';')
}

/// The statements of every operation, job and maintenance round.
async fn statements() -> BTreeSet<String> {
    let (app, token, _queue, server) = TestApp::at_server().await;
    let walked = Box::pin(walk::everything(&app, token)).await;
    let all: BTreeSet<(String, String)> =
        RULES.iter().map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
    let forgotten: Vec<_> = all.difference(&walked).collect();
    assert!(forgotten.is_empty(), "these operations are not walked in tests/api/query_plans/walk.rs: {forgotten:?}");
    server.statements().into_iter().filter(|sql| is_about_data(sql)).collect()
}

/// What is wrong with the plans of these statements, and which exceptions nobody needs.
async fn judge(db: &Db, statements: &BTreeSet<String>) -> Vec<String> {
    let (mut faults, mut used) = (Vec::new(), BTreeSet::new());
    for sql in statements {
        if sql.contains("LIMIT ?") {
            faults.push(format!("planned anew for each value behind LIMIT, for want of a plus sign:\n  {sql}"));
        }
        let steps = plan(db, sql).await;
        for step in steps.iter().filter(|step| is_suspect(sql, step, &steps)) {
            let allowed = EXCEPTIONS.iter().position(|one| sql.contains(one.sql) && step.contains(one.step));
            match allowed {
                Some(number) => _ = used.insert(number),
                None => faults.push(format!("{step}\n  in {steps:?}\n  of {sql}")),
            }
        }
        for (_, wanted) in HOT.iter().filter(|(part, _)| sql.contains(part)) {
            if !steps.iter().any(|step| step.contains(wanted)) {
                faults.push(format!("not by {wanted}: {steps:?}\n  of {sql}"));
            }
        }
        if let Some(wanted) = index_of_list(sql)
            && !steps.iter().any(|step| step.contains(&format!("COVERING INDEX {wanted}")))
        {
            faults.push(format!("not by {wanted} alone: {steps:?}\n  of {sql}"));
        }
    }
    let unused = EXCEPTIONS.iter().enumerate().filter(|(number, _)| !used.contains(number));
    faults.extend(unused.map(|(_, one)| format!("nobody needs the exception \"{}\" for \"{}\"", one.step, one.sql)));
    let unseen = HOT.iter().filter(|(part, _)| !statements.iter().any(|sql| sql.contains(part)));
    faults.extend(unseen.map(|(part, _)| format!("nobody sent \"{part}\"")));
    faults
}

/// The index that a list of executions names, and must be read from alone.
fn index_of_list(sql: &str) -> Option<String> {
    let (_, named) = sql.split_once("e.seq IN (SELECT seq FROM executions INDEXED BY ")?;
    named.split_once(" WHERE").map(|(index, _)| index.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_is_served_by_an_index() {
    let statements = statements().await;
    // A file and a server plan alike, because neither has statistics. So what was seen at the server is explained over a
    // file of the same schema.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::new(&DatabaseConfig::File(folder.path().join("plans.db")));
    migrations::migrate(&db).await.expect("migrations apply");
    let faults = judge(&db, &statements).await;
    assert!(faults.is_empty(), "{} of {} statements:\n{}", faults.len(), statements.len(), faults.join("\n"));

    // And this test notices when an index is lost.
    for index in ["deployments_changed", "comments_of_execution", "files_sized"] {
        let sql = "SELECT sql FROM sqlite_master WHERE name = ?1";
        let rows = db.read(sql, vec![index.into()]).await.expect("the database answers");
        let again: String = rows.first().expect("the index exists").get("sql").expect("a text");
        db.write(vec![Statement::new(format!("DROP INDEX {index}"), vec![])]).await.expect("it can be dropped");
        assert!(!judge(&db, &statements).await.is_empty(), "nobody missed {index}");
        db.write(vec![Statement::new(again, vec![])]).await.expect("it can be made again");
    }
}

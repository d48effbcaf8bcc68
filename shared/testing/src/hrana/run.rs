//! Runs the requests of a pipeline and the steps of a batch on their stream.

use std::sync::Arc;

use libsql::Statement;
use serde_json::{Value, json};

use super::{
    State,
    answer::Refusal,
    lock, sql,
    streams::{self, Stream},
    wire::{
        Batch, Col, Condition, CursorBody, PipelineBody, SqlError, SqlText, Stmt, StmtResult, StreamRequest, WireValue,
    },
};

/// Answers a pipeline: one result for each request, and the baton for the next pipeline.
pub(super) async fn pipeline(state: Arc<State>, body: PipelineBody) -> Result<Value, Refusal> {
    let mut stream = stream_of(&state, body.baton.as_deref()).await?;
    note(&state, body.requests.iter().flat_map(StreamRequest::statements));
    let (mut results, mut is_open) = (Vec::new(), true);
    for request in body.requests {
        is_open = is_open && !matches!(request, StreamRequest::Close);
        match run_request(&mut stream, request).await {
            Ok(Ok(response)) => results.push(json!({"type": "ok", "response": response})),
            Ok(Err(error)) => results.push(json!({"type": "error", "error": error})),
            Err(refusal) => {
                lock(&state.streams).close(&stream);
                return Err(refusal);
            }
        }
    }
    let baton = if is_open {
        Some(lock(&state.streams).give_back(stream))
    } else {
        lock(&state.streams).close(&stream);
        None
    };
    Ok(json!({"baton": baton, "base_url": null, "results": results}))
}

/// Answers a batch as lines: the head, then what each step gave.
pub(super) async fn cursor(state: Arc<State>, body: CursorBody) -> Result<Vec<Value>, Refusal> {
    let stream = stream_of(&state, body.baton.as_deref()).await?;
    note(&state, body.batch.statements());
    let outcome = run_steps(&stream, body.batch).await;
    let baton = lock(&state.streams).give_back(stream);
    let mut lines = vec![json!({"baton": baton, "base_url": null})];
    for (step, result) in outcome?.into_iter().enumerate() {
        match result {
            None => {}
            Some(Err(error)) => lines.push(json!({"type": "step_error", "step": step, "error": error})),
            Some(Ok(result)) => {
                lines.push(json!({"type": "step_begin", "step": step, "cols": result.cols}));
                lines.extend(result.rows.iter().map(|row| json!({"type": "row", "row": row})));
                // A number here, unlike everywhere else.
                let rowid = result.last_insert_rowid.and_then(|rowid| rowid.parse::<i64>().ok());
                let affected = result.affected_row_count;
                lines.push(json!({"type": "step_end", "affected_row_count": affected, "last_insert_rowid": rowid}));
            }
        }
    }
    lines.push(json!({"type": "replication_index", "replication_index": null}));
    Ok(lines)
}

/// Remembers the texts of statements; those that refer to a stored text have none.
fn note<'a>(state: &State, statements: impl Iterator<Item = &'a Stmt>) {
    lock(&state.statements).extend(statements.filter_map(|statement| statement.text.sql.clone()));
}

async fn stream_of(state: &State, baton: Option<&str>) -> Result<Stream, Refusal> {
    let known = lock(&state.streams).take(baton)?;
    match known {
        Some(stream) => Ok(stream),
        None => streams::open(&state.streams, &state.path).await,
    }
}

/// The outer result is the fate of the whole HTTP request.
async fn run_request(stream: &mut Stream, request: StreamRequest) -> Result<Result<Value, SqlError>, Refusal> {
    Ok(match request {
        StreamRequest::Execute { stmt } => {
            let result = run_statement(stream, stmt).await?;
            result.map(|result| json!({"type": "execute", "result": result}))
        }
        StreamRequest::Batch { batch } => {
            let steps = run_steps(stream, batch).await?;
            let errors: Vec<_> = steps.iter().map(|step| step.as_ref().and_then(|step| step.as_ref().err())).collect();
            let results: Vec<_> = steps.iter().map(|step| step.as_ref().and_then(|step| step.as_ref().ok())).collect();
            Ok(json!({"type": "batch", "result": {"step_results": results, "step_errors": errors}}))
        }
        StreamRequest::Sequence(text) => {
            let sql = resolve(stream, text)?;
            let outcome = stream.connection.execute_batch(&sql).await;
            outcome.map(|_| json!({"type": "sequence"})).map_err(SqlError::of_running)
        }
        StreamRequest::Describe(text) => {
            let sql = resolve(stream, text)?;
            describe(stream, &sql).await
        }
        StreamRequest::StoreSql { sql_id, sql } => {
            stream.texts.insert(sql_id, sql);
            Ok(json!({"type": "store_sql"}))
        }
        StreamRequest::CloseSql { sql_id } => {
            stream.texts.remove(&sql_id);
            Ok(json!({"type": "close_sql"}))
        }
        StreamRequest::GetAutocommit => {
            Ok(json!({"type": "get_autocommit", "is_autocommit": stream.connection.is_autocommit()}))
        }
        StreamRequest::Close => Ok(json!({"type": "close"})),
    })
}

/// What became of a step; `None` when its condition did not hold.
type StepOutcome = Option<Result<StmtResult, SqlError>>;

async fn run_steps(stream: &Stream, batch: Batch) -> Result<Vec<StepOutcome>, Refusal> {
    let mut outcomes: Vec<StepOutcome> = Vec::with_capacity(batch.steps.len());
    for step in batch.steps {
        let runs = match &step.condition {
            Some(condition) => holds(stream, condition, &outcomes)?,
            None => true,
        };
        outcomes.push(if runs { Some(run_statement(stream, step.stmt).await?) } else { None });
    }
    Ok(outcomes)
}

fn holds(stream: &Stream, condition: &Condition, outcomes: &[StepOutcome]) -> Result<bool, Refusal> {
    let succeeded = |step: usize| {
        let outcome = outcomes.get(step).map(|outcome| matches!(outcome, Some(Ok(_))));
        outcome.ok_or_else(|| Refusal::protocol("Invalid reference to step in a batch condition"))
    };
    let each = |conditions: &[Condition]| -> Result<Vec<bool>, Refusal> {
        conditions.iter().map(|condition| holds(stream, condition, outcomes)).collect()
    };
    Ok(match condition {
        Condition::Ok { step } => succeeded(*step)?,
        Condition::Error { step } => !succeeded(*step)?,
        Condition::Not { cond } => !holds(stream, cond, outcomes)?,
        Condition::And { conds } => each(conds)?.iter().all(|holds| *holds),
        Condition::Or { conds } => each(conds)?.iter().any(|holds| *holds),
        Condition::IsAutocommit => stream.connection.is_autocommit(),
    })
}

fn resolve(stream: &Stream, text: SqlText) -> Result<String, Refusal> {
    match (text.sql, text.sql_id) {
        (Some(sql), None) => Ok(sql),
        (None, Some(id)) => {
            stream.texts.get(&id).cloned().ok_or_else(|| Refusal::protocol(format!("SQL text {id} not found")))
        }
        _ => Err(Refusal::protocol("Either `sql` or `sql_id` are required, but not both")),
    }
}

async fn run_statement(stream: &Stream, mut stmt: Stmt) -> Result<Result<StmtResult, SqlError>, Refusal> {
    let text = std::mem::replace(&mut stmt.text, SqlText { sql: None, sql_id: None });
    let sql = resolve(stream, text)?;
    Ok(run_sql(stream, &sql, stmt).await)
}

async fn run_sql(stream: &Stream, sql: &str, stmt: Stmt) -> Result<StmtResult, SqlError> {
    let connection = &stream.connection;
    let wants_rows = stmt.want_rows.unwrap_or(true);
    let prepared = prepare(stream, sql).await?;
    let params = parameters(&prepared, stmt)?;
    let changes_before = connection.total_changes();
    let mut cursor = prepared.query(params).await.map_err(SqlError::of_running)?;
    let mut rows = Vec::new();
    while let Some(row) = cursor.next().await.map_err(SqlError::of_running)? {
        let values = (0..row.column_count()).map(|index| row.get_value(index).map(WireValue::of));
        rows.push(values.collect::<Result<Vec<_>, _>>().map_err(SqlError::of_running)?);
    }
    // `changes` keeps the number of the last writing statement, so it counts only when this one wrote.
    let has_changed = connection.total_changes() != changes_before;
    let is_insert = matches!(sql::verb(sql).as_str(), "INSERT" | "REPLACE");
    Ok(StmtResult {
        cols: columns(&prepared),
        rows: if wants_rows { rows } else { Vec::new() },
        affected_row_count: if has_changed { connection.changes() } else { 0 },
        last_insert_rowid: is_insert.then(|| connection.last_insert_rowid().to_string()),
    })
}

async fn prepare(stream: &Stream, sql: &str) -> Result<Statement, SqlError> {
    sql::check(sql)?;
    stream.connection.prepare(sql).await.map_err(SqlError::of_preparing)
}

/// One value for each parameter of the statement, by position or by name.
fn parameters(prepared: &Statement, stmt: Stmt) -> Result<Vec<libsql::Value>, SqlError> {
    if !stmt.args.is_empty() && !stmt.named_args.is_empty() {
        let message = "Specifying both positional and named arguments is not supported";
        return Err(SqlError::new("ARGS_BOTH_POSITIONAL_AND_NAMED", message));
    }
    let (expected, found) = (prepared.parameter_count(), stmt.args.len() + stmt.named_args.len());
    if found > expected {
        return Err(SqlError::bad_argument(format!("too many parameters, expected {expected} found {found}")));
    }
    let bare = |name: &str| name.trim_start_matches([':', '@', '$']).to_owned();
    let value = |index: usize| {
        let by_name = i32::try_from(index + 1)
            .ok()
            .and_then(|number| prepared.parameter_name(number))
            .and_then(|name| stmt.named_args.iter().find(|arg| bare(&arg.name) == bare(name)).map(|arg| &arg.value));
        let value = by_name.or_else(|| stmt.args.get(index)).cloned();
        value.ok_or_else(|| SqlError::bad_argument(format!("value for parameter {} not found", index + 1)))?.into_sql()
    };
    (0..expected).map(value).collect()
}

fn columns(prepared: &Statement) -> Vec<Col> {
    let column = |column: libsql::Column<'_>| Col {
        name: column.name().to_owned(),
        decltype: column.decl_type().map(str::to_owned),
    };
    prepared.columns().into_iter().map(column).collect()
}

async fn describe(stream: &Stream, text: &str) -> Result<Value, SqlError> {
    let prepared = prepare(stream, text).await?;
    let numbers = 1..=i32::try_from(prepared.parameter_count()).unwrap_or(i32::MAX);
    let params: Vec<Value> = numbers.map(|number| json!({"name": prepared.parameter_name(number)})).collect();
    // The library does not tell, so the first word must do.
    let verb = sql::verb(text);
    let is_readonly = matches!(verb.as_str(), "SELECT" | "VALUES" | "EXPLAIN" | "PRAGMA");
    let result = json!({
        "params": params,
        "cols": columns(&prepared),
        "is_explain": verb == "EXPLAIN",
        "is_readonly": is_readonly,
    });
    Ok(json!({"type": "describe", "result": result}))
}

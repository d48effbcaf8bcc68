//! SQL over HTTP, as libSQL servers speak it (Hrana 3).
//!
//! A piece of work is one request: it opens a stream, runs one batch on it and closes it. So nothing stays behind on the
//! server: no stream that counts against its limit, expires, or is lost in a restart.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use reqwest::{Client, Response, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Row, Rows, Statement, Value};
use crate::{outbound, secret::Secret};

/// How long an unused connection is kept. Gateways close theirs later than this.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// Base64 as the protocol has it: without padding, and read with padding too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a request brought no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// It could not be made: the address or the token cannot be sent.
    #[error("the request cannot be made: {0}")]
    Unsendable(String),
    /// There was no connection to send it on.
    #[error("no connection to the database server: {0}")]
    Unreachable(String),
    /// It was sent, and its answer is missing or not whole.
    #[error("no answer from the database server: {0}")]
    Lost(String),
    /// The server refused it as a whole.
    #[error("HTTP status {status}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused { status: StatusCode, message: String },
    /// A statement failed, and with it the rest of the batch.
    #[error("{message}")]
    Statement {
        message: String,
        /// SQLite's name for it.
        code: String,
        /// Whether the first statement of the batch had found a row.
        first_found: bool,
    },
}

/// A libSQL server. Its client is made at first use.
#[derive(Debug)]
pub(super) struct Server {
    endpoint: String,
    token: Option<Secret>,
    client: OnceLock<Client>,
}

impl Server {
    pub(super) fn new(url: &str, token: Option<Secret>) -> Self {
        let rest = ["libsql://", "turso://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let url = rest.map_or(Cow::Borrowed(url), |rest| Cow::Owned(format!("https://{rest}")));
        let endpoint = format!("{}/v3/pipeline", url.trim_end_matches('/'));
        Self { endpoint, token, client: OnceLock::new() }
    }

    /// Runs the statements one after the other until one fails; `is_atomic` makes all take effect, or none.
    pub(super) async fn run(&self, statements: &[Statement], is_atomic: bool) -> Result<Vec<Rows>, Failure> {
        let batch = Batch::new(statements, is_atomic);
        let requests = [Request::Batch { batch }, Request::Close];
        let body =
            serde_json::to_vec(&Pipeline { requests }).map_err(|error| Failure::Unsendable(error.to_string()))?;
        let mut request = self.client()?.post(&self.endpoint).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let response = request.send().await.map_err(unanswered)?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let body = response.bytes().await.map_err(unanswered)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| Failure::Lost(error.to_string()))?;
        answer.rows(statements.len(), is_atomic)
    }

    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Time-outs are the caller's: it knows how much time all tries together may take.
        let client = outbound::client(|builder| builder.pool_idle_timeout(MAX_IDLE));
        let client = client.map_err(|error| Failure::Unsendable(outbound::root_cause(&error)))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// What a failed exchange means; the address does not belong into texts.
fn unanswered(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let cause = outbound::root_cause(&error);
    if error.is_builder() {
        Failure::Unsendable(cause)
    } else if error.is_connect() {
        Failure::Unreachable(cause)
    } else {
        Failure::Lost(cause)
    }
}

async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let body: Json = response.json().await.unwrap_or_default();
    let message = body["error"].as_str().or(body["message"].as_str()).unwrap_or_default().to_owned();
    Failure::Refused { status, message }
}

#[derive(Serialize)]
struct Pipeline<'a> {
    requests: [Request<'a>; 2],
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Request<'a> {
    Batch { batch: Batch<'a> },
    Close,
}

#[derive(Serialize)]
struct Batch<'a> {
    steps: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    stmt: Stmt<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Condition {
    Ok { step: usize },
    Not { cond: Box<Condition> },
    And { conds: [Box<Condition>; 2] },
}

#[derive(Serialize)]
struct Stmt<'a> {
    sql: &'a str,
    args: Vec<Argument<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Argument<'a> {
    Null,
    /// JSON numbers cannot hold every integer.
    Integer {
        value: String,
    },
    Float {
        value: f64,
    },
    Text {
        value: &'a str,
    },
    Blob {
        base64: String,
    },
}

impl<'a> Batch<'a> {
    /// Each statement runs if the one before it succeeded. An atomic batch begins and commits a transaction around them
    /// and rolls it back when it was begun and not committed.
    fn new(statements: &'a [Statement], is_atomic: bool) -> Self {
        let begin = is_atomic.then(|| Stmt { sql: "BEGIN IMMEDIATE", args: Vec::new() });
        let commit = is_atomic.then(|| Stmt { sql: "COMMIT", args: Vec::new() });
        let stmts = begin.into_iter().chain(statements.iter().map(Stmt::of)).chain(commit);
        let condition = |step: usize| step.checked_sub(1).map(|step| Condition::Ok { step });
        let mut steps: Vec<_> =
            stmts.enumerate().map(|(step, stmt)| Step { condition: condition(step), stmt }).collect();
        if is_atomic {
            let committed = Condition::Ok { step: steps.len() - 1 };
            let conds = [Condition::Ok { step: 0 }, Condition::Not { cond: Box::new(committed) }].map(Box::new);
            let rollback = Stmt { sql: "ROLLBACK", args: Vec::new() };
            steps.push(Step { condition: Some(Condition::And { conds }), stmt: rollback });
        }
        Self { steps }
    }
}

impl<'a> Stmt<'a> {
    fn of(statement: &'a Statement) -> Self {
        Self { sql: &statement.sql, args: statement.params.iter().map(Argument::of).collect() }
    }
}

impl<'a> Argument<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer { value: number.to_string() },
            Value::Real(value) => Self::Float { value: *value },
            Value::Text(value) => Self::Text { value },
            Value::Blob(bytes) => Self::Blob { base64: BASE64.encode(bytes) },
        }
    }
}

/// The answer to a [`Pipeline`].
#[derive(Deserialize)]
struct Answer {
    results: Vec<StreamResult>,
}

#[derive(Deserialize)]
struct StreamResult {
    response: Option<StreamResponse>,
    error: Option<SqlError>,
}

#[derive(Deserialize)]
struct StreamResponse {
    result: Option<BatchResult>,
}

#[derive(Deserialize)]
struct BatchResult {
    step_results: Vec<Option<StmtResult>>,
    step_errors: Vec<Option<SqlError>>,
}

#[derive(Deserialize)]
struct StmtResult {
    cols: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    affected_row_count: u64,
}

#[derive(Deserialize)]
struct Column {
    name: Option<String>,
}

#[derive(Deserialize)]
struct SqlError {
    message: String,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: CellKind,
    #[serde(default)]
    value: Json,
    #[serde(default)]
    base64: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum CellKind {
    Null,
    Integer,
    Float,
    Text,
    Blob,
}

impl Answer {
    /// The rows of each of `count` statements, which stand behind the beginning of a transaction in an atomic batch.
    fn rows(self, count: usize, is_atomic: bool) -> Result<Vec<Rows>, Failure> {
        let incomplete = || Failure::Lost("the answer is not complete".to_owned());
        let outcome = self.results.into_iter().next().ok_or_else(incomplete)?;
        if let Some(error) = outcome.error {
            return Err(error.into_failure(false));
        }
        let BatchResult { step_results, step_errors } =
            outcome.response.and_then(|response| response.result).ok_or_else(incomplete)?;
        let first = usize::from(is_atomic);
        // A rollback that fails as well says nothing new: closing the stream ends its transaction.
        if let Some(error) = step_errors.into_iter().flatten().next() {
            let found = step_results.get(first).and_then(Option::as_ref).is_some_and(|result| !result.rows.is_empty());
            return Err(error.into_failure(found));
        }
        let needed = first + count + usize::from(is_atomic);
        if step_results.iter().take(needed).flatten().count() < needed {
            return Err(incomplete());
        }
        let results = step_results.into_iter().flatten().skip(first).take(count);
        results.map(|result| result.into_rows().ok_or_else(incomplete)).collect()
    }
}

impl SqlError {
    fn into_failure(self, first_found: bool) -> Failure {
        Failure::Statement { message: self.message, code: self.code.unwrap_or_default(), first_found }
    }
}

impl StmtResult {
    fn into_rows(self) -> Option<Rows> {
        // A statement that returns rows counts as 0, as it does locally.
        let affected = if self.cols.is_empty() { self.affected_row_count } else { 0 };
        let columns: Arc<[String]> = self.cols.into_iter().map(|column| column.name.unwrap_or_default()).collect();
        let rows = self.rows.into_iter().map(|cells| {
            let values = cells.into_iter().map(Cell::into_value).collect::<Option<_>>()?;
            Some(Row::new(Arc::clone(&columns), values))
        });
        Some(Rows { rows: rows.collect::<Option<_>>()?, affected })
    }
}

impl Cell {
    fn into_value(self) -> Option<Value> {
        Some(match (self.kind, self.value) {
            (CellKind::Null, _) => Value::Null,
            (CellKind::Integer, Json::String(digits)) => Value::Integer(digits.parse().ok()?),
            // JSON has no word for what is not a number.
            (CellKind::Float, Json::Null) => Value::Real(f64::NAN),
            (CellKind::Float, number) => Value::Real(number.as_f64()?),
            (CellKind::Text, Json::String(text)) => Value::Text(text),
            (CellKind::Blob, _) => Value::Blob(BASE64.decode(self.base64).ok()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;
    use crate::params;

    fn answer(steps: &[Json], errors: &[Json]) -> Answer {
        let result = json!({"step_results": steps, "step_errors": errors});
        let batch = json!({"type": "ok", "response": {"type": "batch", "result": result}});
        let close = json!({"type": "ok", "response": {"type": "close"}});
        from_value(json!({"baton": null, "base_url": null, "results": [batch, close]})).unwrap()
    }

    fn step(affected: u64) -> Json {
        json!({"cols": [], "rows": [], "affected_row_count": affected, "last_insert_rowid": "7"})
    }

    #[test]
    fn an_atomic_batch_is_a_transaction_that_ends_either_way() {
        let statements =
            [Statement::new("DELETE FROM t WHERE x = ?1", params!["ü", 1_i64, None::<String>, vec![1_u8]])];
        let ok = |step: usize| json!({"type": "ok", "step": step});
        let args = json!([
            {"type": "text", "value": "ü"}, {"type": "integer", "value": "1"}, {"type": "null"},
            {"type": "blob", "base64": "AQ"},
        ]);
        let bare = |sql: &str| json!({"sql": sql, "args": []});
        let expected = json!({"steps": [
            {"stmt": bare("BEGIN IMMEDIATE")},
            {"condition": ok(0), "stmt": {"sql": "DELETE FROM t WHERE x = ?1", "args": args}},
            {"condition": ok(1), "stmt": bare("COMMIT")},
            {"condition": {"type": "and", "conds": [ok(0), {"type": "not", "cond": ok(2)}]}, "stmt": bare("ROLLBACK")},
        ]});
        assert_eq!(to_value(Batch::new(&statements, true)).unwrap(), expected);
        let plain = to_value(Batch::new(&statements, false)).unwrap();
        assert_eq!(plain, json!({"steps": [{"stmt": {"sql": "DELETE FROM t WHERE x = ?1", "args": args}}]}));
    }

    #[test]
    fn values_come_with_their_types() {
        for (cell, value) in [
            (json!({"type": "integer", "value": "-9223372036854775808"}), Value::Integer(i64::MIN)),
            (json!({"type": "float", "value": 1.0}), Value::Real(1.0)),
            (json!({"type": "null"}), Value::Null),
            (json!({"type": "text", "value": ""}), Value::Text(String::new())),
            (json!({"type": "blob", "base64": "AQ=="}), Value::Blob(vec![1])),
            (json!({"type": "blob", "base64": "AQ"}), Value::Blob(vec![1])),
        ] {
            assert_eq!(from_value::<Cell>(cell).unwrap().into_value(), Some(value));
        }
    }

    #[test]
    fn only_statements_without_rows_count_changes() {
        let read =
            json!({"cols": [{"name": "n", "decltype": null}], "rows": [], "affected_row_count": 3, "rows_read": 9});
        let rows = answer(&[read, step(2)], &[Json::Null, Json::Null]).rows(2, false).unwrap();
        assert_eq!((rows[0].affected, rows[1].affected), (0, 2));
    }

    #[test]
    fn the_statement_that_failed_says_why() {
        let error = json!({"message": "UNIQUE constraint failed: t.x", "code": "SQLITE_CONSTRAINT"});
        let found = json!({"cols": [{"name": "one"}], "rows": [[{"type": "null"}]], "affected_row_count": 0});
        for (first, first_found) in [(step(1), false), (found, true)] {
            let steps = [step(0), first, Json::Null, Json::Null, step(0)];
            let errors = [Json::Null, Json::Null, error.clone(), Json::Null, Json::Null];
            let failure = answer(&steps, &errors).rows(2, true).unwrap_err();
            let (message, code) = ("UNIQUE constraint failed: t.x".to_owned(), "SQLITE_CONSTRAINT".to_owned());
            assert_eq!(failure, Failure::Statement { message, code, first_found });
        }
    }

    #[test]
    fn an_answer_with_a_gap_counts_as_lost() {
        let none = [Json::Null, Json::Null, Json::Null, Json::Null];
        for steps in [&[step(0), step(1), Json::Null, Json::Null][..], &[step(0), Json::Null, step(0)], &[]] {
            assert!(matches!(answer(steps, &none).rows(1, true), Err(Failure::Lost(_))));
        }
        let odd =
            json!({"cols": [{"name": "i"}], "rows": [[{"type": "integer", "value": 1.5}]], "affected_row_count": 0});
        assert!(matches!(answer(&[odd], &none).rows(1, false), Err(Failure::Lost(_))));
        assert!(matches!(Answer { results: Vec::new() }.rows(0, false), Err(Failure::Lost(_))));
    }

    #[test]
    fn addresses_may_name_the_protocol() {
        for (url, endpoint) in [
            ("libsql://db.example.com", "https://db.example.com/v3/pipeline"),
            ("turso://db.example.com/", "https://db.example.com/v3/pipeline"),
            ("http://localhost:8080/", "http://localhost:8080/v3/pipeline"),
        ] {
            assert_eq!(Server::new(url, None).endpoint, endpoint);
        }
    }
}

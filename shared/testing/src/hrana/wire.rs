//! What travels: requests as they come in, values and errors as they go out.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};

/// Base64 as the protocol has it: written without padding, read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
pub(super) struct PipelineBody {
    pub(super) baton: Option<String>,
    pub(super) requests: Vec<StreamRequest>,
}

#[derive(Deserialize)]
pub(super) struct CursorBody {
    pub(super) baton: Option<String>,
    pub(super) batch: Batch,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum StreamRequest {
    Execute { stmt: Stmt },
    Batch { batch: Batch },
    Sequence(SqlText),
    Describe(SqlText),
    StoreSql { sql_id: i32, sql: String },
    CloseSql { sql_id: i32 },
    GetAutocommit,
    Close,
}

impl StreamRequest {
    /// The statements that it executes.
    pub(super) fn statements(&self) -> Box<dyn Iterator<Item = &Stmt> + '_> {
        match self {
            Self::Execute { stmt } => Box::new(std::iter::once(stmt)),
            Self::Batch { batch } => Box::new(batch.statements()),
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl Batch {
    /// The statements of all steps.
    pub(super) fn statements(&self) -> impl Iterator<Item = &Stmt> {
        self.steps.iter().map(|step| &step.stmt)
    }
}

/// SQL as text, or the number of a stored text.
#[derive(Deserialize)]
pub(super) struct SqlText {
    pub(super) sql: Option<String>,
    pub(super) sql_id: Option<i32>,
}

#[derive(Deserialize)]
pub(super) struct Stmt {
    #[serde(flatten)]
    pub(super) text: SqlText,
    #[serde(default)]
    pub(super) args: Vec<WireValue>,
    #[serde(default)]
    pub(super) named_args: Vec<NamedArg>,
    pub(super) want_rows: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct NamedArg {
    pub(super) name: String,
    pub(super) value: WireValue,
}

#[derive(Deserialize)]
pub(super) struct Batch {
    pub(super) steps: Vec<Step>,
}

#[derive(Deserialize)]
pub(super) struct Step {
    pub(super) condition: Option<Condition>,
    pub(super) stmt: Stmt,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Condition {
    Ok { step: usize },
    Error { step: usize },
    Not { cond: Box<Condition> },
    And { conds: Vec<Condition> },
    Or { conds: Vec<Condition> },
    IsAutocommit,
}

/// A value; integers are text, because JSON numbers cannot hold all of them.
#[derive(Clone, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireValue {
    Null,
    Integer { value: String },
    Float { value: Option<f64> },
    Text { value: String },
    Blob { base64: String },
}

impl WireValue {
    pub(super) fn of(value: libsql::Value) -> Self {
        match value {
            libsql::Value::Null => Self::Null,
            libsql::Value::Integer(number) => Self::Integer { value: number.to_string() },
            libsql::Value::Real(number) => Self::Float { value: number.is_finite().then_some(number) },
            libsql::Value::Text(value) => Self::Text { value },
            libsql::Value::Blob(bytes) => Self::Blob { base64: BASE64.encode(bytes) },
        }
    }

    pub(super) fn into_sql(self) -> Result<libsql::Value, SqlError> {
        Ok(match self {
            Self::Null => libsql::Value::Null,
            Self::Integer { value } => libsql::Value::Integer(value.parse().map_err(SqlError::bad_argument)?),
            Self::Float { value } => value.map_or(libsql::Value::Null, libsql::Value::Real),
            Self::Text { value } => libsql::Value::Text(value),
            Self::Blob { base64 } => libsql::Value::Blob(BASE64.decode(base64).map_err(SqlError::bad_argument)?),
        })
    }
}

#[derive(Serialize)]
pub(super) struct Col {
    pub(super) name: String,
    pub(super) decltype: Option<String>,
}

/// What one statement answered.
#[derive(Serialize)]
pub(super) struct StmtResult {
    pub(super) cols: Vec<Col>,
    pub(super) rows: Vec<Vec<WireValue>>,
    pub(super) affected_row_count: u64,
    pub(super) last_insert_rowid: Option<String>,
}

/// A statement that failed.
#[derive(Debug, Serialize)]
pub(super) struct SqlError {
    message: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_code: Option<&'static str>,
}

impl SqlError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code, extended_code: None }
    }

    pub(super) fn bad_argument(cause: impl std::fmt::Display) -> Self {
        Self::new("ARGS_INVALID", format!("Arguments do not match SQL parameters: {cause}"))
    }

    /// A statement that could not be prepared: sqld tells unknown names and bad syntax from other failures.
    pub(super) fn of_preparing(error: libsql::Error) -> Self {
        match error {
            libsql::Error::SqliteFailure(1, message) if !message.starts_with("no such table") => {
                Self::new("SQL_INPUT_ERROR", format!("SQLite input error: {message}"))
            }
            other => Self::of_running(other),
        }
    }

    pub(super) fn of_running(error: libsql::Error) -> Self {
        match error {
            libsql::Error::SqliteFailure(code, message) => Self {
                message: format!("SQLite error: {message}"),
                code: primary_name(code & 0xff),
                extended_code: constraint_name(code),
            },
            other => Self::new("SQLITE_UNKNOWN", format!("SQLite error: {other}")),
        }
    }
}

fn primary_name(code: i32) -> &'static str {
    const NAMES: [&str; 27] = [
        "SQLITE_UNKNOWN", // 0 is no error, and sqld knows no name for 1
        "SQLITE_UNKNOWN",
        "SQLITE_INTERNAL",
        "SQLITE_PERM",
        "SQLITE_ABORT",
        "SQLITE_BUSY",
        "SQLITE_LOCKED",
        "SQLITE_NOMEM",
        "SQLITE_READONLY",
        "SQLITE_INTERRUPT",
        "SQLITE_IOERR",
        "SQLITE_CORRUPT",
        "SQLITE_NOTFOUND",
        "SQLITE_FULL",
        "SQLITE_CANTOPEN",
        "SQLITE_PROTOCOL",
        "SQLITE_UNKNOWN",
        "SQLITE_SCHEMA",
        "SQLITE_TOOBIG",
        "SQLITE_CONSTRAINT",
        "SQLITE_MISMATCH",
        "SQLITE_MISUSE",
        "SQLITE_NOLFS",
        "SQLITE_AUTH",
        "SQLITE_UNKNOWN",
        "SQLITE_RANGE",
        "SQLITE_NOTADB",
    ];
    usize::try_from(code).ok().and_then(|index| NAMES.get(index)).unwrap_or(&NAMES[0])
}

fn constraint_name(code: i32) -> Option<&'static str> {
    const CONSTRAINT: i32 = 19;
    const NAMES: [&str; 12] = [
        "SQLITE_CONSTRAINT_CHECK",
        "SQLITE_CONSTRAINT_COMMITHOOK",
        "SQLITE_CONSTRAINT_FOREIGNKEY",
        "SQLITE_CONSTRAINT_FUNCTION",
        "SQLITE_CONSTRAINT_NOTNULL",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
        "SQLITE_CONSTRAINT_TRIGGER",
        "SQLITE_CONSTRAINT_UNIQUE",
        "SQLITE_CONSTRAINT_VTAB",
        "SQLITE_CONSTRAINT_ROWID",
        "SQLITE_CONSTRAINT_PINNED",
        "SQLITE_CONSTRAINT_DATATYPE",
    ];
    let extension = usize::try_from(code >> 8).ok()?.checked_sub(1)?;
    if code & 0xff == CONSTRAINT { NAMES.get(extension).copied() } else { None }
}

//! The one error type at the edge, and the only file that turns domain errors into answers.
//!
//! Three shapes exist (contract 1.3): operations answer `{"data": {error, message?, details?}}`, validation answers
//! `{"error": [issues]}`, and what stands before the operation (credentials, routing) a bare `{error, message}`.

use std::fmt;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use shared_core::{
    db::DbError,
    executions::{CreateError, pipeline::CancelError},
    prompts::{CompileError, PromptError},
    settings::SettingError,
    users::{SignInRefused, UserError},
};
use utoipa::ToSchema;

use crate::issue::Issue;

/// A refused or failed request.
#[derive(Debug)]
pub enum ApiError {
    /// 422: path, query or body violate the contract.
    Validation(Vec<Issue>),
    /// An operation refused: 400, 401 (sign-in), 404 or 409.
    Refused(StatusCode, Box<ErrorBody>),
    /// Refused before any operation: 400, 401, 403, 404, 405.
    Gate(StatusCode, BareError),
    /// 500: the cause is logged, not shown.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// What handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

/// Why an operation refused.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Short label, for example `Not Found`.
    pub error: String,
    /// An explanation for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// More about it; schema violations for template compilation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// Errors of operations travel under `data`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The error.
    pub data: ErrorBody,
}

/// Body of every 422.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ValidationErrorEnvelope {
    /// Every issue of the part that failed.
    #[schema(min_items = 1)]
    pub error: Vec<Issue>,
}

/// Body of what is refused before any operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MiddlewareError)]
pub struct BareError {
    /// Short label.
    pub error: String,
    /// An explanation for people.
    pub message: String,
}

impl ApiError {
    /// An operation's refusal with label and explanation.
    pub fn refused(status: StatusCode, error: &str, message: impl fmt::Display) -> Self {
        let body = ErrorBody { error: error.to_owned(), message: Some(message.to_string()), details: None };
        Self::Refused(status, Box::new(body))
    }

    /// 404 `Not Found`.
    pub fn not_found(message: impl fmt::Display) -> Self {
        Self::refused(StatusCode::NOT_FOUND, "Not Found", message)
    }

    /// 400 with a label of its own.
    pub fn bad_request(error: &str, message: impl fmt::Display) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, error, message)
    }

    /// A refusal before any operation.
    pub fn gate(status: StatusCode, message: impl fmt::Display) -> Self {
        let error = status.canonical_reason().unwrap_or("Error").to_owned();
        Self::Gate(status, BareError { error, message: message.to_string() })
    }

    /// 401: credentials are missing, wrong, expired, or belong to nobody who may sign in.
    pub fn unauthorized(message: impl fmt::Display) -> Self {
        Self::gate(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: the caller is known and may not do this.
    pub fn forbidden(message: impl fmt::Display) -> Self {
        Self::gate(StatusCode::FORBIDDEN, message)
    }

    /// 422 with one issue.
    pub fn invalid(issue: Issue) -> Self {
        Self::Validation(vec![issue])
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Validation(error) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Json(ValidationErrorEnvelope { error })).into_response()
            }
            Self::Refused(status, data) => (status, Json(ErrorEnvelope { data: *data })).into_response(),
            Self::Gate(status, body) => (status, Json(body)).into_response(),
            Self::Internal(source) => {
                tracing::error!(error = %source, "request failed");
                internal_error(match source.downcast_ref::<DbError>() {
                    Some(DbError::Unavailable(_)) => "the database is not available at the moment; try again soon",
                    _ => "something went wrong on our side; the request id leads to the log",
                })
            }
        }
    }
}

/// The 500 answer: always with `data`, so that clients can show it (defect R-01).
pub(crate) fn internal_error(message: &str) -> Response {
    let data = ErrorBody { error: "Internal Server Error".into(), message: Some(message.into()), details: None };
    (StatusCode::INTERNAL_SERVER_ERROR, Json(ErrorEnvelope { data })).into_response()
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::AlreadyRegistered => Self::refused(StatusCode::CONFLICT, "Conflict", error),
            // The frontend looks for these words in the label (decision A-04).
            UserError::InvalidInvitation => {
                Self::refused(StatusCode::NOT_FOUND, "Invalid or expired invitation token", error)
            }
            UserError::Db(source) => source.into(),
        }
    }
}

impl From<SignInRefused> for ApiError {
    fn from(error: SignInRefused) -> Self {
        match error {
            SignInRefused::BadCredentials => Self::refused(StatusCode::UNAUTHORIZED, "Unauthorized", error),
            SignInRefused::Db(source) => source.into(),
        }
    }
}

impl From<PromptError> for ApiError {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::NotFound | PromptError::VersionNotFound(_) => Self::not_found(error),
            PromptError::NameTaken(_) | PromptError::Stale => Self::bad_request("Validation Error", error),
            PromptError::Db(source) => source.into(),
        }
    }
}

impl From<CompileError> for ApiError {
    fn from(error: CompileError) -> Self {
        let message = Some(error.to_string());
        let details = match error {
            CompileError::Violations(violations) => serde_json::to_value(violations).ok(),
            CompileError::NotJson(_)
            | CompileError::NullInput
            | CompileError::BrokenSchema(_)
            | CompileError::BrokenTemplate(_) => None,
        };
        let body = ErrorBody { error: "Compilation Error".into(), message, details };
        Self::Refused(StatusCode::BAD_REQUEST, Box::new(body))
    }
}

impl From<SettingError> for ApiError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::NotFound => Self::not_found(error),
            SettingError::Taken(_) => Self::refused(StatusCode::CONFLICT, "Conflict", error),
            SettingError::TypeMismatch { .. } | SettingError::Stale => Self::bad_request("Bad Request", error),
            SettingError::Db(source) => source.into(),
        }
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::PromptNotFound(_) | CreateError::VersionNotFound(_) => Self::not_found(error),
            CreateError::ProviderNotConfigured(_)
            | CreateError::FileNotFound(_)
            | CreateError::FileRequired
            | CreateError::Input(_) => Self::bad_request("Validation error", error),
            CreateError::Db(source) => source.into(),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => Self::refused(StatusCode::NOT_FOUND, "Execution not found", error),
            CancelError::AlreadyFinished(_) => Self::bad_request("Validation error", error),
            CancelError::Db(source) => source.into(),
        }
    }
}

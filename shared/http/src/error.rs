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
    api_keys::ApiKeyError,
    calibration::CalibrationError,
    comments::CommentError,
    db::DbError,
    deployments::DeploymentError,
    embeddings::EmbeddingError,
    executions::{CreateError, EraseError, pipeline::CancelError},
    files::FileError,
    jobs::pipeline::RedeliverError,
    prompts::{CompileError, PromptError},
    settings::{DestinationError, SettingError},
    test_data::TestDataError,
    users::{SignInRefused, UserError},
};
use utoipa::ToSchema;

use crate::issue::{Issue, Part};

/// A refused or failed request.
#[derive(Debug)]
pub enum ApiError {
    /// 422: path, query or body violate the contract.
    Validation(Vec<Issue>),
    /// An operation refused: 400, 401 (sign-in), 404 or 409.
    Refused(StatusCode, Box<ErrorBody>),
    /// Refused before any operation: 400, 401, 403, 404, 405.
    Gate(StatusCode, BareError),
    /// 500, or 503 while the database waits for its migrations: the cause is logged, not shown.
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
                let (status, message) = explanation(source.as_ref());
                failure(status, message)
            }
        }
    }
}

/// What people are told about an unexpected failure, and with which status.
fn explanation(source: &(dyn std::error::Error + Send + Sync + 'static)) -> (StatusCode, &'static str) {
    match source.downcast_ref::<DbError>() {
        Some(DbError::OldSchema { .. }) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database has not been migrated to this version yet; try again when the deployment is through",
        ),
        Some(DbError::Unavailable(_)) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the database is not available at the moment; try again soon")
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, UNEXPECTED),
    }
}

/// What people are told when there is nothing better to say.
pub(crate) const UNEXPECTED: &str = "something went wrong on our side; the request id leads to the log";

/// A failure of the dashboard: its own members, and `data` beside them, which is what clients read (defect DB-06).
#[derive(Debug)]
pub struct DashboardFailure(DbError);

impl From<DbError> for DashboardFailure {
    fn from(error: DbError) -> Self {
        Self(error)
    }
}

impl IntoResponse for DashboardFailure {
    fn into_response(self) -> Response {
        let (status, message) = explanation(&self.0);
        if status != StatusCode::INTERNAL_SERVER_ERROR {
            return ApiError::from(self.0).into_response();
        }
        tracing::error!(error = %self.0, "request failed");
        let data = body_of(status, message);
        let body = DashboardFailureBody { success: false, error: message.to_owned(), err: true, data };
        (status, Json(body)).into_response()
    }
}

/// What a failure of the dashboard says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DashboardFailure)]
pub struct DashboardFailureBody {
    success: bool,
    error: String,
    err: bool,
    data: ErrorBody,
}

/// The answer to an unexpected failure: always with `data`, so that clients can show it (defect R-01).
pub(crate) fn failure(status: StatusCode, message: &str) -> Response {
    (status, Json(ErrorEnvelope { data: body_of(status, message) })).into_response()
}

fn body_of(status: StatusCode, message: &str) -> ErrorBody {
    let error = status.canonical_reason().unwrap_or("Error").to_owned();
    ErrorBody { error, message: Some(message.to_owned()), details: None }
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
            UserError::NotFound => Self::not_found(error),
            UserError::EmailTaken(_) | UserError::Stale => Self::bad_request("Validation Error", error),
            // 409 is not among the declared answers of these operations (defect A-14).
            UserError::LastAdmin => Self::invalid(Issue::new(Part::Param, "id", error.to_string())),
            UserError::Db(source) => source.into(),
        }
    }
}

impl From<ApiKeyError> for ApiError {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::NotFound => Self::not_found(error),
            ApiKeyError::Db(source) => source.into(),
        }
    }
}

impl From<CommentError> for ApiError {
    fn from(error: CommentError) -> Self {
        match error {
            CommentError::NotFound => Self::not_found(error),
            CommentError::PromptNotFound | CommentError::ExecutionNotFound => {
                Self::bad_request("Validation Error", error)
            }
            CommentError::Db(source) => source.into(),
        }
    }
}

impl From<CalibrationError> for ApiError {
    fn from(error: CalibrationError) -> Self {
        match error {
            CalibrationError::PromptNotFound => Self::not_found(error),
            CalibrationError::NoComments
            | CalibrationError::CommentNotFound(_)
            | CalibrationError::ForeignComment(_)
            | CalibrationError::ExecutionNotFound(_)
            | CalibrationError::NoResult(_) => Self::bad_request("Validation Error", error),
            CalibrationError::Db(source) => source.into(),
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
            PromptError::NameTaken(_) | PromptError::InUse(_) | PromptError::Stale => {
                Self::bad_request("Validation Error", error)
            }
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
            SettingError::TypeMismatch { .. } | SettingError::NoSecret(_) | SettingError::Stale => {
                Self::bad_request("Bad Request", error)
            }
            SettingError::Db(source) => source.into(),
        }
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::PromptNotFound(_) | CreateError::VersionNotFound(_) | CreateError::GroupNotFound(_) => {
                Self::not_found(error)
            }
            CreateError::ProviderNotConfigured(_)
            | CreateError::FileNotFound(_)
            | CreateError::FileRequired
            | CreateError::Input(_)
            | CreateError::GroupNeedsPrompt
            | CreateError::GroupEmpty
            | CreateError::Item { .. }
            | CreateError::TooMany(_)
            | CreateError::GroupStale => Self::bad_request("Validation error", error),
            CreateError::Db(source) => source.into(),
        }
    }
}

impl From<TestDataError> for ApiError {
    fn from(error: TestDataError) -> Self {
        match error {
            TestDataError::GroupNotFound
            | TestDataError::ItemNotFound
            | TestDataError::PromptNotFound
            | TestDataError::VersionNotFound(_) => Self::refused(StatusCode::NOT_FOUND, "Not found", error),
            TestDataError::NameTaken(_) | TestDataError::Stale => Self::bad_request("Validation error", error),
            TestDataError::NotJson(_) | TestDataError::ItemNotJson { .. } | TestDataError::HoldsOtherThanJson(_) => {
                Self::bad_request("Invalid format", error)
            }
            TestDataError::Db(source) => source.into(),
        }
    }
}

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NotFound => Self::not_found(error),
            FileError::NotBase64 => Self::invalid(Issue::new(Part::Body, "data", error.to_string())),
            FileError::Db(source) => source.into(),
        }
    }
}

impl From<DeploymentError> for ApiError {
    fn from(error: DeploymentError) -> Self {
        match error {
            DeploymentError::NotFound => Self::not_found(error),
            DeploymentError::NameTaken(_)
            | DeploymentError::PromptNotFound(_)
            | DeploymentError::VersionNotFound(_)
            | DeploymentError::ProviderNotConfigured(_)
            | DeploymentError::ModelUnknown(_)
            | DeploymentError::Destinations(DestinationError::Unknown(_))
            | DeploymentError::Stale => Self::bad_request("Validation Error", error),
            DeploymentError::Run(CreateError::Db(source))
            | DeploymentError::Destinations(DestinationError::Db(source))
            | DeploymentError::Db(source) => source.into(),
            // The name in the path was found, so whatever else is missing is no 404 (contract 15, defect DP-08).
            DeploymentError::Run(refused) => Self::bad_request("Validation Error", refused),
        }
    }
}

impl From<EmbeddingError> for ApiError {
    fn from(error: EmbeddingError) -> Self {
        match error {
            EmbeddingError::NotFound => Self::not_found(error),
            EmbeddingError::NameTaken(_)
            | EmbeddingError::Destinations(DestinationError::Unknown(_))
            | EmbeddingError::Stale => Self::bad_request("Validation Error", error),
            EmbeddingError::TooLarge(_) => Self::invalid(Issue::new(Part::Body, "inputs", error.to_string())),
            EmbeddingError::Destinations(DestinationError::Db(source)) | EmbeddingError::Db(source) => source.into(),
        }
    }
}

impl From<RedeliverError> for ApiError {
    fn from(error: RedeliverError) -> Self {
        match error {
            RedeliverError::NotFound => Self::refused(StatusCode::NOT_FOUND, "Job not found", error),
            RedeliverError::OtherType(_) | RedeliverError::NotEnded(_) => Self::bad_request("Validation Error", error),
            RedeliverError::Db(source) => source.into(),
        }
    }
}

impl From<EraseError> for ApiError {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::NotFound => Self::refused(StatusCode::NOT_FOUND, "Execution not found", error),
            EraseError::NotEnded(_) => Self::bad_request("Validation error", error),
            EraseError::Db(source) => source.into(),
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

//! Bodies and queries of `/api/v1/comments`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared_core::{
    Document, Timestamp,
    comments::{Comment, CommentData, ExecutionCommentData, GenericCommentData, Subject},
};
use shared_http::{ApiError, Issue, Part, RequestBody, RequestQuery, parse_body};
use utoipa::{IntoParams, ToSchema};

/// At least one of `execution_id` and `prompt_id`; both may be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateCommentRequest {
    #[schema(min_length = 1)]
    text: String,
    data: CommentData,
    #[schema(format = "uuid")]
    execution_id: Option<String>,
    #[schema(format = "uuid")]
    prompt_id: Option<String>,
}

/// The body with its data unread: which schema that must satisfy depends on its type, and so issues name members
/// instead of alternatives.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Frame {
    #[schema(min_length = 1)]
    text: String,
    #[serde(rename = "data")]
    _data: Value,
    #[schema(format = "uuid")]
    execution_id: Option<String>,
    #[schema(format = "uuid")]
    prompt_id: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct OfGeneric {
    data: GenericCommentData,
}

#[derive(Deserialize, ToSchema)]
struct OfExecution {
    data: ExecutionCommentData,
}

/// What data without a known type is held against.
#[derive(Deserialize, ToSchema)]
struct OfUnknown {
    #[serde(rename = "data")]
    #[schema(inline)]
    _data: UnknownData,
}

#[derive(Deserialize, ToSchema)]
struct UnknownData {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: CommentType,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CommentType {
    Generic,
    Execution,
}

fn read_data(data: &Value) -> Result<CommentData, ApiError> {
    let body = json!({"data": data});
    match data["type"].as_str() {
        Some("generic") => parse_body(body).map(|OfGeneric { data }| CommentData::Generic(data)),
        Some("execution") => parse_body(body).map(|OfExecution { data }| CommentData::Execution(data)),
        _ => {
            parse_body::<OfUnknown>(body)?;
            Err(ApiError::invalid(Issue::new(Part::Body, "data.type", "must be generic or execution")))
        }
    }
}

impl RequestBody for CreateCommentRequest {
    fn read(value: Value) -> Result<Self, ApiError> {
        let data = value.get("data").map(read_data).transpose();
        let (Frame { text, execution_id, prompt_id, .. }, data) = match (parse_body(value), data) {
            (Ok(frame), Ok(Some(data))) => (frame, data),
            (Err(ApiError::Validation(mut issues)), Err(ApiError::Validation(more))) => {
                issues.extend(more);
                return Err(ApiError::Validation(issues));
            }
            (Err(error), _) | (Ok(_), Err(error)) => return Err(error),
            (Ok(_), Ok(None)) => return Err(ApiError::invalid(Issue::new(Part::Body, "data", "is required"))),
        };
        if execution_id.is_none() && prompt_id.is_none() {
            let message = "give at least one of execution_id and prompt_id";
            return Err(ApiError::invalid(Issue::whole(Part::Body, message)));
        }
        Ok(Self { text, data, execution_id, prompt_id })
    }
}

impl CreateCommentRequest {
    /// The comment, written by this user.
    pub(crate) fn by(self, author_id: String) -> Comment {
        Comment {
            text: self.text,
            data: self.data,
            prompt_id: self.prompt_id,
            execution_id: self.execution_id,
            author_id: Some(author_id),
        }
    }
}

/// Exactly one of the two.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListCommentsQuery {
    /// Comments that carry this prompt's id.
    #[param(format = "uuid")]
    prompt_id: Option<String>,
    /// Comments that carry this execution's id.
    #[param(format = "uuid")]
    execution_id: Option<String>,
}

impl RequestQuery for ListCommentsQuery {}

impl ListCommentsQuery {
    pub(crate) fn subject(self) -> Result<Subject, ApiError> {
        match (self.prompt_id, self.execution_id) {
            (Some(id), None) => Ok(Subject::Prompt(id)),
            (None, Some(id)) => Ok(Subject::Execution(id)),
            _ => Err(ApiError::bad_request("Validation Error", "give exactly one of prompt_id and execution_id")),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Comment)]
pub(crate) struct CommentResponse {
    id: String,
    text: String,
    data: CommentData,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<String>,
    /// Id of the user who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    author_id: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Document<Comment>> for CommentResponse {
    fn from(found: Document<Comment>) -> Self {
        let Document { id, data: comment, created_at, updated_at, .. } = found;
        Self {
            id,
            text: comment.text,
            data: comment.data,
            prompt_id: comment.prompt_id,
            execution_id: comment.execution_id,
            author_id: comment.author_id,
            created_at,
            updated_at,
        }
    }
}

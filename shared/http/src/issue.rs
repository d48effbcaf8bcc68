//! What is wrong with a request, member by member (contract 1.3).

use serde::Serialize;
use utoipa::ToSchema;

/// The part of a request that an issue is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A path parameter.
    Param,
    /// A query parameter.
    Query,
    /// The body.
    Body,
}

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ValidationIssue)]
pub struct Issue {
    /// Dotted path of the member, positions as numbers; `request` when the issue concerns the object as a whole.
    pub field: String,
    /// Where the value came from.
    #[serde(rename = "type")]
    #[schema(inline)]
    pub part: Part,
    /// An explanation for people.
    pub message: String,
}

impl Issue {
    /// An issue with one member.
    pub fn new(part: Part, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), part, message: message.into() }
    }

    /// An issue with the part as a whole.
    pub fn whole(part: Part, message: impl Into<String>) -> Self {
        Self::new(part, "request", message)
    }
}

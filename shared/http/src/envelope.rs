//! Successful answers (contract 1.3).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared_core::Page;
use utoipa::ToSchema;

/// 200 with `{"data": ...}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Data<T> {
    /// The answer.
    pub data: T,
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 201 with `{"data": ...}`.
#[derive(Debug, Clone)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Data { data: self.0 }).into_response()
    }
}

/// An answer without members.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyObject {}

/// The members that every paged list has (contract 3); `data` is the list's own.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageOf<T> {
    /// The entries of this page.
    pub data: Vec<T>,
    /// Number of matching records over all pages.
    #[schema(minimum = 0)]
    pub total: u64,
    /// Page that was asked for, even past the end.
    #[schema(minimum = 1)]
    pub page: u32,
    /// Page size in effect.
    #[schema(minimum = 1)]
    pub limit: u32,
    /// `ceil(total / limit)`; 0 when nothing matches.
    #[schema(minimum = 0)]
    pub total_pages: u64,
    /// `page < totalPages`.
    pub has_next: bool,
    /// `page > 1`, also past the end.
    pub has_prev: bool,
}

impl<T> From<Page<T>> for PageOf<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            data: page.data,
            total: page.total,
            page: page.page,
            limit: page.limit,
            total_pages: page.total_pages,
            has_next: page.has_next,
            has_prev: page.has_prev,
        }
    }
}

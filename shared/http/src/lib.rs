//! The HTTP edge that all API functions share: state, extractors, envelopes, access table, OpenAPI, start-up.
//!
//! A function is a router whose handlers read top to bottom: who may call (the table in [`access`]), what they sent
//! (the extractors), what happens (an operation of `shared_core`), what they get (the envelopes).

pub mod access;
mod address;
mod app;
mod auth;
mod body;
mod envelope;
mod error;
pub mod event;
mod extract;
mod formats;
mod hs256;
mod issue;
mod lambda;
mod login_user;
pub mod openapi;
mod paths;
mod query;
mod rate_limit;
mod routes;
mod server;
mod session;
mod validate;

pub use address::SourceAddress;
pub use app::{ApiConfig, App};
pub use auth::Caller;
pub use body::MAX_BODY_BYTES;
pub use envelope::{Created, Data, EmptyObject, PageOf};
pub use error::{
    ApiError, ApiResult, BareError, DashboardFailure, DashboardFailureBody, ErrorBody, ErrorEnvelope,
    ValidationErrorEnvelope,
};
pub use extract::{Json, OpaqueIdPath, Path, Query, RequestBody, RequestQuery, UuidPath};
pub use issue::{Issue, Part};
pub use login_user::LoginUser;
pub use query::{DirectionParam, Moment, page_request};
pub use routes::{OpenApiRouter, PathRoutes, method_filter};
pub use server::{Edge, serve, service};
pub use session::Sessions;
pub use validate::parse_body;

/// For [`routes!`].
#[doc(hidden)]
pub use {axum as __axum, utoipa_axum as __utoipa_axum};

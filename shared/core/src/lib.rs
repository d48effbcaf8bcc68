//! The domain: what prompts, executions and settings are, and how they are stored.
//!
//! Nothing here knows HTTP status codes or AWS; the functions and the other shared crates build on it.

pub mod api_keys;
pub mod audit;
pub mod calibration;
pub mod claims;
pub mod comments;
pub mod config;
pub mod counters;
pub mod cursors;
pub mod db;
pub mod deployments;
pub mod documents;
pub mod embeddings;
pub mod execution_bundles;
pub mod executions;
pub mod files;
pub mod ids;
pub mod instant;
pub mod jobs;
pub mod limits;
pub mod logging;
pub mod migrations;
pub mod model_lists;
pub mod outbound;
pub mod pagination;
pub mod passwords;
pub mod prompts;
pub mod provider_name;
pub mod reencryption;
pub mod retries;
pub mod retry_after;
pub mod schemas;
pub mod secret;
pub mod secrets;
pub mod settings;
pub mod templates;
pub mod test_data;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod usage;
pub mod users;
pub mod webhooks;

pub use db::Db;
pub use documents::Document;
pub use instant::{Timestamp, TimestampError};
pub use pagination::Page;
pub use provider_name::ProviderName;
pub use secret::{Revealed, Secret};

//! The contract, operation by operation, in one process.

mod access;
mod api_keys;
mod auth;
mod comments;
mod dashboard;
mod deployment_embeddings;
mod deployments;
mod edge;
mod executions;
mod files;
mod group_runs;
mod jobs;
mod maintenance;
mod old_schema;
mod openapi;
mod prompts;
mod provider_limits;
mod providers;
mod round_trips;
mod routes;
mod settings;
mod system;
mod test_data;
mod users;
mod webhooks;
mod worker;

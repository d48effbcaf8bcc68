//! The contract, operation by operation, in one process.

mod access;
mod auth;
mod edge;
mod executions;
mod openapi;
mod prompts;
mod providers;
mod routes;
mod settings;
mod system;
mod worker;

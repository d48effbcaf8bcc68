//! The contract, operation by operation, in one process.

mod access;
mod auth;
mod edge;
mod openapi;
mod settings;
mod worker;

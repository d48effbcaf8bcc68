//! The contract, operation by operation, in one process.

mod access;
mod edge;
mod openapi;
mod worker;

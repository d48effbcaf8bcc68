//! The whole system on one machine: everything behind `cargo dev`, and the stack that end-to-end
//! tests and benchmarks start.
//!
//! `infra/template.yaml` says what there is ([`template`]).

pub mod bench;
pub mod build;
pub mod child;
pub mod cli;
pub mod clock;
pub mod console;
pub mod demo;
pub mod dev;
pub mod gateway;
pub mod host;
pub mod invoke;
pub mod poller;
pub mod report;
pub mod secrets;
pub mod sqs;
pub mod stack;
pub mod template;
pub mod tool_env;
pub mod ui;
pub mod watch;

//! The whole system on one machine: everything behind `cargo dev`, and the stack that end-to-end tests and benchmarks
//! start.
//!
//! `infra/template.yaml` says what there is ([`template`]); [`stack`] starts it:
//!
//! * [`gateway`] turns HTTP into API Gateway events, and [`ui`] serves pages beside it;
//! * [`host`] or [`watch`] runs the functions, both behind the trait in [`invoke`];
//! * [`sqs`] is the queue server, [`poller`] moves messages from it to functions, [`clock`] calls what is scheduled;
//! * [`demo`] answers in place of a model;
//! * [`tool_env`], [`build`], [`secrets`], [`child`] and [`process`] prepare, guard and watch what these need.
//!
//! [`cli`], [`dev`] and [`console`] are the command itself, [`mod@bench`] its benchmarks, [`fuzz`] and [`chaos`] its tests
//! of the whole; [`infra`] checks the template, [`package`] makes what is deployed, [`sbom`] lists what it is made of;
//! [`reencrypt`] changes keys. What happens is told as [`report`] events. Nothing here is deployed.

mod api;
mod aws_transport;
pub mod bench;
pub mod build;
pub mod chaos;
pub mod child;
pub mod cli;
pub mod clock;
pub mod console;
pub mod demo;
pub mod dev;
pub mod fuzz;
pub mod gateway;
pub mod host;
pub mod infra;
pub mod invoke;
pub mod openapi;
pub mod package;
pub mod poller;
pub mod process;
pub mod reencrypt;
pub mod report;
pub mod sbom;
pub mod secrets;
pub mod sqs;
pub mod stack;
pub mod template;
pub mod tool_env;
pub mod ui;
pub mod watch;

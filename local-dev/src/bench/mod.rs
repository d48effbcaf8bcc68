//! `cargo dev bench`: measures the system on this machine.
//!
//! `pipeline` and `admission` measure a whole `system`; the others `functions` alone: `api` (its `operations`), `auth`,
//! `remote`, `export` and `runtime` with what `stock` fills in, under the `load` of a request; `cold` their starts; `scale`
//! operations over a large database. `common` has the options of all, `figures` their arithmetic, `goal` what they are held
//! against.

mod admission;
mod api;
mod auth;
mod cold;
mod common;
mod export;
mod figures;
mod functions;
mod goal;
mod load;
mod operations;
mod pipeline;
mod remote;
mod runtime;
mod scale;
mod stock;
mod system;

use anyhow::Result;
use clap::Subcommand;

pub use admission::AdmissionArgs;
pub use api::ApiArgs;
pub use auth::AuthArgs;
pub use cold::ColdArgs;
pub use common::CommonArgs;
pub use export::ExportArgs;
pub use pipeline::PipelineArgs;
pub use remote::RemoteArgs;
pub use runtime::RuntimeArgs;
pub use scale::ScaleArgs;
pub use system::SystemArgs;

/// Benchmarks.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// From accepting an execution to calling the provider, and executions per second
    ///
    /// Starts a system of its own in a temporary directory, with the runtime host and the demo model
    /// server, and talks to nothing outside this machine.
    Pipeline(PipelineArgs),
    /// From sending a big group run to its acceptance, and how soon an execution behind it starts
    ///
    /// Starts a system of its own, as `pipeline` does.
    Admission(AdmissionArgs),
    /// From starting a function's process to its first request for work, and to its first answer
    ///
    /// Takes what `cargo dev package` made for this machine's architecture; what has not been packaged is built with
    /// the quick profile. Starts a system of its own, as `pipeline` does.
    Cold(ColdArgs),
    /// The same operations with 10,000, 100,000 and a million executions stored, and how much slower they become
    ///
    /// Fills a fresh database file for each size and calls the functions on it, one request at a time. A million
    /// executions take some minutes to make and about eight gigabytes in the temporary directory.
    Scale(ScaleArgs),
    /// Throughput, latency, processor time and memory of API operations
    ///
    /// Starts the API functions alone, behind the gateway, on the runtime host and over a fresh database file. Takes some
    /// minutes for all of them; `--only` chooses.
    Api(ApiArgs),
    /// What it takes to recognise sessions and API keys, among few keys and many, and to sign in
    ///
    /// Starts the API functions alone, as `api` does.
    Auth(AuthArgs),
    /// Round trips and times of operations whose database is some milliseconds away
    ///
    /// Starts the API functions alone, as `api` does, over the tests' libSQL server, which answers late on purpose.
    Remote(RemoteArgs),
    /// The memory that a CSV export of very many executions takes
    ///
    /// Starts the API functions alone, as `api` does.
    Export(ExportArgs),
    /// What the Lambda protocol costs, what our code adds, and what the same operation costs on Node.js
    ///
    /// Calls a loop that does nothing, a function that does nothing, functions of ours, and the list of prompts as a small
    /// function for Node.js, which is skipped when that is not installed: `npm ci --prefix local-dev/node`.
    Runtime(RuntimeArgs),
}

/// Measures what was asked for.
pub async fn command(what: Bench) -> Result<()> {
    match what {
        Bench::Pipeline(args) => pipeline::pipeline(args).await,
        Bench::Admission(args) => admission::admission(args).await,
        Bench::Cold(args) => cold::cold(args).await,
        Bench::Scale(args) => scale::scale(args).await,
        Bench::Api(args) => api::api(args).await,
        Bench::Auth(args) => auth::auth(args).await,
        Bench::Remote(args) => remote::remote(args).await,
        Bench::Export(args) => export::export(args).await,
        Bench::Runtime(args) => runtime::runtime(args).await,
    }
}

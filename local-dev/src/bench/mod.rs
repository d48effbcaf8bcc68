//! `cargo dev bench`: measures the system on this machine, through its public API.
//!
//! [`pipeline()`] and [`admission()`] measure a whole `system`; [`api()`], [`auth()`], [`remote()`] and [`export()`] the API
//! functions alone (`functions`, with what `stock` fills in, under the `load` of a request); [`cold()`] the starts of functions;
//! [`scale()`] operations `alone` over a large database. `figures` is their arithmetic.

mod admission;
mod alone;
mod api;
mod auth;
mod cold;
mod export;
mod figures;
mod functions;
mod load;
mod pipeline;
mod remote;
mod scale;
mod stock;
mod system;

pub use admission::admission;
pub use api::{ApiArgs, api};
pub use auth::{AuthArgs, auth};
pub use cold::cold;
pub use export::{ExportArgs, export};
pub use functions::CommonArgs;
pub use pipeline::pipeline;
pub use remote::{RemoteArgs, remote};
pub use scale::scale;

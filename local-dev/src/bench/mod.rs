//! `cargo dev bench`: measures the system on this machine, through its public API.
//!
//! [`pipeline()`], [`admission()`], [`cold()`] and [`scale()`] are the benchmarks; `system` starts what the first two measure,
//! `alone` calls functions for the others, `figures` is their arithmetic.

mod admission;
mod alone;
mod cold;
mod figures;
mod pipeline;
mod scale;
mod system;

pub use admission::admission;
pub use cold::cold;
pub use pipeline::pipeline;
pub use scale::scale;

//! `cargo dev bench`: measures the system on this machine, through its public API.
//!
//! [`pipeline()`], [`admission()`] and [`cold()`] are the benchmarks; `system` starts what the first two measure, `figures` is
//! their arithmetic.

mod admission;
mod cold;
mod figures;
mod pipeline;
mod system;

pub use admission::admission;
pub use cold::cold;
pub use pipeline::pipeline;

//! `cargo dev bench`: measures the system on this machine, through its public API.
//!
//! [`pipeline()`] and [`admission()`] are the benchmarks; `system` starts what they measure, `figures` is their arithmetic.

mod admission;
mod figures;
mod pipeline;
mod system;

pub use admission::admission;
pub use pipeline::pipeline;

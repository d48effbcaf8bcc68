//! `cargo dev bench`: measures the system on this machine, through its public API.

mod pipeline;

pub use pipeline::pipeline;

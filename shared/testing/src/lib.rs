//! placeholder
pub mod hrana;
pub mod vendor;

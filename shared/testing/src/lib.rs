//! placeholder
pub mod vendor;

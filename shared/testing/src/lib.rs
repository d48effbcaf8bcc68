//! What tests of several crates share: a scriptable model vendor, and a server that speaks libSQL's remote protocol.

pub mod hrana;
pub mod vendor;

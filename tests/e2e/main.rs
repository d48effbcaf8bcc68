//! Runs over real processes: the functions as Lambda would run them, a real SQS-protocol server, a real database.
//!
//! The first run prepares the tools and builds the functions; later ones start in seconds.

mod chaos;
mod client;
mod faults;
mod guide;
mod main_job;
mod place;
mod properties;
mod typescript;

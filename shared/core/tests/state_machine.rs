//! Every interleaving of two workers, maintenance and users over one row, for executions and for jobs.
//!
//! [`explore`](explore::explore) searches breadth-first through all states that can be reached: where the row stands, what
//! each worker believes to hold, what time has run out. Each edge puts a real row into that state, runs the pipeline's own
//! SQL on it, and compares row and answer with a small model that was written from the rules and not from the SQL.
//! `cargo test -p shared-core --test state_machine -- --nocapture` prints how much was explored.

#[cfg(test)]
#[path = "state_machine/executions.rs"]
mod executions;
#[cfg(test)]
#[path = "state_machine/explore.rs"]
mod explore;
#[cfg(test)]
#[path = "state_machine/jobs.rs"]
mod jobs;

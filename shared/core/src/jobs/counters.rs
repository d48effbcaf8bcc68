//! The kept counters of jobs.

use crate::counters::Counters;

/// Jobs by type and day of creation.
pub const COUNTERS: Counters = Counters {
    table: "job_counts",
    counted: "jobs",
    owner: "type",
    period_length: 10,
    kinds: "status",
    name: "status",
};

//! Token usage of completed executions, for the dashboard (contract 20).
//!
//! Whole months and days come from the kept sums in `usage_sums`, whole hours around them from the split of their days by hour,
//! the edges of a range inside an hour from `usage_events`, which has a narrow row for each execution. So every figure is exact
//! to the millisecond, none touches an execution, and how much is read depends on neither the number of executions nor, by
//! model and by hour, much on the length of the range.

use std::{iter::Sum, ops::AddAssign};

mod counters;
mod range;
mod stats;
mod store;

pub use counters::{UsageDifference, day_from, sum_up, usage_differences};
pub use range::Range;
pub use stats::{Share, Stats, stats};
pub use store::{by_day, by_day_and_model, by_hour, by_hour_and_model, by_model};

/// Sums over some executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// Number of executions.
    pub executions: u64,
}

impl Usage {
    /// Tokens in and out.
    pub fn total_tokens(self) -> u64 {
        self.input_tokens + self.output_tokens
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.executions += other.executions;
    }
}

impl<'a> Sum<&'a Usage> for Usage {
    fn sum<I: Iterator<Item = &'a Usage>>(usages: I) -> Self {
        let mut sum = Self::default();
        usages.for_each(|usage| sum += *usage);
        sum
    }
}

/// A model of a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    /// Who answered.
    pub provider: String,
    /// Which model answered.
    pub model: String,
}

#[cfg(test)]
mod tests;

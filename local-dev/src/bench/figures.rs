//! What the benchmarks do with the times that they took.

use std::time::Instant;

use serde_json::{Value, json};

/// Half and nearly all of a set of times, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Percentiles {
    /// Of these times; NaN when there are none.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }

    pub(super) fn json(self) -> Value {
        json!({ "p50": rounded(self.p50), "p99": rounded(self.p99) })
    }
}

/// Milliseconds from one instant to another, which may be earlier.
pub(super) fn milliseconds(from: Instant, to: Instant) -> f64 {
    let (positive, negative) = (to.saturating_duration_since(from), from.saturating_duration_since(to));
    (positive.as_secs_f64() - negative.as_secs_f64()) * 1000.0
}

/// To two places.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// To three places.
pub(super) fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times = Percentiles::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((times.p50, times.p99), (50.0, 99.0));
        let one = Percentiles::of(vec![7.0]);
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn a_call_before_the_answer_counts_below_zero() {
        let start = Instant::now();
        assert_eq!(milliseconds(start + Duration::from_millis(5), start), -5.0);
    }
}

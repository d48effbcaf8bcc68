//! How often work is tried, and how long it waits in between.

use std::time::Duration;

/// The retries of one kind of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// How often it is tried at most.
    pub max_attempts: u32,
    /// Pause before the first retry.
    pub base: Duration,
    /// How many times longer each further pause is.
    pub factor: f64,
    /// The longest pause.
    pub cap: Duration,
    /// How much longer a pause becomes at random, as a share of it: what failed together does not come back together.
    pub jitter: f64,
}

impl RetryPolicy {
    /// The pause after `attempt` failed attempts, or `None` when none is left: `base` times `factor` for each retry so
    /// far, at most `cap` (contract 18), and never shorter than what the other side asked for. `random` lies in `0..1`.
    pub fn pause(&self, attempt: u32, wish: Option<Duration>, random: f64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let retries = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(retries);
        let longest = self.cap.as_secs_f64();
        // Not a number, or beyond all bounds: the longest pause.
        let backoff = if seconds < longest { seconds.max(0.0) } else { longest };
        let pause = Duration::from_secs_f64(backoff).max(wish.unwrap_or_default().min(LONGEST_WISH));
        Some(pause + pause.mul_f64(self.jitter * random))
    }
}

/// Nobody is believed who asks for more than a day.
const LONGEST_WISH: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_attempts: u32, base_ms: u64, factor: f64) -> RetryPolicy {
        let (base, cap) = (Duration::from_millis(base_ms), Duration::from_secs(300));
        RetryPolicy { max_attempts, base, factor, cap, jitter: 0.0 }
    }

    fn seconds(policy: RetryPolicy) -> Vec<Option<f64>> {
        (1..=policy.max_attempts)
            .map(|attempt| policy.pause(attempt, None, 0.5).map(|pause| pause.as_secs_f64()))
            .collect()
    }

    #[test]
    fn the_contracts_rules() {
        let deployment = policy(8, 5000, 5.0);
        let expected = [5.0, 25.0, 125.0, 300.0, 300.0, 300.0, 300.0].map(Some);
        assert_eq!(seconds(deployment)[..7], expected);
        assert_eq!(seconds(deployment)[7], None, "the eighth attempt is the last");
        assert_eq!(seconds(policy(3, 5000, 1.5)), [Some(5.0), Some(7.5), None]);
        assert_eq!(seconds(policy(1, 5000, 1.5)), [None]);
    }

    #[test]
    fn the_other_side_may_ask_for_longer_but_not_for_ever() {
        let policy = policy(9, 1000, 2.0);
        let wish = |seconds| policy.pause(1, Some(Duration::from_secs(seconds)), 0.0).unwrap().as_secs();
        assert_eq!((wish(0), wish(7), wish(3600)), (1, 7, 3600));
        assert_eq!(wish(u64::MAX), 86_400);
    }

    #[test]
    fn jitter_only_lengthens() {
        let policy = RetryPolicy { jitter: 0.25, ..policy(3, 4000, 2.0) };
        assert_eq!(policy.pause(1, None, 0.0), Some(Duration::from_secs(4)));
        assert_eq!(policy.pause(1, None, 1.0), Some(Duration::from_secs(5)));
    }

    #[test]
    fn absurd_settings_of_a_row_still_give_a_pause() {
        for factor in [f64::NAN, f64::INFINITY, f64::MAX, 1e300] {
            assert_eq!(policy(99, 5000, factor).pause(50, None, 0.0), Some(Duration::from_secs(300)), "{factor}");
        }
        for factor in [0.0, -3.0] {
            assert!(policy(99, 5000, factor).pause(50, None, 0.0).is_some(), "{factor}");
        }
    }
}

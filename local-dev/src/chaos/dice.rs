//! Chance that can be repeated.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use sha2::{Digest, Sha256};

/// Decides by the seed and by what the decision is about, never by what was decided before: so the same seed tells the
/// same story, in whatever order things happen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice {
    seed: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number in `range`, always the same for the same subject.
    pub(super) fn throw(self, subject: impl Display, range: RangeInclusive<u64>) -> u64 {
        let digest = Sha256::digest(format!("{} {subject}", self.seed));
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        range.start() + number % (range.end() - range.start() + 1)
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(super) fn happens(self, subject: impl Display, percent: u64) -> bool {
        self.throw(subject, 0..=99) < percent
    }

    /// A time in `range`, in milliseconds.
    pub(super) fn pause(self, subject: impl Display, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.throw(subject, range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_subject_decide_the_same_way() {
        let throws = |seed: u64| (0..50).map(|turn| Dice::new(seed).throw(turn, 0..=999)).collect::<Vec<_>>();
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
    }

    #[test]
    fn throws_fill_their_range_evenly() {
        let dice = Dice::new(7);
        let throws: Vec<u64> = (0..6_000).map(|turn| dice.throw(turn, 5..=10)).collect();
        for side in 5..=10 {
            let count = throws.iter().filter(|throw| **throw == side).count();
            assert!((850..=1_150).contains(&count), "{side}: {count}");
        }
        let happened = (0..10_000).filter(|turn| dice.happens(turn, 5)).count();
        assert!((400..=600).contains(&happened), "{happened}");
    }
}

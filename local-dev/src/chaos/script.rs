//! What the provider and the receiver do, decided by the seed.

use std::time::Duration;

use super::dice::Dice;

/// What the provider does with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// How long it thinks.
    pub(super) delay: Duration,
    pub(super) reply: Reply,
}

/// How the provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reply {
    /// With a text and token counts.
    Good,
    /// 429, sometimes with `Retry-After: 1`.
    RateLimited { names_a_time: bool },
    /// 500.
    ServerError,
    /// Never: until the client gives up.
    Hang,
    /// With half of a good answer.
    Truncated,
    /// With something that is no JSON.
    NotJson,
}

/// How the receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// 204.
    Accepted,
    /// 500.
    ServerError,
    /// 429 with `Retry-After: 1`.
    RateLimited,
    /// Hangs up without an answer.
    HungUp,
}

/// The provider's part: of a hundred calls 5 are limited, 5 fail, 2 hang, 2 get garbage, and the rest goes well.
pub(super) fn provider_step(dice: Dice, marker: &str, call: u32) -> Step {
    let subject = format!("call {call} of {marker}");
    let even = dice.happens(format_args!("variant of {subject}"), 50);
    let reply = match dice.throw(format_args!("reply to {subject}"), 0..=99) {
        0..5 => Reply::RateLimited { names_a_time: even },
        5..10 => Reply::ServerError,
        10..12 => Reply::Hang,
        12..14 if even => Reply::Truncated,
        12..14 => Reply::NotJson,
        _ => Reply::Good,
    };
    Step { delay: dice.pause(format_args!("delay of {subject}"), 50..=500), reply }
}

/// The receiver's part: 15 of a hundred deliveries are not accepted. It never says that it does not want any more.
pub(super) fn reception(dice: Dice, destination: usize, arrival: u64) -> Reception {
    match dice.throw(format_args!("delivery {arrival} to {destination}"), 0..=99) {
        0..5 => Reception::ServerError,
        5..10 => Reception::RateLimited,
        10..15 => Reception::HungUp,
        _ => Reception::Accepted,
    }
}

impl Reply {
    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::RateLimited { .. } => "429",
            Self::ServerError => "500",
            Self::Hang => "hang",
            Self::Truncated => "truncated",
            Self::NotJson => "no JSON",
        }
    }
}

/// What a good answer to a call says.
pub(super) fn answer_text(marker: &str, call: u32) -> String {
    format!("Answer {call} to {marker}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn steps(seed: u64) -> Vec<Step> {
        let calls = (0..5_000).flat_map(|run| [1, 2].map(|call| (format!("run-{run}"), call)));
        calls.map(|(marker, call)| provider_step(Dice::new(seed), &marker, call)).collect()
    }

    #[test]
    fn a_seed_reproduces_the_script() {
        assert_eq!(steps(3), steps(3));
        assert_ne!(steps(3), steps(4));
        let receptions = |seed| (0..500).map(|arrival| reception(Dice::new(seed), 1, arrival)).collect::<Vec<_>>();
        assert_eq!(receptions(3), receptions(3));
        assert_ne!(receptions(3), receptions(4));
    }

    #[test]
    fn everything_happens_as_often_as_it_should() {
        let steps = steps(1);
        let mut shares = BTreeMap::<Reply, u32>::new();
        for step in &steps {
            assert!((50..=500).contains(&step.delay.as_millis()));
            *shares.entry(step.reply).or_default() += 1;
        }
        let percent = |replies: &[Reply]| {
            let count: u32 = replies.iter().filter_map(|reply| shares.get(reply)).sum();
            f64::from(count) * 100.0 / steps.len() as f64
        };
        let limited = [true, false].map(|names_a_time| Reply::RateLimited { names_a_time });
        for (replies, expected) in [
            (&limited[..], 5.0),
            (&limited[..1], 2.5),
            (&[Reply::ServerError], 5.0),
            (&[Reply::Hang], 2.0),
            (&[Reply::Truncated, Reply::NotJson], 2.0),
            (&[Reply::Truncated], 1.0),
            (&[Reply::Good], 86.0),
        ] {
            let percent = percent(replies);
            assert!((percent - expected).abs() < 1.0, "{replies:?}: {percent}");
        }
    }
}

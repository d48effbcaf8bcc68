//! Runs the cases of a target: bytes made from a seed, a fresh fixture for every round, and a failing input cut down to
//! what it takes to fail.
//!
//! A target turns bytes into an input, as libFuzzer wants it, so the same seed always makes the same cases.

use std::{
    cell::RefCell,
    fmt::Write,
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Once,
    time::{Duration, Instant},
};

use arbitrary::Unstructured;

/// Something that reads foreign input.
pub(crate) trait Target: Sized {
    /// Its name on the command line.
    const NAME: &'static str;
    /// How many cases one round has: a second or two of them.
    const CASES: u32;

    /// What the cases of one round need.
    fn new() -> Self;

    /// Makes an input from the bytes, feeds it, and panics when something does not hold.
    fn case(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()>;
}

/// A case that takes this long is a failure: what one caller sends must not keep a function busy.
const LONGEST_CASE: Duration = Duration::from_secs(20);
/// The longest input in bytes.
const MOST_BYTES: u64 = 1024;
/// How often and how long a failing input is cut down.
const CUTS: usize = 500;
const CUTTING: Duration = Duration::from_secs(60);

/// How a round went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Round {
    /// Inputs that were fed.
    pub(crate) cases: u64,
    /// The time of the slowest one.
    pub(crate) slowest: Duration,
    /// What did not hold, and how to see it again.
    pub(crate) failure: Option<String>,
}

/// Runs one round.
pub(crate) fn round<T: Target>(seed: u64) -> Round {
    let mut round = Round::default();
    let mut fixture = T::new();
    for number in 0..T::CASES {
        let bytes = bytes_of(seed, number);
        let started = Instant::now();
        let outcome = feed(&mut fixture, &bytes);
        round.slowest = round.slowest.max(started.elapsed());
        round.cases += 1;
        if let Err(reason) = outcome {
            drop(fixture);
            round.failure = Some(explained::<T>(seed, number, bytes, reason));
            break;
        }
    }
    round
}

/// Feeds one kept input.
pub(crate) fn replay<T: Target>(bytes: &[u8]) -> Round {
    let started = Instant::now();
    let failure = feed(&mut T::new(), bytes).err();
    Round { cases: 1, slowest: started.elapsed(), failure }
}

/// Cuts the input down, keeps it and says how to feed it again.
fn explained<T: Target>(seed: u64, number: u32, bytes: Vec<u8>, reason: String) -> String {
    let (bytes, reason) = match feed(&mut T::new(), &bytes) {
        Ok(()) => (bytes, format!("{reason}\n(only after the cases before it: run the whole round)")),
        Err(reason) => cut_down::<T>(bytes, reason),
    };
    let path = kept_inputs().join(format!("{}-{seed}-{number}", T::NAME));
    let kept = fs::create_dir_all(kept_inputs()).and_then(|()| fs::write(&path, bytes));
    let path = kept.map_or_else(|error| error.to_string(), |()| path.display().to_string());
    let name = T::NAME;
    format!(
        "{name}, seed {seed}, case {number}: {reason}\n\
         The round again: cargo dev fuzz parsers --seconds 0 --only {name} --seed {seed}\n\
         The input again: cargo dev fuzz parsers --only {name} --input {path}"
    )
}

fn kept_inputs() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz")
}

/// Takes away and blanks out parts as long as the target still fails.
fn cut_down<T: Target>(mut bytes: Vec<u8>, mut reason: String) -> (Vec<u8>, String) {
    let started = Instant::now();
    let mut left = CUTS;
    let mut size = bytes.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + size).min(bytes.len());
            let without = [&bytes[..at], &bytes[end..]].concat();
            let mut blank = bytes.clone();
            blank[at..end].fill(0);
            let shorter = [without, blank].into_iter().filter(|shorter| *shorter != bytes).find_map(|shorter| {
                left = left.checked_sub(1)?;
                (started.elapsed() < CUTTING).then_some(())?;
                feed(&mut T::new(), &shorter).err().map(|reason| (shorter, reason))
            });
            match shorter {
                Some((shorter, why)) => (bytes, reason) = (shorter, why),
                None => at = end,
            }
        }
        size /= 2;
    }
    (bytes, reason)
}

/// Feeds one input; `Err` says what did not hold.
fn feed<T: Target>(fixture: &mut T, bytes: &[u8]) -> Result<(), String> {
    let started = Instant::now();
    let outcome = quietly(|| fixture.case(&mut Unstructured::new(bytes)));
    match outcome {
        Err(reason) => Err(reason),
        Ok(_) if started.elapsed() > LONGEST_CASE => Err(format!("it took {:?}", started.elapsed())),
        // Too few bytes for an input are no failure.
        Ok(_) => Ok(()),
    }
}

thread_local! {
    /// What the panic of a case said; `None` outside of cases.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a case and catches its panic, which is not printed: cutting an input down makes hundreds of them.
fn quietly<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_case = SAID.with_borrow_mut(|said| {
                let Some(said) = said else { return false };
                let _ = write!(said, "{info}");
                true
            });
            if !is_case {
                usual(info);
            }
        }));
    });
    SAID.set(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    let said = SAID.take().unwrap_or_default();
    outcome.map_err(|_| said)
}

/// The bytes of a case: SplitMix64, which is all the randomness that this needs.
fn bytes_of(seed: u64, number: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x0123_4567_89AB_CDEF) ^ (u64::from(number) << 32);
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let words = 1 + next() % (MOST_BYTES / 8);
    (0..words).flat_map(|_| next().to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails when an input has a capital Z somewhere behind an A.
    struct Picky;

    impl Target for Picky {
        const NAME: &'static str = "picky";
        const CASES: u32 = 500;

        fn new() -> Self {
            Self
        }

        fn case(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
            let bytes = input.bytes(input.len())?;
            let a = bytes.iter().position(|byte| *byte == b'A');
            assert!(!a.is_some_and(|a| bytes[a..].contains(&b'Z')), "found it");
            Ok(())
        }
    }

    #[test]
    fn a_failing_input_is_found_cut_down_kept_and_fails_again() {
        let found = round::<Picky>(1);
        let explanation = found.failure.expect("it is easy to find");
        assert!(explanation.contains("found it") && explanation.contains("--only picky --seed 1"), "{explanation}");
        let path = explanation.lines().last().unwrap().rsplit(' ').next().unwrap();
        let kept = fs::read(path).unwrap();
        assert_eq!(kept, b"AZ");
        assert!(replay::<Picky>(&kept).failure.is_some());
        assert!(replay::<Picky>(b"ZA").failure.is_none());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_same_seed_makes_the_same_cases_and_another_one_others() {
        assert_eq!(bytes_of(7, 3), bytes_of(7, 3));
        assert_ne!(bytes_of(7, 3), bytes_of(7, 4));
        assert_ne!(bytes_of(7, 3), bytes_of(8, 3));
    }
}

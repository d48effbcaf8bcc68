//! Everything that reads foreign input, against input that was made up to break it.
//!
//! `cargo test` runs one round of every target, always the same one. `cargo dev fuzz parsers` runs rounds for as long as
//! it is told, each with the next seed, and shows how to see a failure again.

mod described;
mod events;
mod harness;
mod hostile;
mod requests;
mod schemas;
mod texts;
mod vendors;

use std::{
    env::var_os,
    time::{Duration, Instant},
};

use harness::{Round, Target, replay, round};

/// A target without its type.
struct Entry {
    name: &'static str,
    round: fn(u64) -> Round,
    replay: fn(&[u8]) -> Round,
}

const fn entry<T: Target>() -> Entry {
    Entry { name: T::NAME, round: round::<T>, replay: replay::<T> }
}

/// Names each target once: as a test of one round, and for the long run.
macro_rules! targets {
    ($($test:ident: $target:ty),* $(,)?) => {
        const TARGETS: &[Entry] = &[$(entry::<$target>()),*];

        $(#[test]
        fn $test() {
            if let Some(failure) = round::<$target>(1).failure {
                panic!("{failure}");
            }
        })*
    };
}

targets! {
    templates: texts::Templates,
    csv_cells: texts::CsvCells,
    file_names: texts::FileNames,
    headers_and_dates: texts::Headers,
    webhook_targets: texts::WebhookTargets,
    migration_files: texts::MigrationFiles,
    uploads: requests::Uploads,
    stored_secrets: texts::StoredSecrets,
    schemas: schemas::Schemas,
    answers_under_schemas: schemas::Answers,
    bodies: requests::Bodies,
    paths_and_queries: requests::PathsAndQueries,
    credentials: requests::Credentials,
    gateway_events: events::GatewayEvents,
    queue_records: events::QueueRecords,
    vendor_answers: vendors::Answers,
    embeddings: vendors::Embeddings,
}

/// What `cargo dev fuzz parsers` starts; see there for the variables.
#[test]
#[ignore = "runs for as long as it is told: cargo dev fuzz parsers"]
fn rounds() {
    let text = |name: &str| var_os(name).and_then(|value| value.into_string().ok());
    let number = |name: &str| text(name).and_then(|value| value.parse().ok());
    let only = text("FUZZ_ONLY");
    let chosen: Vec<&Entry> =
        TARGETS.iter().filter(|entry| only.as_deref().is_none_or(|name| name == entry.name)).collect();
    let names: Vec<_> = TARGETS.iter().map(|entry| entry.name).collect();
    assert!(!chosen.is_empty(), "there is no such target; there are {}", names.join(", "));
    if let Some(path) = text("FUZZ_INPUT") {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for entry in chosen {
            match (entry.replay)(&bytes).failure {
                Some(reason) => panic!("{}: {reason}", entry.name),
                None => println!("{}: nothing wrong with this input", entry.name),
            }
        }
        return;
    }

    let (first, patience) =
        (number("FUZZ_SEED").unwrap_or(1), Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(0)));
    let mut tallies: Vec<(&Entry, Tally)> = chosen.into_iter().map(|entry| (entry, Tally::default())).collect();
    let started = Instant::now();
    for seed in first.. {
        for (entry, tally) in tallies.iter_mut().filter(|(_, tally)| tally.failure.is_none()) {
            let of_round = Instant::now();
            let round = (entry.round)(seed);
            tally.add(round, of_round.elapsed());
            if let Some(failure) = &tally.failure {
                println!("FOUND {failure}\n");
            }
        }
        if started.elapsed() >= patience {
            break;
        }
    }
    println!("{:<24} {:>7} {:>12} {:>9} {:>12}", "target", "rounds", "executions", "seconds", "slowest (ms)");
    for (entry, tally) in &tallies {
        let verdict = if tally.failure.is_some() { "  FAILED" } else { "" };
        println!(
            "{:<24} {:>7} {:>12} {:>9.1} {:>12.1}{verdict}",
            entry.name,
            tally.rounds,
            tally.cases,
            tally.took.as_secs_f64(),
            tally.slowest.as_secs_f64() * 1000.0
        );
    }
    let all: u64 = tallies.iter().map(|(_, tally)| tally.cases).sum();
    println!("{all} executions in {:.0} s from seed {first} on", started.elapsed().as_secs_f64());
    assert!(tallies.iter().all(|(_, tally)| tally.failure.is_none()), "see FOUND above");
}

/// What became of a target's rounds.
#[derive(Default)]
struct Tally {
    rounds: u64,
    cases: u64,
    took: Duration,
    slowest: Duration,
    failure: Option<String>,
}

impl Tally {
    fn add(&mut self, round: Round, took: Duration) {
        self.rounds += 1;
        self.cases += round.cases;
        self.took += took;
        self.slowest = self.slowest.max(round.slowest);
        self.failure = round.failure;
    }
}

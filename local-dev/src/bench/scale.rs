//! How the time that an operation takes depends on how much is stored.

mod operations;
mod seed;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Map, Value, json};
use shared_core::config::DatabaseConfig;

use super::{
    common::CommonArgs,
    figures::{Percentiles, milliseconds, rounded},
    functions::{Functions, Programs},
    goal::Goal,
};
use operations::Bench;

const GOAL_P50_MS: f64 = 5.0;
const GOAL_DEEPEST_MS: f64 = 50.0;
const GOAL_FINISH_MS: f64 = 3.0;
const GOAL_RATIO: f64 = 1.5;
/// The TypeScript backend that this project replaces, with 100,000 executions on such a machine, in milliseconds.
const REFERENCE: [(&str, f64); 4] =
    [("list: completed, page 1", 106.0), ("stats", 432.0), ("dashboard stats", 854.0), ("dashboard daily", 241.0)];

/// Options of `cargo dev bench scale`.
#[derive(Debug, Clone, Args)]
pub struct ScaleArgs {
    /// Numbers of executions, separated by commas
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000],
        value_parser = clap::value_parser!(u32).range(1_000..=20_000_000))]
    pub sizes: Vec<u32>,
    /// How often each operation is measured
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub samples: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Times in milliseconds, by operation and by variant: a list has one for each order.
#[derive(Debug, Default)]
struct Figures {
    times: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    seed_seconds: f64,
    database_bytes: u64,
}

impl Figures {
    fn add(&mut self, operation: &str, variant: &str, time: f64) {
        self.times.entry(operation.to_owned()).or_default().entry(variant.to_owned()).or_default().push(time);
    }

    async fn time<T>(&mut self, operation: &str, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let done = work().await.with_context(|| operation.to_owned())?;
        self.add(operation, "", milliseconds(start, Instant::now()));
        Ok(done)
    }

    /// Those of the slowest variant.
    fn worst(&self, operation: &str) -> Option<Percentiles> {
        let variants = self.times.get(operation)?.values().map(|times| Percentiles::of(times.clone()));
        variants.max_by(|one, other| one.p50.total_cmp(&other.p50))
    }
}

/// Runs the benchmark and prints its figures.
pub(super) async fn scale(args: ScaleArgs) -> Result<()> {
    let programs = Programs::build(&args.common).await?;
    let mut all = BTreeMap::new();
    for &size in &args.sizes {
        let measure = async |functions: &Functions| measure(functions, size, args.samples).await;
        all.insert(size, Functions::run(&programs, 1, None, measure).await?);
    }
    print(&args, &all);
    let setting = json!({"database": "file", "samples": args.samples});
    args.common.finish("scale", setting, json!({"sizes": figures(&all)}), &goals(&all))
}

async fn measure(functions: &Functions, size: u32, samples: u32) -> Result<Figures> {
    let mut figures = Figures::default();
    println!("Storing {size} executions");
    let start = Instant::now();
    seed::seed(&functions.db, size).await.context("the executions could not be stored")?;
    figures.seed_seconds = start.elapsed().as_secs_f64();
    if let DatabaseConfig::File(file) = &functions.database {
        figures.database_bytes = fs::metadata(file).context("no database file")?.len();
    }
    println!("  {:.0} s, {:.0} MB", figures.seed_seconds, figures.database_bytes as f64 / 1e6);
    let start = Instant::now();
    let token = functions.api.token();
    Bench { functions, db: &functions.db, token, samples }.run(&mut figures).await?;
    println!("  measured in {:.0} s", start.elapsed().as_secs_f64());
    Ok(figures)
}

/// How much slower the largest size is than the smallest. There is none for a page that the smallest does not have.
fn ratio(all: &BTreeMap<u32, Figures>, operation: &str) -> Option<f64> {
    let p50 = |figures: &Figures| figures.worst(operation).map(|times| times.p50);
    let (smallest, largest) = (all.values().next()?, all.values().next_back()?);
    Some(p50(largest)? / p50(smallest)?)
}

/// Which goal is for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A page of a list that people look at, statistics, the dashboard.
    Near,
    /// A page that is far from both ends.
    Deep,
    Finish,
    Other,
}

impl Kind {
    fn of(operation: &str) -> Self {
        // A dashboard of whatever range: people pick the dates.
        let is_near = operation == "stats" || operation.starts_with("list: ") || operation.contains("dashboard ");
        match operation {
            _ if operation.ends_with(", middle page") || operation.ends_with(", last page") => Self::Deep,
            "finish" => Self::Finish,
            _ if is_near => Self::Near,
            _ => Self::Other,
        }
    }
}

/// For the largest size, and for the way there.
fn goals(all: &BTreeMap<u32, Figures>) -> Vec<Goal> {
    let Some(largest) = all.values().next_back() else { return Vec::new() };
    let of = |kinds: &[Kind], figure: &dyn Fn(&str) -> Option<f64>| -> Vec<(String, f64)> {
        let operations = largest.times.keys().filter(|operation| kinds.contains(&Kind::of(operation)));
        operations.filter_map(|operation| Some((operation.clone(), figure(operation)?))).collect()
    };
    let p50 = |operation: &str| largest.worst(operation).map(|times| times.p50);
    let growth = |operation: &str| ratio(all, operation);
    vec![
        Goal::all_at_most("lists, statistics and dashboard, p50,", GOAL_P50_MS, "ms", of(&[Kind::Near], &p50)),
        Goal::all_at_most("the deepest pages, p50,", GOAL_DEEPEST_MS, "ms", of(&[Kind::Deep], &p50)),
        Goal::all_at_most("the end of an execution, p50,", GOAL_FINISH_MS, "ms", of(&[Kind::Finish], &p50)),
        Goal::all_at_most("growth", GOAL_RATIO, "times", of(&[Kind::Near, Kind::Finish], &growth)),
    ]
}

fn print(args: &ScaleArgs, all: &BTreeMap<u32, Figures>) {
    println!("\nScale on {}, local database file, {} samples; p50 / p99 in ms", args.common, args.samples);
    println!("A list has an order: the slowest of eight is shown. Pages that a size does not have are left out.\n");
    print!("{:<46}", "");
    all.keys().for_each(|size| print!("{size:>20}"));
    println!("{:>8}{:>12}", "ratio", "reference");
    let operations: BTreeSet<&String> = all.values().flat_map(|figures| figures.times.keys()).collect();
    for operation in operations {
        print!("{operation:<46}");
        for figures in all.values() {
            match figures.worst(operation) {
                Some(times) => print!("{:>20}", format!("{:.2} / {:.2}", times.p50, times.p99)),
                None => print!("{:>20}", ""),
            }
        }
        let reference = REFERENCE.iter().find(|(name, _)| name == operation).map(|(_, time)| format!("{time:.0}"));
        let ratio = ratio(all, operation).map(|ratio| format!("{ratio:.2}"));
        println!("{:>8}{:>12}", ratio.unwrap_or_default(), reference.unwrap_or_default());
    }
}

fn figures(all: &BTreeMap<u32, Figures>) -> Map<String, Value> {
    let sizes = all.iter().map(|(size, figures)| {
        let operations = figures.times.iter().map(|(operation, variants)| {
            let variants = variants.iter().map(|(name, times)| (name.clone(), Percentiles::of(times.clone()).json()));
            (operation.clone(), Value::Object(variants.collect()))
        });
        let values = json!({
            "seedSeconds": rounded(figures.seed_seconds),
            "databaseBytes": figures.database_bytes,
            "operationsMs": operations.collect::<Map<_, _>>(),
        });
        (size.to_string(), values)
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(operation: &str, variants: &[(&str, f64)]) -> Figures {
        let mut figures = Figures::default();
        variants.iter().for_each(|(variant, time)| figures.add(operation, variant, *time));
        figures
    }

    #[test]
    fn the_slowest_order_counts() {
        let list = "list: all, page 1";
        let all = BTreeMap::from([
            (10, taken(list, &[("created_at ASC", 1.0), ("updated_at ASC", 2.0)])),
            (100, taken(list, &[("created_at ASC", 6.0), ("updated_at ASC", 1.0)])),
        ]);
        assert_eq!(ratio(&all, list), Some(3.0));
        let missed: Vec<String> = goals(&all).iter().filter(|goal| !goal.is_reached()).map(Goal::to_string).collect();
        assert_eq!(
            missed,
            [
                format!("goal: lists, statistics and dashboard, p50, at most 5 ms: missed, {list} 6"),
                format!("goal: growth at most 1.5 times: missed, {list} 3"),
            ]
        );
    }

    #[test]
    fn deep_pages_may_take_longer_and_other_operations_have_no_goal() {
        for (operation, time, is_reached) in
            [("list: all, middle page", 49.0, true), ("list: all, middle page", 51.0, false), ("create", 99.0, true)]
        {
            let all = BTreeMap::from([(10, taken(operation, &[("", 1.0)])), (100, taken(operation, &[("", time)]))]);
            assert_eq!(goals(&all).iter().all(Goal::is_reached), is_reached, "{operation} {time}");
        }
    }
}

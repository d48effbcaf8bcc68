//! How the time that an operation takes depends on how much is stored.

mod operations;
mod seed;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use shared_core::{Db, config::DatabaseConfig};

use super::{
    alone::{Alone, REGISTER},
    figures::{Percentiles, milliseconds, reached, rounded},
    system::cores,
};
use crate::{
    build::{Profile, build_functions, workspace_root},
    cli::ScaleArgs,
    host::Host,
    report::Reporter,
    stack::{DATABASE_FILE, Isolation, MIGRATE, functions_alone},
    template::Template,
};
use operations::Bench;

const GOAL_P50_MS: f64 = 5.0;
const GOAL_DEEPEST_MS: f64 = 50.0;
const GOAL_FINISH_MS: f64 = 3.0;
const GOAL_RATIO: f64 = 1.5;
/// What is asked for, in the order of the table.
const CALLED: [&str; 4] = ["/api/v1/executions", "/api/v1/dashboard/stats", "/api/v1/prompts", "/api/v1/jobs"];
/// The TypeScript backend that this project replaces, with 100,000 executions on such a machine, in milliseconds.
const REFERENCE: [(&str, f64); 4] =
    [("list: completed, page 1", 106.0), ("stats", 432.0), ("dashboard stats", 854.0), ("dashboard daily", 241.0)];

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
pub async fn scale(args: ScaleArgs) -> Result<()> {
    let root = workspace_root()?;
    let template = Template::load(&root)?;
    let profile = if args.debug { Profile::Dev } else { Profile::Quick };
    let serving = |method: &str, path: &str| {
        let found = template.route(method, path).map(|found| found.route.function.clone());
        found.with_context(|| format!("the template has no route for {path}"))
    };
    let mut names = BTreeSet::from([MIGRATE.to_owned(), serving("POST", REGISTER)?]);
    for path in CALLED {
        names.insert(serving("GET", path)?);
    }
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    let built = build_functions(&root, &list, profile, true).await?;
    let programs: BTreeMap<String, PathBuf> = names.iter().map(|name| (name.clone(), built.join(name))).collect();

    let mut all = BTreeMap::new();
    for &size in &args.sizes {
        all.insert(size, measure(&template, &programs, size, args.samples).await?);
    }
    print(&args, &all);
    if let Some(file) = &args.json {
        fs::write(file, format!("{:#}\n", report(&args, &all)))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let missed = missed(&all);
    match args.check && !missed.is_empty() {
        true => bail!("goals were missed: {}", missed.join("; ")),
        false => Ok(()),
    }
}

async fn measure(
    template: &Template,
    programs: &BTreeMap<String, PathBuf>,
    size: u32,
    samples: u32,
) -> Result<Figures> {
    let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
    let file = dir.path().join(DATABASE_FILE);
    let database = DatabaseConfig::File(file.clone());
    let (data_dir, env) = (dir.path(), BTreeMap::new());
    let isolation = Isolation { data_dir, database: &database, programs, env: &env, max_instances: 1 };
    let host = Host::new(functions_alone(template, &isolation)?, dir.path(), &Reporter::silent())?;
    let alone = Alone { template, host: &host };
    let token = alone.set_up().await?;
    let db = Db::new(&database);
    let mut figures = Figures::default();
    println!("Storing {size} executions");
    let start = Instant::now();
    seed::seed(&db, size).await.context("the executions could not be stored")?;
    figures.seed_seconds = start.elapsed().as_secs_f64();
    figures.database_bytes = fs::metadata(&file).context("no database file")?.len();
    println!("  {:.0} s, {:.0} MB", figures.seed_seconds, figures.database_bytes as f64 / 1e6);
    let start = Instant::now();
    let measured = Bench { alone: &alone, db: &db, token: &token, samples }.run(&mut figures).await;
    println!("  measured in {:.0} s", start.elapsed().as_secs_f64());
    host.shutdown().await;
    measured.map(|()| figures)
}

/// How much slower the largest size is than the smallest. There is none for a page that the smallest does not have.
fn ratio(all: &BTreeMap<u32, Figures>, operation: &str) -> Option<f64> {
    let p50 = |figures: &Figures| figures.worst(operation).map(|times| times.p50);
    let (smallest, largest) = (all.values().next()?, all.values().next_back()?);
    Some(p50(largest)? / p50(smallest)?)
}

/// The goal for the time of an operation, and whether it must not grow.
fn goal(operation: &str) -> Option<(f64, bool)> {
    if operation.ends_with(", middle page") || operation.ends_with(", last page") {
        return Some((GOAL_DEEPEST_MS, false));
    }
    match operation {
        "finish" => Some((GOAL_FINISH_MS, true)),
        "stats" => Some((GOAL_P50_MS, true)),
        _ if operation.starts_with("list: ") || operation.starts_with("dashboard ") => Some((GOAL_P50_MS, true)),
        _ => None,
    }
}

/// The goals that the largest size misses.
fn missed(all: &BTreeMap<u32, Figures>) -> Vec<String> {
    let Some(largest) = all.values().next_back() else { return Vec::new() };
    let mut missed = Vec::new();
    for operation in largest.times.keys() {
        let (Some((most, is_level)), Some(times)) = (goal(operation), largest.worst(operation)) else { continue };
        if times.p50 > most {
            missed.push(format!("{operation}: {:.1} ms, not {most}", times.p50));
        }
        if is_level && let Some(ratio) = ratio(all, operation).filter(|ratio| *ratio > GOAL_RATIO) {
            missed.push(format!("{operation}: grows by {ratio:.1}"));
        }
    }
    missed
}

fn print(args: &ScaleArgs, all: &BTreeMap<u32, Figures>) {
    let build = if args.debug { "debug" } else { "optimised" };
    println!("\nScale: {} cores, {build} build, a file, {} samples; p50 / p99 in ms", cores(), args.samples);
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
    let missed = missed(all);
    println!(
        "\ngoals (p50 of lists, stats and dashboard {GOAL_P50_MS} ms, deepest page {GOAL_DEEPEST_MS} ms, finish \
         {GOAL_FINISH_MS} ms, ratio {GOAL_RATIO}): {}",
        reached(missed.is_empty())
    );
    missed.iter().for_each(|line| println!("  {line}"));
}

fn report(args: &ScaleArgs, all: &BTreeMap<u32, Figures>) -> Value {
    let sizes = all.iter().map(|(size, figures)| {
        let operations = figures.times.iter().map(|(operation, variants)| {
            let variants = variants.iter().map(|(name, times)| (name.clone(), Percentiles::of(times.clone()).json()));
            (operation.clone(), Value::Object(variants.collect()))
        });
        let values = json!({
            "seedSeconds": rounded(figures.seed_seconds),
            "databaseBytes": figures.database_bytes,
            "operationsMs": operations.collect::<serde_json::Map<_, _>>(),
        });
        (size.to_string(), values)
    });
    json!({
        "benchmark": "scale",
        "setting": {
            "cores": cores(), "build": if args.debug { "debug" } else { "optimised" }, "runtime": "host",
            "database": "file", "samples": args.samples,
        },
        "sizes": sizes.collect::<serde_json::Map<_, _>>(),
        "missed": missed(all),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(operation: &str, variants: &[(&str, f64)]) -> Figures {
        let mut figures = Figures::default();
        variants.iter().for_each(|(variant, time)| figures.add(operation, variant, *time));
        figures
    }

    #[test]
    fn the_slowest_order_counts() {
        let list = "list: all, page 1";
        let all = BTreeMap::from([
            (10, figures(list, &[("created_at ASC", 1.0), ("updated_at ASC", 2.0)])),
            (100, figures(list, &[("created_at ASC", 6.0), ("updated_at ASC", 1.0)])),
        ]);
        assert_eq!(ratio(&all, list), Some(3.0));
        assert_eq!(missed(&all), [format!("{list}: 6.0 ms, not 5"), format!("{list}: grows by 3.0")]);
    }

    #[test]
    fn deep_pages_may_take_longer_and_other_operations_have_no_goal() {
        let deep = "list: all, middle page";
        let all = BTreeMap::from([(10, figures(deep, &[("", 1.0)])), (100, figures(deep, &[("", 49.0)]))]);
        assert_eq!(missed(&all), Vec::<String>::new());
        let all = BTreeMap::from([(10, figures("create", &[("", 1.0)])), (100, figures("create", &[("", 99.0)]))]);
        assert_eq!(missed(&all), Vec::<String>::new());
    }
}

//! Hot operations on a local file and at a database server at a distance: how often they ask it, and how long that takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    config::DatabaseConfig,
    db::Statement,
    executions::pipeline::{self, Claim},
    params,
};
use shared_testing::hrana::HranaServer;

use super::{
    common::CommonArgs,
    figures::{Percentiles, milliseconds, rounded},
    functions::{Functions, Programs},
    goal::Goal,
    load::{Call, Client},
    stock::{Stock, answer, execution_body, input},
};
use crate::api::{EMAIL, PASSWORD};

const GOAL_FINISH_TRIPS: f64 = 4.0;
const GOAL_FINISH_FILE_MS: f64 = 3.0;
const LEASE: Duration = Duration::from_secs(3600);
const FINISH: &str = "finish an execution";

/// Options of `cargo dev bench remote`.
#[derive(Debug, Clone, Args)]
pub struct RemoteArgs {
    /// How long each request to the database is on its way, there and back, in milliseconds
    #[arg(long, value_name = "MS", value_delimiter = ',', default_values_t = [0, 5, 20], value_parser = clap::value_parser!(u16).range(0..=1_000))]
    pub latency_ms: Vec<u16>,
    /// How often each operation is measured
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub times: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What was measured of one operation.
#[derive(Debug, Clone)]
struct Operation {
    name: String,
    /// Requests to the server each time.
    trips: f64,
    /// In milliseconds: on a file, and then in the order of the latencies.
    times: Vec<Percentiles>,
}

/// Runs the benchmark and prints its figures.
pub(super) async fn remote(args: RemoteArgs) -> Result<()> {
    let programs = Programs::build(&args.common).await?;
    let on_file = async |functions: &Functions| {
        println!("On a file");
        let stock = Stock::fill(functions).await?;
        Meter { server: None, times: args.times }.measure_all(functions, &stock).await
    };
    let mut operations = Functions::run(&programs, 1, None, on_file).await?;

    let dir = tempfile::tempdir().context("no temporary directory")?;
    let server = HranaServer::start(dir.path().join("served.db")).await;
    let database = DatabaseConfig::Remote { url: server.url(), token: None };
    let at_server = async |functions: &Functions| {
        let stock = Stock::fill(functions).await?;
        for latency_ms in &args.latency_ms {
            println!("With {latency_ms} ms to the server");
            server.latency(Duration::from_millis((*latency_ms).into()));
            let meter = Meter { server: Some(&server), times: args.times };
            for (operation, more) in operations.iter_mut().zip(meter.measure_all(functions, &stock).await?) {
                operation.times.extend(more.times);
                operation.trips = operation.trips.max(more.trips);
            }
        }
        Ok(operations)
    };
    let operations = Functions::run(&programs, 1, Some(database), at_server).await?;
    print(&args, &operations);
    let setting = json!({"server": "libSQL test server", "times": args.times});
    args.common.finish("remote", setting, json!({"operations": figures(&args, &operations)}), &goals(&operations))
}

fn calls(functions: &Functions, stock: &Stock) -> Vec<Call> {
    let Stock { prompt, execution, deployment, api_key, .. } = stock;
    let (run, login) = (json!({"userInput": input()}), json!({"email": EMAIL, "password": PASSWORD}));
    let execution = format!("/api/v1/executions/{execution}");
    vec![
        Call::post("sign in", "/api/v1/auth/login", &login).expecting(200),
        Call::get("list 10 prompts", "/api/v1/prompts?limit=10").with_session(functions),
        Call::post("create an execution", "/api/v1/executions", &execution_body(prompt, 1)).with_session(functions),
        Call::get("read an execution", execution.clone()).with_session(functions),
        Call::get("read an execution, with an API key", execution).with_key(api_key),
        Call::get("list 10 executions", "/api/v1/executions?limit=10").with_session(functions),
        Call::post("run a deployment, with an API key", format!("/api/v1/deployments/run/{deployment}"), &run)
            .with_key(api_key),
        Call::get("dashboard", "/api/v1/dashboard/stats").with_session(functions),
    ]
}

struct Meter<'a> {
    /// Counts the requests; none on a file.
    server: Option<&'a HranaServer>,
    times: u32,
}

impl Meter<'_> {
    async fn measure_all(&self, functions: &Functions, stock: &Stock) -> Result<Vec<Operation>> {
        let (client, mut measured) = (Client::new(functions)?, Vec::new());
        for call in calls(functions, stock) {
            measured.push(self.measure(&call.name, async || client.send(&call).await.map(drop)).await?);
        }
        measured.extend(self.measure_pipeline(&functions.db).await?);
        Ok(measured)
    }

    fn requests(&self) -> usize {
        self.server.map_or(0, HranaServer::requests)
    }

    /// Does something as often as was asked for, one after another, and once more before that.
    async fn measure(&self, name: &str, mut work: impl AsyncFnMut() -> Result<()>) -> Result<Operation> {
        work().await?;
        let before = self.requests();
        let mut times = Vec::new();
        for _ in 0..self.times {
            let start = Instant::now();
            work().await?;
            times.push(milliseconds(start, Instant::now()));
        }
        let trips = (self.requests() - before) as f64 / f64::from(self.times);
        Ok(Operation { name: name.to_owned(), trips, times: vec![Percentiles::of(times)] })
    }

    /// What workers do, on the executions that were created.
    async fn measure_pipeline(&self, db: &Db) -> Result<[Operation; 2]> {
        set_limit(db, self.times + 2).await?;
        let mut claims: Vec<Claim> = Vec::new();
        let claim = self.measure("claim the next execution", async || {
            let next = pipeline::claim_next(db, ProviderName::Ollama, LEASE, Timestamp::now()).await?;
            claims.push(next.context("nothing is in line")?);
            Ok(())
        });
        let claim = claim.await?;
        let outcome = answer();
        let finish = self.measure(FINISH, async || {
            let claim = claims.pop().context("nothing runs")?;
            if !pipeline::finish(db, &claim, &outcome, Timestamp::now()).await? {
                bail!("an execution was not finished");
            }
            Ok(())
        });
        let finish = finish.await?;
        set_limit(db, 1).await?;
        Ok([claim, finish])
    }
}

/// One place is always taken; see [`Stock::fill`].
async fn set_limit(db: &Db, limit: u32) -> Result<()> {
    let sql = "UPDATE settings SET data = json_set(data, '$.max_running', ?1) WHERE type = 'provider-limits'";
    db.write(vec![Statement::new(sql, params![limit])]).await?;
    Ok(())
}

/// What the columns of times are about.
fn places(args: &RemoteArgs) -> Vec<String> {
    let servers = args.latency_ms.iter().map(|latency| format!("{latency} ms away"));
    std::iter::once("file".to_owned()).chain(servers).collect()
}

fn print(args: &RemoteArgs, operations: &[Operation]) {
    let columns: String = places(args).iter().map(|place| format!("{place:>16}")).collect();
    println!("\nOperations on a file and at a server, {}", args.common);
    println!("\n{:<36}{:>12}{columns}", "p50 / p99, ms", "round trips");
    for Operation { name, trips, times } in operations {
        let times = times.iter().map(|times| format!("{:.1} / {:.1}", times.p50, times.p99));
        println!("{name:<36}{trips:>12.1}{}", times.map(|times| format!("{times:>16}")).collect::<String>());
    }
}

fn goals(operations: &[Operation]) -> Vec<Goal> {
    let Some(finish) = operations.iter().find(|operation| operation.name == FINISH) else { return Vec::new() };
    let on_file = finish.times.first().map_or(f64::NAN, |times| times.p50);
    vec![
        Goal::at_most(format!("{FINISH} on a file, p50,"), GOAL_FINISH_FILE_MS, "ms", on_file),
        Goal::at_most(FINISH, GOAL_FINISH_TRIPS, "round trips", finish.trips),
    ]
}

fn figures(args: &RemoteArgs, operations: &[Operation]) -> Vec<Value> {
    let operations = operations.iter().map(|operation| {
        let times = places(args).into_iter().zip(operation.times.iter().map(|times| times.json()));
        json!({
            "operation": operation.name,
            "roundTrips": rounded(operation.trips),
            "ms": times.collect::<serde_json::Map<_, _>>(),
        })
    });
    operations.collect()
}

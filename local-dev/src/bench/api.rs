//! Throughput, latency, processor time and memory of operations, through gateway and runtime host.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    cold::first_request,
    common::CommonArgs,
    figures::rounded,
    functions::{Functions, Programs, is_api},
    goal::Goal,
    load::{Call, Load, direct, in_turn, load},
    stock::{Stock, execution_body, input},
};
use crate::{
    build::workspace_root,
    openapi::{DOCUMENT_PATH, read},
};

/// The operation that the goals speak of, at so many connections.
const PROMPTS_LIST: &str = "list 10 prompts";
const GOAL_CONNECTIONS: usize = 8;
const GOAL_CPU_MS: f64 = 0.06;
const GOAL_P99_MS: f64 = 10.0;
const GOAL_RESIDENT_MB: f64 = 20.0;

/// Options of `cargo dev bench api`.
#[derive(Debug, Clone, Args)]
pub struct ApiArgs {
    /// How many requests are under way at once, each in a process of its own
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64], value_parser = clap::value_parser!(u16).range(1..=256))]
    pub connections: Vec<u16>,
    /// How long each operation is measured at each number of connections
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// Requests to one process of each function, after which its memory is read; 0 leaves that out
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub requests: u32,
    /// Measures only this function; may be repeated
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What was measured of one operation.
struct Measured {
    call: Call,
    function: String,
    /// Without the gateway.
    direct: Load,
    /// By number of connections.
    loads: Vec<(usize, Load)>,
}

/// Memory of one process, in MB.
struct Memory {
    function: String,
    at_first: f64,
    resident: f64,
    peak: f64,
}

/// Runs the benchmark and prints its figures.
pub(super) async fn api(args: ApiArgs) -> Result<()> {
    let most = args.connections.iter().max().copied().unwrap_or(1);
    let programs = Programs::build(&args.common, is_api).await?;
    let measure = async |functions: &Functions| measure_all(functions, &args).await;
    let (measured, memory) = Functions::run(&programs, most.into(), None, measure).await?;
    print(&args, &measured, &memory);
    let setting = json!({"database": "file", "seconds": args.seconds, "requests": args.requests});
    args.common.finish("api", setting, figures(&measured, &memory), &goals(&measured, &memory))
}

async fn measure_all(functions: &Functions, args: &ApiArgs) -> Result<(Vec<Measured>, Vec<Memory>)> {
    if let Some(unknown) = args.only.iter().find(|name| !functions.names().any(|function| function == *name)) {
        bail!("There is no API function {unknown}.");
    }
    let stock = Stock::fill(functions).await.context("the installation could not be filled")?;
    let mut calls = Vec::new();
    for call in operations(functions, &stock)? {
        let function = call.function(functions)?;
        if args.only.is_empty() || args.only.contains(&function) {
            calls.push((function, call));
        }
    }
    let mut memory = Vec::new();
    if args.requests > 0 {
        for function in functions.names() {
            let own: Vec<Call> =
                calls.iter().filter(|(name, _)| name == function).map(|(_, call)| call.clone()).collect();
            if !own.is_empty() {
                println!("Memory of {function} after {} requests", args.requests);
                memory.push(remember(functions, function, &own, args.requests).await?);
            }
        }
    }
    let time = Duration::from_secs(args.seconds.into());
    let mut measured = Vec::new();
    for (function, call) in calls {
        println!("{function}: {}", call.name);
        let direct = direct(functions, &call, time).await?;
        let mut loads = Vec::new();
        for connections in args.connections.iter().copied().map(usize::from) {
            loads.push((connections, load(functions, &call, connections, time).await?));
        }
        // Sleeping processes of other functions would be in the way of the next ones.
        functions.renew(&function).await;
        measured.push(Measured { call, function, direct, loads });
    }
    Ok((measured, memory))
}

/// What is measured: what people and applications do most, and of every other function its first list.
fn operations(functions: &Functions, stock: &Stock) -> Result<Vec<Call>> {
    let Stock { prompt, execution, deployment, api_key } = stock;
    let run = json!({"userInput": input()});
    let mut calls = vec![
        Call::get("health", "/api/health"),
        Call::get(PROMPTS_LIST, "/api/v1/prompts?limit=10"),
        Call::get("read a prompt", format!("/api/v1/prompts/{prompt}")),
        Call::get("list 10 executions", "/api/v1/executions?limit=10"),
        Call::get("read an execution", format!("/api/v1/executions/{execution}")),
        Call::get("counts of executions", "/api/v1/executions/stats/all"),
        Call::post("create an execution", "/api/v1/executions", &execution_body(prompt, 1)),
        Call::post("run a deployment, with an API key", format!("/api/v1/deployments/run/{deployment}"), &run)
            .with_key(api_key),
        Call::get("read one's profile", "/api/v1/users/profile/me"),
        Call::get("dashboard", "/api/v1/dashboard/stats"),
        Call::get("comments on a prompt", format!("/api/v1/comments?prompt_id={prompt}")),
    ];
    let document = read(&workspace_root()?.join(DOCUMENT_PATH))?;
    for function in functions.names() {
        let has_calls = calls.iter().any(|call| call.function(functions).is_ok_and(|serving| serving == function));
        let first = first_request(&document, &functions.template, function);
        if let Some(path) = first.filter(|_| !has_calls) {
            calls.push(Call::get(&format!("GET {path}"), path.clone()));
        }
    }
    Ok(calls.into_iter().map(|call| if call.has_key() { call } else { call.with_session(functions) }).collect())
}

/// Sends so many requests to a new process and reads its memory.
async fn remember(functions: &Functions, function: &str, calls: &[Call], requests: u32) -> Result<Memory> {
    let mb = |bytes: u64| bytes as f64 / 1_000_000.0;
    functions.renew(function).await;
    in_turn(functions, calls, 1).await?;
    let at_first = mb(functions.only_process(function)?.resident_bytes);
    in_turn(functions, calls, requests).await?;
    let usage = functions.only_process(function)?;
    let function = function.to_owned();
    Ok(Memory { function, at_first, resident: mb(usage.resident_bytes), peak: mb(usage.peak_bytes) })
}

fn print(args: &ApiArgs, measured: &[Measured], memory: &[Memory]) {
    println!("\nOperations on {}, local database file", args.common);
    println!(
        "\n{:<36}{:>12}{:>10}{:>18}{:>12}{:>12}",
        "", "connections", "per s", "p50 / p99, ms", "function", "other"
    );
    println!("{:<36}{:>64}", "", "CPU seconds per 1,000");
    for Measured { call, direct, loads, .. } in measured {
        let row = |name: &str, connections: &str, load: &Load| {
            let times = format!("{:.2} / {:.2}", load.latency.p50, load.latency.p99);
            let Load { per_second, function_cpu_ms, other_cpu_ms, .. } = load;
            println!(
                "{name:<36}{connections:>12}{per_second:>10.0}{times:>18}{function_cpu_ms:>12.3}{other_cpu_ms:>12.3}"
            );
        };
        row(&call.name, "direct", direct);
        for (connections, load) in loads {
            row("", &connections.to_string(), load);
        }
    }
    if !memory.is_empty() {
        println!("\nMemory of one process, MB{:>24}{:>16}{:>8}", "first answer", args.requests, "most");
        for Memory { function, at_first, resident, peak } in memory {
            println!("{function:<36}{at_first:>13.1}{resident:>16.1}{peak:>8.1}");
        }
    }
}

fn goals(measured: &[Measured], memory: &[Memory]) -> Vec<Goal> {
    let mut goals = Vec::new();
    if let Some(load) = prompts_list(measured) {
        let list = format!("{PROMPTS_LIST}, {GOAL_CONNECTIONS} connections");
        goals.push(Goal::at_most(format!("{list}, the function's CPU"), GOAL_CPU_MS, "ms", load.function_cpu_ms));
        goals.push(Goal::at_most(format!("{list}, p99,"), GOAL_P99_MS, "ms", load.latency.p99));
    }
    if !memory.is_empty() {
        let resident = memory.iter().map(|memory| (memory.function.clone(), memory.resident));
        goals.push(Goal::all_at_most("memory after all requests", GOAL_RESIDENT_MB, "MB", resident));
    }
    goals
}

fn prompts_list(measured: &[Measured]) -> Option<&Load> {
    let list = measured.iter().find(|measured| measured.call.name == PROMPTS_LIST)?;
    list.loads.iter().find(|(connections, _)| *connections == GOAL_CONNECTIONS).map(|(_, load)| load)
}

fn figures(measured: &[Measured], memory: &[Memory]) -> Value {
    let operations = measured.iter().map(|measured| {
        let loads = measured.loads.iter().map(|(connections, load)| (connections.to_string(), load.json()));
        json!({
            "operation": measured.call.name,
            "function": measured.function,
            "direct": measured.direct.json(),
            "byConnections": loads.collect::<serde_json::Map<_, _>>(),
        })
    });
    let memory = memory.iter().map(|memory| {
        let Memory { at_first, resident, peak, .. } = memory;
        let values = json!({"firstAnswer": rounded(*at_first), "resident": rounded(*resident), "peak": rounded(*peak)});
        (memory.function.clone(), values)
    });
    json!({"operations": operations.collect::<Vec<_>>(), "memoryMb": memory.collect::<serde_json::Map<_, _>>()})
}

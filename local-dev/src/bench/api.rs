//! Throughput, latency, processor time and memory of operations, through gateway and runtime host.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};

use super::{
    common::{CommonArgs, cores},
    figures::rounded,
    functions::{Functions, Programs},
    goal::Goal,
    load::{Call, Load, direct, load},
    operations::{PROMPTS_LIST, SIGN_IN, operations},
    stock::Stock,
};

/// The goals speak of so many connections.
const GOAL_CONNECTIONS: usize = 8;
const GOAL_CPU_MS: f64 = 0.06;
const GOAL_P99_MS: f64 = 10.0;
const GOAL_RESIDENT_MB: f64 = 20.0;
/// Of so many requests that a process gets one after another, one signs in.
const SIGN_IN_EVERY: u32 = 100;

/// Options of `cargo dev bench api`.
#[derive(Debug, Clone, Args)]
pub struct ApiArgs {
    /// How many requests are under way at once, each in a process of its own
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64], value_parser = clap::value_parser!(u16).range(1..=256))]
    pub connections: Vec<u16>,
    /// How long each operation is measured at each number of connections, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub time_ms: u32,
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
    operation: String,
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
    let programs = Programs::build(&args.common).await?;
    let measure = async |functions: &Functions| measure_all(functions, &args).await;
    let (measured, memory) = Functions::run(&programs, most.into(), None, measure).await?;
    let setting = json!({"database": "file", "timeMs": args.time_ms, "requests": args.requests});
    args.common.finish("api", setting, figures(&measured, &memory), &goals(&measured, &memory))
}

async fn measure_all(functions: &Functions, args: &ApiArgs) -> Result<(Vec<Measured>, Vec<Memory>)> {
    if let Some(unknown) = args.only.iter().find(|name| !functions.names().any(|function| function == *name)) {
        bail!("There is no API function {unknown}.");
    }
    let stock = Stock::fill(functions).await.context("the installation could not be filled")?;
    let mut calls = Vec::new();
    for call in operations(functions, &stock) {
        let function = call.function(functions)?;
        if args.only.is_empty() || args.only.contains(&function) {
            calls.push((function, call));
        }
    }
    // What changes something comes last, so that lists are as long as they were filled.
    calls.sort_by_key(|(function, call)| (call.is_write(), function.clone()));
    let measured = measure_loads(functions, &calls, args).await?;
    let memory = measure_memory(functions, &calls, args.requests).await?;
    Ok((measured, memory))
}

/// Every operation at every number of connections; prints each line as it comes.
async fn measure_loads(functions: &Functions, calls: &[(String, Call)], args: &ApiArgs) -> Result<Vec<Measured>> {
    let time = Duration::from_millis(args.time_ms.into());
    println!("\nOperations on {}, local database file", args.common);
    println!(
        "\n{:<58}{:>12}{:>9}{:>17}{:>9}{:>8}{:>8}",
        "", "connections", "per s", "p50 / p99, ms", "CPU s", "system", "others"
    );
    println!("{:<58}{:>63}", "", "per 1,000 requests");
    let mut measured = Vec::new();
    for (number, (function, call)) in calls.iter().enumerate() {
        if number == 0 || calls[number - 1].0 != *function {
            println!("{function}, from {} of {}", number + 1, calls.len());
        }
        let direct = direct(functions, call, time).await.with_context(|| call.name.clone())?;
        print_row(&format!("  {}", call.name), "direct", &direct);
        let mut loads = Vec::new();
        let is_possible = |connections: &usize| *connections == 1 || !call.is_exclusive;
        for connections in args.connections.iter().copied().map(usize::from).filter(is_possible) {
            let load = load(functions, call, connections, time).await.with_context(|| call.name.clone())?;
            print_row("", &connections.to_string(), &load);
            loads.push((connections, load));
        }
        // Sleeping processes of other functions would be in the way of the next ones.
        if calls.get(number + 1).is_none_or(|(next, _)| next != function) {
            functions.renew(function).await;
        }
        let (operation, function) = (call.name.clone(), function.clone());
        measured.push(Measured { operation, function, direct, loads });
    }
    Ok(measured)
}

fn print_row(name: &str, connections: &str, load: &Load) {
    let times = format!("{:.2} / {:.2}", load.latency.p50, load.latency.p99);
    let Load { per_second, function_cpu_ms, system_cpu_ms, other_cpu_ms, .. } = load;
    println!(
        "{name:<58}{connections:>12}{per_second:>9.0}{times:>17}{function_cpu_ms:>9.3}{system_cpu_ms:>8.3}{other_cpu_ms:>8.3}"
    );
}

/// The memory of one process of each function after so many requests; as many functions at once as there are processors.
async fn measure_memory(functions: &Functions, calls: &[(String, Call)], requests: u32) -> Result<Vec<Memory>> {
    if requests == 0 {
        return Ok(Vec::new());
    }
    println!("\nMemory of one process, MB{:>33}{:>16}{:>8}", "first answer", format!("{requests} requests"), "most");
    let measured = stream::iter(functions.names())
        .map(|function| async move {
            let own: Vec<&Call> = calls.iter().filter(|(name, _)| name == function).map(|(_, call)| call).collect();
            if own.is_empty() {
                return Ok(None);
            }
            let memory = remember(functions, function, &own, requests).await.with_context(|| function.to_owned())?;
            let Memory { at_first, resident, peak, .. } = &memory;
            println!("{function:<36}{at_first:>22.1}{resident:>16.1}{peak:>8.1}");
            Ok::<_, anyhow::Error>(Some(memory))
        })
        .buffer_unordered(cores());
    let mut memory: Vec<Memory> = measured.try_filter_map(async |memory| Ok(memory)).try_collect().await?;
    memory.sort_by(|one, other| one.function.cmp(&other.function));
    Ok(memory)
}

/// Sends so many requests to a new process, its operations in turn, and reads its memory.
async fn remember(functions: &Functions, function: &str, calls: &[&Call], requests: u32) -> Result<Memory> {
    let mb = |bytes: u64| bytes as f64 / 1_000_000.0;
    functions.renew(function).await;
    calls[0].invoke(functions).await?;
    let at_first = mb(functions.only_process(function)?.resident_bytes);
    let (slow, quick): (Vec<&Call>, Vec<&Call>) = calls.iter().copied().partition(|call| call.name == SIGN_IN);
    let mut quick = quick.into_iter().cycle();
    for number in 1..requests {
        let call = slow.first().copied().filter(|_| number % SIGN_IN_EVERY == 0).or_else(|| quick.next());
        call.context("nothing to send")?.invoke(functions).await?;
    }
    let usage = functions.only_process(function)?;
    functions.renew(function).await;
    let function = function.to_owned();
    Ok(Memory { function, at_first, resident: mb(usage.resident_bytes), peak: mb(usage.peak_bytes) })
}

fn goals(measured: &[Measured], memory: &[Memory]) -> Vec<Goal> {
    let list = measured.iter().find(|measured| measured.operation == PROMPTS_LIST);
    let load = list.and_then(|list| list.loads.iter().find(|(connections, _)| *connections == GOAL_CONNECTIONS));
    let mut goals = Vec::new();
    if let Some((_, load)) = load {
        let list = format!("list of ten prompts, {GOAL_CONNECTIONS} connections");
        goals.push(Goal::at_most(
            format!("{list}, the function's CPU per request"),
            GOAL_CPU_MS,
            "ms",
            load.function_cpu_ms,
        ));
        goals.push(Goal::at_most(format!("{list}, p99,"), GOAL_P99_MS, "ms", load.latency.p99));
    }
    if !memory.is_empty() {
        let resident = memory.iter().map(|memory| (memory.function.clone(), memory.resident));
        goals.push(Goal::all_at_most("memory after all requests", GOAL_RESIDENT_MB, "MB", resident));
    }
    goals
}

fn figures(measured: &[Measured], memory: &[Memory]) -> Value {
    let operations = measured.iter().map(|measured| {
        let loads = measured.loads.iter().map(|(connections, load)| (connections.to_string(), load.json()));
        json!({
            "operation": measured.operation,
            "function": measured.function,
            "direct": measured.direct.json(),
            "byConnections": loads.collect::<Map<_, _>>(),
        })
    });
    let memory = memory.iter().map(|memory| {
        let Memory { at_first, resident, peak, .. } = memory;
        let values = json!({"firstAnswer": rounded(*at_first), "resident": rounded(*resident), "peak": rounded(*peak)});
        (memory.function.clone(), values)
    });
    json!({"operations": operations.collect::<Vec<_>>(), "memoryMb": memory.collect::<Map<_, _>>()})
}

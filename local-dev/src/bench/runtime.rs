//! What a request costs before our code does anything, what our code adds, and what the same costs on Node.js: all through
//! the same runtime host, one request at a time, in one run.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::body::Bytes;
use clap::Args;
use serde_json::{Value, json};

use super::{
    common::CommonArgs,
    figures::{Percentiles, rounded, thousandths},
    functions::{CALL_LIMIT, Functions, Programs},
    load::{Call, Load, invoke, measure, status},
    stock::Stock,
};
use crate::{
    build::{build_functions, workspace_root},
    host::{Host, HostedFunction},
    invoke::Invoker,
    report::Reporter,
};

const PROMPTS: &str = "api-prompts";
const SYSTEM: &str = "api-system";
/// Programs of ours that do nothing, in `local-dev/src/bin`.
const BARE_LOOP: &str = "bare-loop";
const CONSTANT_FUNCTION: &str = "constant-function";
/// Where the function for Node.js is, from the workspace.
const NODE_DIR: &str = "local-dev/node";
const NODE_SCRIPT: &str = "list-prompts.js";
const SHORT_ANSWER: &str = r#"{"statusCode":200,"body":"{}"}"#;

/// Options of `cargo dev bench runtime`.
#[derive(Debug, Clone, Args)]
pub struct RuntimeArgs {
    /// How often each function is measured; the functions take turns, and the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// How long each function is measured each time, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub time_ms: u32,
    /// Starts of each function
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub starts: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A function, and the event that it answers again and again.
struct Candidate {
    name: &'static str,
    function: HostedFunction,
    event: Bytes,
    expected: u16,
}

/// What was measured of a candidate.
struct Measured {
    name: &'static str,
    /// From the start of the process to its first request for work, in milliseconds.
    first_poll: Percentiles,
    rounds: Vec<Load>,
    resident_mb: f64,
    answer_bytes: usize,
}

impl Measured {
    /// The median of all rounds.
    fn median(&self, figure: impl Fn(&Load) -> f64) -> f64 {
        Percentiles::of(self.rounds.iter().map(figure).collect()).p50
    }

    /// Counted in hundredths of a second, so the mean tells more than the median.
    fn system_cpu(&self) -> f64 {
        self.rounds.iter().map(|load| load.system_cpu_ms).sum::<f64>() / self.rounds.len() as f64
    }

    fn cpu(&self) -> f64 {
        self.median(|load| load.function_cpu_ms)
    }

    fn json(&self) -> Value {
        json!({
            "function": self.name,
            "toFirstPollMs": self.first_poll.json(),
            "latencyMs": {
                "p50": rounded(self.median(|load| load.latency.p50)), "p99": rounded(self.median(|load| load.latency.p99)),
            },
            "cpuMs": thousandths(self.cpu()),
            "systemCpuMs": thousandths(self.system_cpu()),
            "residentMb": rounded(self.resident_mb),
            "answerBytes": self.answer_bytes,
        })
    }
}

/// Runs the benchmark and prints its figures.
pub(super) async fn runtime(args: RuntimeArgs) -> Result<()> {
    let root = workspace_root()?;
    let programs = Programs::build(&args.common).await?;
    let idle = build_functions(&root, &[BARE_LOOP, CONSTANT_FUNCTION], args.common.profile(), true).await?;
    let node = Node::find(&root.join(NODE_DIR));
    let measure = async |functions: &Functions| {
        let candidates = candidates(functions, &idle, node.as_ref().ok()).await?;
        measure_all(functions, &candidates, &args).await
    };
    let measured = Functions::run(&programs, 1, None, measure).await?;
    let node = node.map_or_else(|reason| format!("skipped: {reason}"), |node| node.version);
    print(&args, &measured, &node);
    let setting =
        json!({"database": "file", "rounds": args.rounds, "timeMs": args.time_ms, "starts": args.starts, "node": node});
    let figures: Vec<Value> = measured.iter().map(Measured::json).collect();
    args.common.finish("runtime", setting, json!({"functions": figures}), &[])
}

/// Everything to measure, the least first.
async fn candidates(functions: &Functions, idle: &Path, node: Option<&Node>) -> Result<Vec<Candidate>> {
    Stock::fill(functions).await.context("the installation could not be filled")?;
    let list = Call::get("list", "/api/v1/prompts?limit=10");
    let (_, unsigned) = list.event(functions)?;
    let (_, signed) = list.with_session(functions).event(functions)?;
    let (_, health) = Call::get("health", "/api/health").event(functions)?;
    let (answer, _) = invoke(&functions.host, PROMPTS, signed.clone()).await?;
    let list_answer = std::str::from_utf8(&answer).context("the list is no text")?;

    let ours = |name: &str| functions.host.function(name).with_context(|| format!("{name} is not there"));
    let constant = |program: &str, answer: &str| -> Result<HostedFunction> {
        let environment = [("ANSWER".to_owned(), answer.to_owned())].into();
        Ok(HostedFunction { binary: idle.join(program), environment, ..ours(PROMPTS)?.clone() })
    };
    let mut candidates = Vec::new();
    let mut add = |name: &'static str, function: HostedFunction, event: &Bytes, expected| {
        let function = HostedFunction { name: name.to_owned(), ..function };
        candidates.push(Candidate { name, function, event: event.clone(), expected });
    };
    add("bare loop, short answer", constant(BARE_LOOP, SHORT_ANSWER)?, &signed, 200);
    add("bare loop, the list's answer", constant(BARE_LOOP, list_answer)?, &signed, 200);
    add("lambda_runtime, short answer", constant(CONSTANT_FUNCTION, SHORT_ANSWER)?, &signed, 200);
    add("lambda_runtime, the list's answer", constant(CONSTANT_FUNCTION, list_answer)?, &signed, 200);
    add("api-system, health", ours(SYSTEM)?.clone(), &health, 200);
    add("api-prompts, refused", ours(PROMPTS)?.clone(), &unsigned, 401);
    add("api-prompts, list of ten prompts", ours(PROMPTS)?.clone(), &signed, 200);
    if let Some(node) = node {
        let function = HostedFunction {
            binary: node.program.clone(),
            arguments: vec![node.script.clone().into()],
            ..ours(PROMPTS)?.clone()
        };
        check_node(functions, &function, &signed, &unsigned, &answer).await?;
        add("Node.js, refused", function.clone(), &unsigned, 401);
        add("Node.js, list of ten prompts", function, &signed, 200);
    }
    Ok(candidates)
}

/// The function for Node.js must refuse what ours refuses, and answer what ours answers, to the letter.
async fn check_node(
    functions: &Functions,
    function: &HostedFunction,
    signed: &Bytes,
    unsigned: &Bytes,
    expected: &Bytes,
) -> Result<()> {
    let host = Host::new(vec![function.clone()], &functions.dir, &Reporter::silent())?;
    let answer = host.invoke(&function.name, signed.clone(), CALL_LIMIT).await.context("Node.js gave no list")?;
    let refusal = host.invoke(&function.name, unsigned.clone(), CALL_LIMIT).await.context("Node.js did not refuse")?;
    host.shutdown().await;
    if status(&refusal)? != 401 {
        bail!("Node.js let somebody in without a session");
    }
    let (ours, theirs): (Value, Value) = (serde_json::from_slice(expected)?, serde_json::from_slice(&answer)?);
    if ours != theirs {
        bail!("Node.js answers something else:\n{theirs}\nin place of\n{ours}");
    }
    Ok(())
}

async fn measure_all(functions: &Functions, candidates: &[Candidate], args: &RuntimeArgs) -> Result<Vec<Measured>> {
    let hosted = candidates.iter().map(|candidate| candidate.function.clone()).collect();
    let host = Host::new(hosted, &functions.dir, &Reporter::silent())?;
    let time = Duration::from_millis(args.time_ms.into());
    let mut all = Vec::new();
    for Candidate { name, event, .. } in candidates {
        println!("Starting {name}");
        let mut first_polls = Vec::new();
        for _ in 0..args.starts {
            let cold =
                host.cold_start(name, None, CALL_LIMIT).await.with_context(|| format!("{name} did not start"))?;
            first_polls.push(cold.to_first_poll.as_secs_f64() * 1000.0);
        }
        let answer_bytes = invoke(&host, name, event.clone()).await?.0.len();
        let first_poll = Percentiles::of(first_polls);
        all.push(Measured { name, first_poll, rounds: Vec::new(), resident_mb: f64::NAN, answer_bytes });
    }
    for round in 1..=args.rounds {
        println!("Round {round} of {}", args.rounds);
        for (Candidate { name, event, expected, .. }, measured) in candidates.iter().zip(&mut all) {
            let send = async || {
                let (answer, time) = invoke(&host, name, event.clone()).await?;
                match status(&answer)? {
                    status if status == *expected => Ok(time),
                    status => bail!("{name} answered {status} in place of {expected}"),
                }
            };
            measured.rounds.push(measure(&host, name, 1, time, send).await?);
            let process = host.usage(name).pop().with_context(|| format!("{name} has no process"))?;
            measured.resident_mb = process.resident_bytes as f64 / 1_000_000.0;
        }
    }
    host.shutdown().await;
    Ok(all)
}

/// Node.js with what the function needs.
#[derive(Debug)]
struct Node {
    program: PathBuf,
    script: PathBuf,
    /// Of Node.js and the package.
    version: String,
}

impl Node {
    /// Looks for them; tells what is missing.
    fn find(dir: &Path) -> Result<Self, String> {
        // Opens a database too: the package may be there without its compiled part.
        let ask = "const Database = require('better-sqlite3'); new Database(':memory:').close();
            const { version } = require('better-sqlite3/package.json');
            console.log(process.execPath + '\\n' + process.version + ', better-sqlite3 ' + version)";
        let output = Command::new("node").current_dir(dir).args(["-e", ask]).output();
        let output = output.map_err(|error| format!("node cannot be started ({error})"))?;
        let shown = String::from_utf8_lossy(&output.stdout);
        match shown.trim().split_once('\n') {
            Some((program, version)) if output.status.success() => {
                Ok(Self { program: program.into(), script: dir.join(NODE_SCRIPT), version: version.to_owned() })
            }
            _ => Err(format!("better-sqlite3 is not installed; `npm ci --prefix {NODE_DIR}` does that")),
        }
    }
}

fn print(args: &RuntimeArgs, measured: &[Measured], node: &str) {
    println!("\nOne request at a time on {}, without the gateway; local database file", args.common);
    println!("Node.js {node}");
    println!(
        "\n{:<36}{:>12}{:>18}{:>10}{:>9}{:>9}{:>9}{:>10}",
        "", "first poll", "p50 / p99, ms", "CPU ms", "system", "added", "MB", "bytes"
    );
    let least = measured.first().map_or(f64::NAN, Measured::cpu);
    for one in measured {
        let (p50, p99) = (one.median(|load| load.latency.p50), one.median(|load| load.latency.p99));
        println!(
            "{:<36}{:>12.1}{:>18}{:>10.3}{:>9.3}{:>9.3}{:>9.1}{:>10}",
            one.name,
            one.first_poll.p50,
            format!("{p50:.3} / {p99:.3}"),
            one.cpu(),
            one.system_cpu(),
            one.cpu() - least,
            one.resident_mb,
            one.answer_bytes,
        );
    }
    println!("\nCPU: of the function's process per request; added: to the least of all. MB: memory in the end.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_round_counts() {
        let load = |cpu| Load {
            per_second: 1.0,
            latency: Percentiles::of(vec![cpu]),
            function_cpu_ms: cpu,
            system_cpu_ms: 0.0,
            other_cpu_ms: 0.0,
        };
        let measured = Measured {
            name: "x",
            first_poll: Percentiles::of(vec![1.0]),
            rounds: [9.0, 0.1, 0.2].map(load).into(),
            resident_mb: 1.0,
            answer_bytes: 1,
        };
        assert_eq!((measured.cpu(), measured.json()["cpuMs"].as_f64()), (0.2, Some(0.2)));
    }

    #[test]
    fn what_node_lacks_is_told() {
        let empty = tempfile::tempdir().unwrap();
        let reason = Node::find(empty.path()).unwrap_err();
        assert!(reason.contains("npm ci") || reason.contains("cannot be started"), "{reason}");
    }
}

//! How quickly a big group run is accepted, and whether somebody who waits for an answer gets past it.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    figures::{Percentiles, milliseconds, rounded},
    goal::Goal,
    system::{PATIENCE, System, SystemArgs},
};
use crate::demo::MODELS;

/// The API takes so many items in one request.
const PER_REQUEST: u32 = 100;
const GOAL_ACCEPT_MS: f64 = 2000.0;
const GOAL_START_MS: f64 = 1000.0;

/// Options of `cargo dev bench admission`.
#[derive(Debug, Clone, Args)]
pub struct AdmissionArgs {
    /// Items of the group run
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub items: u32,
    /// How often both are measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub system: SystemArgs,
}

/// Times of all rounds, in milliseconds.
#[derive(Debug, Default)]
struct Times {
    /// From sending the group run to the 201.
    accept: Vec<f64>,
    /// From sending the interactive execution behind it to the arrival of its provider call.
    start: Vec<f64>,
    /// How many executions of the group run waited when the interactive one was accepted.
    waiting: Vec<u64>,
}

/// Runs the benchmark and prints its figures.
pub(super) async fn admission(args: AdmissionArgs) -> Result<()> {
    let times = System::run(&args.system, async |system| measure(system, &args).await).await?;
    print(&args, &times);
    let setting = args.system.setting(&[("items", args.items), ("rounds", args.rounds)]);
    args.system.common.finish("admission", setting, figures(&times), &goals(&times))
}

async fn measure(system: &System<'_>, args: &AdmissionArgs) -> Result<Times> {
    let prompt = system.add_prompt("bench").await?;
    system.step(&format!("Making a group of {} items", args.items));
    let group = system.add("/api/v1/test-data/groups", &json!({"name": "bench", "mode": "raw"})).await?;
    let path = format!("/api/v1/test-data/groups/{group}/items/bulk");
    for first in (0..args.items).step_by(PER_REQUEST as usize) {
        let numbers = first..args.items.min(first + PER_REQUEST);
        let items: Vec<Value> = numbers.map(|number| json!({"content": format!("item {number}")})).collect();
        system.api.post(&path, &json!({"items": items})).await?;
    }
    let bench = Runner { system, prompt, group };
    system.step("Warming up");
    bench.interactive("warm-up;").await?;

    let mut times = Times::default();
    for round in 1..=args.rounds {
        system.step(&format!("Round {round} of {}", args.rounds));
        times.accept.push(bench.accept_group_run(args.items).await?);
        let (start, waiting) = bench.interactive(&format!("interactive-{round};")).await?;
        if waiting == 0 {
            bail!("the group run was over before the interactive execution came: take more --items");
        }
        times.start.push(start);
        times.waiting.push(waiting);
        system.wait_for_all().await?;
        system.demo.forget_arrivals();
    }
    Ok(times)
}

struct Runner<'a> {
    system: &'a System<'a>,
    prompt: String,
    group: String,
}

impl Runner<'_> {
    /// Milliseconds until a run over the whole group was accepted.
    async fn accept_group_run(&self, items: u32) -> Result<f64> {
        let target = format!("ollama:{}", MODELS[0]);
        let body = json!({"promptId": self.prompt, "testDataGroupId": self.group, "providerModel": [target]});
        let sent = Instant::now();
        let created = self.system.api.post("/api/v1/executions", &body).await?;
        let accepted = Instant::now();
        let count = created["executionIds"].as_array().map_or(0, Vec::len);
        if count != items as usize {
            bail!("{count} executions were created instead of {items}");
        }
        Ok(milliseconds(sent, accepted))
    }

    /// Milliseconds until the provider was called for an execution that somebody waits for, and how many executions
    /// waited when it was accepted. `marker` tells its call from others.
    async fn interactive(&self, marker: &str) -> Result<(f64, u64)> {
        let body = json!({
            "promptId": self.prompt, "userInput": marker, "providerModel": [format!("ollama:{}", MODELS[0])],
        });
        let sent = Instant::now();
        self.system.api.post("/api/v1/executions", &body).await?;
        let stats = self.system.api.get("/api/v1/executions/stats/all").await?;
        loop {
            let arrivals = self.system.demo.arrivals();
            if let Some(arrival) = arrivals.iter().find(|arrival| arrival.prompt.contains(marker)) {
                let waiting = stats["pending"].as_u64().context("no number of waiting executions")?;
                return Ok((milliseconds(sent, arrival.at), waiting));
            }
            if sent.elapsed() > PATIENCE {
                bail!("the interactive execution did not start within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn worst(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::NAN, f64::max)
}

fn median(times: &[f64]) -> f64 {
    Percentiles::of(times.to_vec()).p50
}

fn print(args: &AdmissionArgs, times: &Times) {
    println!("\nAdmission on {}", args.system);
    println!("\n{} rounds, a group run of {} items each            median       worst", args.rounds, args.items);
    for (name, values) in
        [("group run sent to 201 received", &times.accept), ("interactive sent to provider called", &times.start)]
    {
        println!("  {name:<42}{:>8.1} ms {:>8.1} ms", median(values), worst(values));
    }
    println!("  waiting when the interactive one came: {:?}", times.waiting);
}

fn goals(times: &Times) -> [Goal; 2] {
    [
        Goal::at_most("group run sent to 201 received, median", GOAL_ACCEPT_MS, "ms", median(&times.accept)),
        Goal::at_most("interactive sent to provider called, median", GOAL_START_MS, "ms", median(&times.start)),
    ]
}

fn figures(times: &Times) -> Value {
    let both = |values: &[f64]| json!({"median": rounded(median(values)), "worst": rounded(worst(values))});
    json!({
        "groupRunSentToAcceptedMs": both(&times.accept),
        "interactiveSentToCalledMs": both(&times.start),
        "waiting": times.waiting,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_the_longest() {
        assert_eq!(worst(&[3.0, 9.0, 1.0]), 9.0);
    }
}

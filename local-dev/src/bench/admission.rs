//! How quickly a big group run is accepted, and whether somebody who waits for an answer gets past it.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    figures::{Percentiles, milliseconds, reached, rounded},
    system::{PATIENCE, System},
};
use crate::{cli::AdmissionArgs, demo::MODELS};

/// The API takes so many items in one request.
const PER_REQUEST: u32 = 100;
const GOAL_ACCEPT_MS: f64 = 2000.0;
const GOAL_START_MS: f64 = 1000.0;

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
pub async fn admission(args: AdmissionArgs) -> Result<()> {
    let times = System::run(&args.common, async |system| measure(system, &args).await).await?;
    print(&args, &times);
    args.common.write_json(&report(&args, &times))
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

fn print(args: &AdmissionArgs, times: &Times) {
    println!("\nAdmission on {}", args.common);
    println!("\n{} rounds, a group run of {} items each            median       worst", args.rounds, args.items);
    for (name, values, goal) in [
        ("group run sent to 201 received", &times.accept, GOAL_ACCEPT_MS),
        ("interactive sent to provider called", &times.start, GOAL_START_MS),
    ] {
        let (median, worst) = (Percentiles::of(values.clone()).p50, worst(values));
        println!("  {name:<42}{median:>8.1} ms {worst:>8.1} ms");
        println!("    goal: at most {goal} ms: {}", reached(median <= goal));
    }
    println!("  waiting when the interactive one came: {:?}\n", times.waiting);
}

fn report(args: &AdmissionArgs, times: &Times) -> Value {
    let mut setting = args.common.setting();
    setting.extend([("items", json!(args.items)), ("rounds", json!(args.rounds))]);
    let figures = |values: &[f64]| json!({"median": rounded(Percentiles::of(values.to_vec()).p50), "worst": rounded(worst(values))});
    json!({
        "benchmark": "admission",
        "setting": setting,
        "groupRunSentToAcceptedMs": figures(&times.accept),
        "interactiveSentToCalledMs": figures(&times.start),
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

//! How quickly an accepted execution reaches its provider, and how many of them run per second.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use shared_core::Timestamp;

use super::{
    figures::{Percentiles, milliseconds, rounded},
    goal::Goal,
    system::{PATIENCE, System, SystemArgs},
};
use crate::demo::MODELS;

/// The API takes so many targets in one request.
const PER_REQUEST: u32 = 100;
const GOAL_P50_MS: f64 = 20.0;
const GOAL_SHARE: f64 = 95.0;

/// Options of `cargo dev bench pipeline`.
#[derive(Debug, Clone, Args)]
pub struct PipelineArgs {
    /// Executions in the throughput part
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub executions: u32,
    /// Executions in the latency part, one after another
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub singles: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub system: SystemArgs,
}

/// Times of the latency part.
struct Latency {
    /// From sending the request to the arrival of the provider call.
    from_send: Percentiles,
    /// From the 201 to the arrival; below zero when the call was there before the answer.
    from_accepted: Percentiles,
    /// From sending the request to the 201.
    accept: Percentiles,
}

/// Figures of the throughput part.
struct Throughput {
    seconds: f64,
    per_second: f64,
    ideal: f64,
    most_at_once: usize,
}

/// Runs the benchmark and prints its figures.
pub(super) async fn pipeline(args: PipelineArgs) -> Result<()> {
    let (latency, throughput) = System::run(&args.system, async |system| measure(system, &args).await).await?;
    print(&args, &latency, &throughput);
    let setting = args.system.setting(&[("singles", args.singles), ("executions", args.executions)]);
    let goals = [
        Goal::at_most("request sent to provider called, p50,", GOAL_P50_MS, "ms", latency.from_send.p50),
        Goal::at_least("share of the ideal throughput", GOAL_SHARE, "%", share(&throughput)),
    ];
    args.system.common.finish("pipeline", setting, figures(&latency, &throughput), &goals)
}

async fn measure(system: &System<'_>, args: &PipelineArgs) -> Result<(Latency, Throughput)> {
    let prompt = system.add_prompt("bench").await?;
    let bench = Runner { system, prompt };
    system.step("Warming up");
    for number in 0..5 {
        bench.single(&format!("warm-up-{number};")).await?;
    }
    system.step(&format!("Latency: {} executions, one after another", args.singles));
    let latency = bench.latency(args.singles).await?;
    system.step(&format!("Throughput: {} executions at once", args.executions));
    let throughput = bench.throughput(args).await?;
    Ok((latency, throughput))
}

struct Runner<'a> {
    system: &'a System<'a>,
    prompt: String,
}

/// Instants of one execution.
struct Single {
    sent: Instant,
    accepted: Instant,
    called: Instant,
}

impl Runner<'_> {
    async fn create(&self, input: &str, count: u32) -> Result<Vec<String>> {
        let body = json!({
            "promptId": self.prompt,
            "userInput": input,
            "providerModel": vec![format!("ollama:{}", MODELS[0]); count as usize],
        });
        let created = self.system.api.post("/api/v1/executions", &body).await?;
        let ids = created["executionIds"].as_array().context("no execution ids")?;
        Ok(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// One execution from start to end; `marker` tells its provider call from others.
    async fn single(&self, marker: &str) -> Result<Single> {
        let sent = Instant::now();
        let ids = self.create(marker, 1).await?;
        let accepted = Instant::now();
        let id = ids.first().context("no execution id")?;
        loop {
            let execution = self.system.api.get(&format!("/api/v1/executions/{id}")).await?;
            match execution["status"].as_str() {
                Some("completed") => break,
                Some("failed") => bail!("execution {id} failed: {}", execution["error_message"]),
                _ if sent.elapsed() > PATIENCE => bail!("execution {id} did not end"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        let arrivals = self.system.demo.arrivals();
        let arrival = arrivals.iter().find(|arrival| arrival.prompt.contains(marker));
        Ok(Single { sent, accepted, called: arrival.context("the provider was never called")?.at })
    }

    async fn latency(&self, count: u32) -> Result<Latency> {
        let (mut from_send, mut from_accepted, mut accept) = (vec![], vec![], vec![]);
        for number in 0..count {
            let single = self.single(&format!("latency-{number};")).await?;
            from_send.push(milliseconds(single.sent, single.called));
            from_accepted.push(milliseconds(single.accepted, single.called));
            accept.push(milliseconds(single.sent, single.accepted));
        }
        Ok(Latency {
            from_send: Percentiles::of(from_send),
            from_accepted: Percentiles::of(from_accepted),
            accept: Percentiles::of(accept),
        })
    }

    async fn throughput(&self, args: &PipelineArgs) -> Result<Throughput> {
        self.system.demo.forget_arrivals();
        let mut left = args.executions;
        while left > 0 {
            let count = left.min(PER_REQUEST);
            let ids = self.create("throughput", count).await?;
            if ids.len() != count as usize {
                bail!("{} executions were created instead of {count}", ids.len());
            }
            left -= count;
        }
        self.system.wait_for_all().await?;

        let arrivals = self.system.demo.arrivals();
        if arrivals.len() != args.executions as usize {
            bail!("the provider was called {} times for {} executions", arrivals.len(), args.executions);
        }
        let first = arrivals.iter().map(|arrival| arrival.at).min().context("no provider call")?;
        let seconds = self.last_completion().await? - unix_seconds(first);
        let SystemArgs { concurrency, delay_ms, .. } = args.system;
        let delay = Duration::from_millis(delay_ms);
        Ok(Throughput {
            seconds,
            per_second: f64::from(args.executions) / seconds,
            ideal: f64::from(concurrency) / delay.as_secs_f64(),
            most_at_once: most_at_once(arrivals.iter().map(|arrival| arrival.at).collect(), delay),
        })
    }

    /// When the last execution was completed, in seconds since 1970.
    async fn last_completion(&self) -> Result<f64> {
        let rows = self.system.db.read("SELECT MAX(completed_at) AS at FROM executions", vec![]).await?;
        let at: String = rows.first().context("no executions")?.get("at")?;
        let at = at.parse::<Timestamp>().ok().context("a completion without an instant")?;
        let now = Timestamp::now();
        Ok(unix_seconds(Instant::now()) - now.millis_since(at) as f64 / 1000.0)
    }
}

/// An instant on the wall clock.
fn unix_seconds(at: Instant) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    now - at.elapsed().as_secs_f64()
}

/// How many provider calls overlapped at the worst moment.
fn most_at_once(mut starts: Vec<Instant>, duration: Duration) -> usize {
    starts.sort();
    let overlapping = |(index, last): (usize, &Instant)| {
        starts[..=index].iter().rev().take_while(|start| **start + duration > *last).count()
    };
    starts.iter().enumerate().map(overlapping).max().unwrap_or(0)
}

/// Of the ideal, in per cent.
fn share(throughput: &Throughput) -> f64 {
    throughput.per_second / throughput.ideal * 100.0
}

fn print(args: &PipelineArgs, latency: &Latency, throughput: &Throughput) {
    println!("\nPipeline on {}\n", args.system);
    println!("Latency of {} single executions         p50         p99", args.singles);
    for (name, times) in [
        ("request sent to provider called", latency.from_send),
        ("201 received to provider called", latency.from_accepted),
        ("request sent to 201 received", latency.accept),
    ] {
        println!("  {name:<34}{:>8.1} ms {:>8.1} ms", times.p50, times.p99);
    }
    println!("\nThroughput of {} executions", args.executions);
    println!("  first provider call to last completion {:>8.2} s", throughput.seconds);
    println!("  executions per second                  {:>8.1}", throughput.per_second);
    println!("  ideal (limit / delay)                  {:>8.1}", throughput.ideal);
    println!("  share of the ideal                     {:>8.1} %", share(throughput));
    println!("  most provider calls at once            {:>8}", throughput.most_at_once);
}

fn figures(latency: &Latency, throughput: &Throughput) -> Value {
    json!({
        "latencyMs": {
            "sentToCalled": latency.from_send.json(),
            "acceptedToCalled": latency.from_accepted.json(),
            "sentToAccepted": latency.accept.json(),
        },
        "throughput": {
            "seconds": rounded(throughput.seconds),
            "perSecond": rounded(throughput.per_second),
            "idealPerSecond": rounded(throughput.ideal),
            "shareOfIdeal": rounded(share(throughput) / 100.0),
            "mostProviderCallsAtOnce": throughput.most_at_once,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_counted() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let starts = vec![at(0), at(100), at(150), at(210), at(400)];
        assert_eq!(most_at_once(starts, Duration::from_millis(200)), 3);
    }
}

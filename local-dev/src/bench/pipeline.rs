//! How quickly an accepted execution reaches its provider, and how many of them run per second.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use shared_core::{Db, ProviderName, Timestamp, config::DatabaseConfig, settings};

use crate::{
    api::Api,
    cli::PipelineArgs,
    console,
    demo::{DemoProvider, MODELS},
    stack::{DemoOptions, Stack, StackOptions},
};

/// The API takes so many targets in one request.
const PER_REQUEST: u32 = 100;
/// Longest time without any progress before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const GOAL_P50_MS: f64 = 50.0;
const GOAL_RATIO: f64 = 0.9;

/// Half and nearly all of a set of times, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Percentiles {
    p50: f64,
    p99: f64,
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
pub async fn pipeline(args: PipelineArgs) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
    let progress = console::reporter();
    let delay = Duration::from_millis(args.delay_ms);
    let steps = progress.clone();
    let options = StackOptions {
        release: !args.debug,
        demo: Some(DemoOptions { port: None, delay }),
        maintenance_interval: Duration::from_secs(5),
        show_build: true,
        reporter: crate::report::Reporter::new(move |event| {
            // Single requests and jobs would only slow things down here.
            if matches!(event, crate::report::Event::Step(_) | crate::report::Event::Note(_)) {
                steps.report(event);
            }
        }),
        ..StackOptions::quiet(dir.path())?
    };
    let stack = Stack::start(options).await?;
    let measured = measure(&stack, &args, &|step: &str| progress.step(step)).await;
    let logs = stack.log_dir().to_owned();
    stack.shutdown().await;
    let (latency, throughput) = match measured {
        Ok(measured) => measured,
        Err(error) => {
            // The logs are what one wants to see now.
            let _ = dir.keep();
            return Err(error.context(format!("The benchmark failed; logs are in {}", logs.display())));
        }
    };
    print(&args, &latency, &throughput);
    if let Some(file) = &args.json {
        let report = format!("{:#}\n", report(&args, &latency, &throughput));
        fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

async fn measure(stack: &Stack, args: &PipelineArgs, step: &dyn Fn(&str)) -> Result<(Latency, Throughput)> {
    let demo = stack.demo().context("the demo model server is missing")?;
    let db = Db::new(&DatabaseConfig::File(stack.database().to_owned()));
    db.write(vec![settings::set_provider_limit(ProviderName::Ollama, args.concurrency)]).await?;
    let api = Api::register(stack.base_url()).await?;
    let key = json!({ "type": "llm-api-key", "data": { "provider": "ollama", "api_key": "local" } });
    api.post("/api/v1/settings", &key).await?;
    let prompt = json!({ "name": "bench", "prompt": "Repeat what you are given." });
    let prompt = api.post("/api/v1/prompts", &prompt).await?["id"].as_str().context("no prompt id")?.to_owned();
    let bench = Runner { api, db, demo, prompt };

    step("Warming up");
    for number in 0..5 {
        bench.single(&format!("warm-up-{number};")).await?;
    }
    step(&format!("Latency: {} executions, one after another", args.singles));
    let latency = bench.latency(args.singles).await?;
    step(&format!("Throughput: {} executions at once", args.executions));
    let throughput = bench.throughput(args).await?;
    Ok((latency, throughput))
}

struct Runner<'a> {
    api: Api,
    db: Db,
    demo: &'a DemoProvider,
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
        let created = self.api.post("/api/v1/executions", &body).await?;
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
            let execution = self.api.get(&format!("/api/v1/executions/{id}")).await?;
            match execution["status"].as_str() {
                Some("completed") => break,
                Some("failed") => bail!("execution {id} failed: {}", execution["error_message"]),
                _ if sent.elapsed() > PATIENCE => bail!("execution {id} did not end"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        let arrivals = self.demo.arrivals();
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
        self.demo.forget_arrivals();
        let mut left = args.executions;
        while left > 0 {
            let count = left.min(PER_REQUEST);
            let ids = self.create("throughput", count).await?;
            if ids.len() != count as usize {
                bail!("{} executions were created instead of {count}", ids.len());
            }
            left -= count;
        }
        self.wait_for_all().await?;

        let arrivals = self.demo.arrivals();
        if arrivals.len() != args.executions as usize {
            bail!("the provider was called {} times for {} executions", arrivals.len(), args.executions);
        }
        let first = arrivals.iter().map(|arrival| arrival.at).min().context("no provider call")?;
        let seconds = self.last_completion().await? - unix_seconds(first);
        let delay = Duration::from_millis(args.delay_ms);
        Ok(Throughput {
            seconds,
            per_second: f64::from(args.executions) / seconds,
            ideal: f64::from(args.concurrency) / delay.as_secs_f64(),
            most_at_once: most_at_once(arrivals.iter().map(|arrival| arrival.at).collect(), delay),
        })
    }

    /// Waits until nothing is pending or running, as long as something moves.
    async fn wait_for_all(&self) -> Result<()> {
        let (mut last, mut moved) = (None, Instant::now());
        loop {
            let stats = self.api.get("/api/v1/executions/stats/all").await?;
            let number = |name: &str| stats[name].as_u64().unwrap_or_default();
            if number("failed") > 0 {
                bail!("{} executions failed", number("failed"));
            }
            if number("pending") + number("running") == 0 {
                return Ok(());
            }
            if last != Some(number("completed")) {
                (last, moved) = (Some(number("completed")), Instant::now());
            } else if moved.elapsed() > PATIENCE {
                bail!("nothing was completed for {} s: {stats}", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// When the last execution was completed, in seconds since 1970.
    async fn last_completion(&self) -> Result<f64> {
        let rows = self.db.read("SELECT MAX(completed_at) AS at FROM executions", vec![]).await?;
        let at: String = rows.first().context("no executions")?.get("at")?;
        let at = at.parse::<Timestamp>().ok().context("a completion without an instant")?;
        let now = Timestamp::now();
        Ok(unix_seconds(Instant::now()) - now.millis_since(at) as f64 / 1000.0)
    }
}

impl Percentiles {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }

    fn json(self) -> Value {
        json!({ "p50": rounded(self.p50), "p99": rounded(self.p99) })
    }
}

/// Milliseconds from one instant to another, which may be earlier.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    let (positive, negative) = (to.saturating_duration_since(from), from.saturating_duration_since(to));
    (positive.as_secs_f64() - negative.as_secs_f64()) * 1000.0
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

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn ratio(throughput: &Throughput) -> f64 {
    throughput.per_second / throughput.ideal
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn build(args: &PipelineArgs) -> &'static str {
    if args.debug { "debug" } else { "optimised" }
}

fn print(args: &PipelineArgs, latency: &Latency, throughput: &Throughput) {
    let reached = |reached: bool| if reached { "reached" } else { "missed" };
    println!(
        "\nPipeline on {} cores, {} build, runtime host; the provider answers after {} ms, limit {}\n",
        cores(),
        build(args),
        args.delay_ms,
        args.concurrency
    );
    println!("Latency of {} single executions         p50         p99", args.singles);
    for (name, times) in [
        ("request sent to provider called", latency.from_send),
        ("201 received to provider called", latency.from_accepted),
        ("request sent to 201 received", latency.accept),
    ] {
        println!("  {name:<34}{:>8.1} ms {:>8.1} ms", times.p50, times.p99);
    }
    println!("  goal: p50 of the first at most {GOAL_P50_MS} ms: {}", reached(latency.from_send.p50 <= GOAL_P50_MS));
    println!("\nThroughput of {} executions", args.executions);
    println!("  first provider call to last completion {:>8.2} s", throughput.seconds);
    println!("  executions per second                  {:>8.1}", throughput.per_second);
    println!("  ideal (limit / delay)                  {:>8.1}", throughput.ideal);
    println!("  share of the ideal                     {:>8.1} %", ratio(throughput) * 100.0);
    println!("  most provider calls at once            {:>8}", throughput.most_at_once);
    println!(
        "  goal: at least {:.0} % of the ideal: {}\n",
        GOAL_RATIO * 100.0,
        reached(ratio(throughput) >= GOAL_RATIO)
    );
}

fn report(args: &PipelineArgs, latency: &Latency, throughput: &Throughput) -> Value {
    let setting = BTreeMap::from([
        ("cores", json!(cores())),
        ("build", json!(build(args))),
        ("runtime", json!("host")),
        ("singles", json!(args.singles)),
        ("executions", json!(args.executions)),
        ("providerDelayMs", json!(args.delay_ms)),
        ("providerLimit", json!(args.concurrency)),
    ]);
    json!({
        "benchmark": "pipeline",
        "setting": setting,
        "latencyMs": {
            "sentToCalled": latency.from_send.json(),
            "acceptedToCalled": latency.from_accepted.json(),
            "sentToAccepted": latency.accept.json(),
        },
        "throughput": {
            "seconds": rounded(throughput.seconds),
            "perSecond": rounded(throughput.per_second),
            "idealPerSecond": rounded(throughput.ideal),
            "shareOfIdeal": rounded(ratio(throughput)),
            "mostProviderCallsAtOnce": throughput.most_at_once,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times = Percentiles::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((times.p50, times.p99), (50.0, 99.0));
        let one = Percentiles::of(vec![7.0]);
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn overlaps_are_counted() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let starts = vec![at(0), at(100), at(150), at(210), at(400)];
        assert_eq!(most_at_once(starts, Duration::from_millis(200)), 3);
    }

    #[test]
    fn a_call_before_the_answer_counts_below_zero() {
        let start = Instant::now();
        assert_eq!(milliseconds(start + Duration::from_millis(5), start), -5.0);
    }
}

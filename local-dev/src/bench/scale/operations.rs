//! What is measured: requests to the API, and the steps of an execution.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::http::Request;
use serde_json::{Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    db::Statement,
    executions::{self, ModelAnswer, Outcome, ProviderCall, pipeline},
    ids, jobs, params, usage,
};

use super::{Figures, seed::a_prompt};
use crate::{
    bench::{
        figures::milliseconds,
        functions::{CALL_LIMIT, Functions, read},
    },
    invoke::Invoker,
};

const ORDERS: [&str; 4] = ["created_at", "updated_at", "started_at", "completed_at"];
const DIRECTIONS: [&str; 2] = ["DESC", "ASC"];
const LEASE: Duration = Duration::from_secs(60);

/// A database of one size with the functions over it.
pub(super) struct Bench<'a> {
    pub(super) functions: &'a Functions,
    pub(super) db: &'a Db,
    pub(super) token: &'a str,
    pub(super) samples: u32,
}

/// Filters of the list of executions, by name.
fn filters() -> Vec<(&'static str, String)> {
    let prompt = a_prompt();
    vec![
        ("all", String::new()),
        ("completed", "&status=completed".to_owned()),
        ("failed", "&status=failed".to_owned()),
        ("pending", "&status=pending".to_owned()),
        ("provider, common", "&provider=openai".to_owned()),
        ("provider, rare", "&provider=deepinfra".to_owned()),
        ("prompt", format!("&promptId={prompt}")),
        ("starred", "&starred=true".to_owned()),
        ("not starred", "&starred=false".to_owned()),
        ("completed, provider", "&status=completed&provider=openai".to_owned()),
        ("failed, rare provider", "&status=failed&provider=deepinfra".to_owned()),
        ("failed, prompt", format!("&status=failed&promptId={prompt}")),
        ("starred, prompt", format!("&starred=true&promptId={prompt}")),
        ("starred, failed", "&starred=true&status=failed".to_owned()),
    ]
}

/// Reads that show one thing, by name and path.
fn reads() -> Vec<(&'static str, String)> {
    let week = Timestamp::now().plus_seconds(-7 * 86_400 + 754);
    let mut reads = vec![
        ("stats", "/api/v1/executions/stats/all".to_owned()),
        ("prompts", "/api/v1/prompts?limit=10".to_owned()),
        ("jobs", "/api/v1/jobs?limit=10".to_owned()),
        ("jobs, failed, page 100", "/api/v1/jobs?limit=10&status=failed&page=100".to_owned()),
    ];
    for (name, path) in [
        ("dashboard stats", "stats"),
        ("dashboard summary", "token-usage/summary"),
        ("dashboard daily", "token-usage/daily"),
        ("dashboard hourly", "token-usage/hourly"),
        ("dashboard daily, by model", "token-usage/daily/grouped"),
        ("dashboard hourly, by model", "token-usage/hourly/grouped"),
    ] {
        reads.push((name, format!("/api/v1/dashboard/{path}")));
    }
    for (name, path) in [
        ("a week: dashboard stats", "stats"),
        ("a week: dashboard daily, by model", "token-usage/daily/grouped"),
        ("a week: dashboard hourly, by model", "token-usage/hourly/grouped"),
    ] {
        reads.push((name, format!("/api/v1/dashboard/{path}?startDate={week}")));
    }
    let year = Timestamp::now().plus_seconds(-365 * 86_400);
    reads.push((
        "a year: dashboard daily, by model",
        format!("/api/v1/dashboard/token-usage/daily/grouped?startDate={year}"),
    ));
    reads.push((
        "a year: dashboard hourly, by model",
        format!("/api/v1/dashboard/token-usage/hourly/grouped?startDate={year}"),
    ));
    reads
}

impl Bench<'_> {
    /// Measures everything.
    pub(super) async fn run(&self, figures: &mut Figures) -> Result<()> {
        // What every request costs before it asks for anything: the event, the process, the session.
        self.request(figures, "a refused request", "/api/v1/executions/no-id", 422).await?;
        for (name, path) in reads() {
            self.request(figures, name, &path, 200).await?;
        }
        self.read_one(figures).await?;
        for (name, filter) in filters() {
            self.lists(figures, name, &filter).await?;
        }
        self.create(figures).await?;
        self.steps(figures).await?;
        self.maintenance(figures).await
    }

    async fn get(&self, path: &str, expected: u64) -> Result<(f64, Value)> {
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.token));
        self.timed(request, b"", expected).await
    }

    async fn timed(&self, request: axum::http::request::Builder, body: &[u8], expected: u64) -> Result<(f64, Value)> {
        let (function, event) = self.functions.event(request, body)?;
        let sent = Instant::now();
        let answer =
            self.functions.host.invoke(&function, event, CALL_LIMIT).await.with_context(|| function.clone())?;
        let time = milliseconds(sent, Instant::now());
        let (status, body) = read(&answer)?;
        if status != expected {
            bail!("{function} answered {status}: {body}");
        }
        Ok((time, body))
    }

    async fn request(&self, figures: &mut Figures, name: &str, path: &str, expected: u64) -> Result<()> {
        // The first one starts the process, the second one has its pages in memory.
        self.get(path, expected).await.with_context(|| path.to_owned())?;
        for _ in 0..self.samples {
            figures.add(name, "", self.get(path, expected).await?.0);
        }
        Ok(())
    }

    async fn read_one(&self, figures: &mut Figures) -> Result<()> {
        let page = self.get("/api/v1/executions?page=7", 200).await?.1;
        let id = page["data"]["data"][0]["id"].as_str().context("no execution")?.to_owned();
        self.request(figures, "read an execution", &format!("/api/v1/executions/{id}"), 200).await
    }

    /// A filter in every order, at its first, tenth and hundredth page, as far as there are so many, in the middle, where a
    /// walk from either end is longest, and at its end.
    async fn lists(&self, figures: &mut Figures, name: &str, filter: &str) -> Result<()> {
        for order in ORDERS {
            for direction in DIRECTIONS {
                let path = format!("/api/v1/executions?limit=10&orderBy={order}&orderDirection={direction}{filter}");
                let first = self.get(&path, 200).await.with_context(|| path.clone())?.1;
                let last = first["data"]["totalPages"].as_u64().unwrap_or(0);
                let pages = [
                    ("page 1", 1),
                    ("page 10", 10),
                    ("page 100", 100),
                    ("middle page", last.div_ceil(2)),
                    ("last page", last),
                ];
                for (label, page) in pages.into_iter().filter(|(_, page)| (1..=last).contains(page)) {
                    let paged = format!("{path}&page={page}");
                    self.get(&paged, 200).await?;
                    let key = format!("list: {name}, {label}");
                    for _ in 0..self.samples {
                        figures.add(&key, &format!("{order} {direction}"), self.get(&paged, 200).await?.0);
                    }
                }
            }
        }
        Ok(())
    }

    async fn create(&self, figures: &mut Figures) -> Result<()> {
        let body = json!({"promptId": a_prompt(), "userInput": "hello", "providerModel": ["ollama:demo"]});
        for _ in 0..self.samples {
            let request = Request::post("/api/v1/executions")
                .header("authorization", format!("Bearer {}", self.token))
                .header("content-type", "application/json");
            let (time, _) = self.timed(request, body.to_string().as_bytes(), 201).await?;
            figures.add("create an execution", "", time);
        }
        Ok(())
    }

    /// The steps of an execution in the database, as the worker takes them; this process asks.
    async fn steps(&self, figures: &mut Figures) -> Result<()> {
        let answer = || ModelAnswer {
            text: "An answer of a model. ".repeat(50),
            input_tokens: 100,
            output_tokens: 200,
            stop_reason: None,
            ignored_options: Vec::new(),
            call: ProviderCall::default(),
        };
        let provider = ProviderName::Anthropic;
        for _ in 0..self.samples {
            let id = ids::new_id();
            let data = json!({"prompt_id": a_prompt(), "prompt_version": 1, "user_input": "x".repeat(600),
                "provider": provider.as_str(), "model": "anthropic-model-1", "origin": "api"});
            let insert = "INSERT INTO executions (id, data, prompt_id, provider, model, created_at, updated_at)
                VALUES (?1, ?2, ?3, ?4, 'anthropic-model-1', ?5, ?5)";
            let params = params![&id, data.to_string(), a_prompt(), provider.as_str(), Timestamp::now()];
            self.db.write(vec![Statement::new(insert, params)]).await?;
            let now = Timestamp::now();
            figures.time("dispatch", async || Ok(pipeline::dispatch(self.db, provider, now).await?)).await?;
            let claim = async || Ok(pipeline::claim(self.db, &id, LEASE, 4, now).await?);
            let claim = figures.time("claim", claim).await?.context("nothing to claim")?;
            let outcome = Outcome::answered(answer(), None);
            let finish = async || Ok(pipeline::finish(self.db, &claim, &outcome, Timestamp::now()).await?);
            if !figures.time("finish", finish).await? {
                bail!("the claim was lost");
            }
            let next = async || Ok(pipeline::claim_next(self.db, provider, LEASE, now).await?);
            figures.time("claim the next, none waits", next).await?;
        }
        Ok(())
    }

    /// What a round of maintenance asks when there is nothing to repair.
    async fn maintenance(&self, figures: &mut Figures) -> Result<()> {
        let (db, now) = (self.db, Timestamp::now());
        let first = usage::day_from(db, "").await?.context("no usage")?;
        // The month behind it is whole.
        let day = usage::day_from(db, &format!("{}~", &first[..7])).await?.context("no usage")?;
        let of_prompt = executions::COUNTERS.first(db).await?.context("no executions")?;
        let of_day = jobs::COUNTERS.first(db).await?.context("no jobs")?;
        // The first month and the first day may have begun in the middle.
        let of_prompt = executions::COUNTERS.after(db, &of_prompt).await?.context("one month alone")?;
        let of_day = jobs::COUNTERS.after(db, &of_day).await?.context("one day alone")?;
        for _ in 0..self.samples {
            let recover = async || Ok(pipeline::recover(db, 4, now.plus_seconds(-60), 500, now).await?);
            figures.time("maintenance: stuck executions", recover).await?;
            let next = async || Ok(executions::COUNTERS.after(db, &of_prompt).await?);
            figures.time("maintenance: next month of a prompt", next).await?;
            let counters = async || Ok(executions::COUNTERS.differences(db, &of_prompt).await?);
            figures.time("maintenance: counters of a prompt's month", counters).await?;
            let totals = async || Ok(executions::total_differences(db).await?);
            figures.time("maintenance: totals", totals).await?;
            let counters = async || Ok(jobs::COUNTERS.differences(db, &of_day).await?);
            figures.time("maintenance: counters of a day's jobs", counters).await?;
            let sums = async || Ok(usage::usage_differences(db, &day).await?);
            figures.time("maintenance: usage of a day", sums).await?;
            let sums = async || Ok(usage::usage_differences(db, &day[..7]).await?);
            figures.time("maintenance: usage of a month", sums).await?;
        }
        Ok(())
    }
}

//! What it costs to find out who calls: sessions, API keys among few and many, wrong keys, signing in.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use shared_core::{
    Db, Timestamp,
    api_keys::{self, NewApiKey, Scope},
    params,
};

use super::{
    common::CommonArgs,
    figures::rounded,
    functions::{Functions, Programs},
    goal::Goal,
    load::{Call, Load, load},
};
use crate::api::{EMAIL, PASSWORD};

const GOAL_ADDED_MS: f64 = 1.0;

/// Options of `cargo dev bench auth`.
#[derive(Debug, Clone, Args)]
pub struct AuthArgs {
    /// How many API keys there are
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub keys: Vec<u32>,
    /// How long each request is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The same operation under several credentials.
struct Round {
    keys: u32,
    session: Load,
    key: Load,
    unknown_key: Load,
}

impl Round {
    /// Milliseconds that an API key takes more than a session.
    fn added(&self) -> f64 {
        self.key.latency.p50 - self.session.latency.p50
    }
}

/// Runs the benchmark and prints its figures.
pub(super) async fn auth(args: AuthArgs) -> Result<()> {
    let programs = Programs::build(&args.common).await?;
    let measure = async |functions: &Functions| measure(functions, &args).await;
    let (rounds, sign_in) = Functions::run(&programs, 1, None, measure).await?;
    print(&args, &rounds, &sign_in);
    let setting = json!({"database": "file", "seconds": args.seconds, "connections": 1});
    let added = rounds.iter().map(|round| (format!("with {} keys", round.keys), round.added()));
    let goal = Goal::all_at_most("added by an API key, p50,", GOAL_ADDED_MS, "ms", added);
    args.common.finish("auth", setting, figures(&rounds, &sign_in), &[goal])
}

async fn measure(functions: &Functions, args: &AuthArgs) -> Result<(Vec<Round>, Load)> {
    let time = Duration::from_secs(args.seconds.into());
    let prompt = functions.api.post("/api/v1/prompts", &json!({"name": "bench", "prompt": "Say hello."})).await?;
    let path = format!("/api/v1/prompts/{}", prompt["id"].as_str().context("no id of the prompt")?);
    let owner = owner(&functions.db).await?;
    let mut counts = args.keys.clone();
    counts.sort_unstable();
    let (mut rounds, mut made, mut key) = (Vec::new(), 0, String::new());
    for keys in counts {
        println!("With {keys} API keys");
        while made < keys {
            key = new_key(&functions.db, &owner).await?;
            made += 1;
        }
        let read = |name: &str| Call::get(name, path.clone());
        let unknown = read("an unknown key").with_key(api_keys::new_key().reveal()).expecting(401);
        rounds.push(Round {
            keys,
            session: load(functions, &read("a session").with_session(functions), 1, time).await?,
            key: load(functions, &read("an API key").with_key(&key), 1, time).await?,
            unknown_key: load(functions, &unknown, 1, time).await?,
        });
    }
    println!("Signing in");
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let sign_in = Call::post("sign in", "/api/v1/auth/login", &body).expecting(200);
    Ok((rounds, load(functions, &sign_in, 1, time).await?))
}

async fn owner(db: &Db) -> Result<String> {
    let rows = db.read("SELECT id FROM users", params![]).await?;
    Ok(rows.first().context("there is no account")?.get("id")?)
}

async fn new_key(db: &Db, owner: &str) -> Result<String> {
    // A limit that is counted, and that no benchmark reaches.
    let limit = Some(10_000_000);
    let scopes = vec![Scope::PromptsRead];
    let new = NewApiKey { name: "bench".to_owned(), scopes, expires_at: None, requests_per_minute: limit };
    let (_, key) = api_keys::create(db, owner, new, Timestamp::now()).await?;
    Ok(key.reveal().to_owned())
}

fn print(args: &AuthArgs, rounds: &[Round], sign_in: &Load) {
    println!("\nCredentials on {}, local database file; one connection", args.common);
    println!("\n{:<36}{:>18}{:>32}", "", "p50 / p99, ms", "function's CPU ms per request");
    let row = |name: &str, load: &Load| {
        let times = format!("{:.2} / {:.2}", load.latency.p50, load.latency.p99);
        println!("{name:<36}{times:>18}{:>32.3}", load.function_cpu_ms);
    };
    for round in rounds {
        println!("reading a prompt, {} API keys", round.keys);
        row("  with a session", &round.session);
        row("  with a key", &round.key);
        row("  with an unknown key (401)", &round.unknown_key);
        println!("  added by the key: {:.2} ms", round.added());
    }
    row("signing in", sign_in);
}

fn figures(rounds: &[Round], sign_in: &Load) -> Value {
    let rounds = rounds.iter().map(|round| {
        json!({
            "keys": round.keys,
            "session": round.session.json(),
            "key": round.key.json(),
            "unknownKey": round.unknown_key.json(),
            "addedMs": rounded(round.added()),
        })
    });
    json!({"rounds": rounds.collect::<Vec<_>>(), "signIn": sign_in.json()})
}

//! The memory that an export of very many executions needs, fetched in parts as a client would.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use shared_core::{Db, db::Statement, outbound, params};

use super::{
    common::CommonArgs,
    figures::rounded,
    functions::{Functions, Programs},
    goal::Goal,
    load::{Call, Client},
    stock::Stock,
};

const FUNCTION: &str = "api-executions";
const EXPORT: &str = "/api/v1/executions?downloadCsv=true";
const NEXT: &str = "x-next-csv-cursor";
const GOAL_ABOVE_IDLE_MB: f64 = 30.0;
/// Executions are copied so many at once.
const BATCH: u32 = 10_000;
/// Far above what a part takes.
const PART_LIMIT: Duration = Duration::from_secs(60);

/// Options of `cargo dev bench export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// How many executions there are: more than fit into one answer
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    pub executions: u32,
    /// What it shares with other benchmarks.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What the export took.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    parts: u32,
    bytes: usize,
    rows: usize,
    seconds: f64,
    /// Of the process after an ordinary request, in MB.
    idle: f64,
    /// The most that it ever used, in MB.
    peak: f64,
}

impl Figures {
    fn above_idle(&self) -> f64 {
        self.peak - self.idle
    }

    fn json(&self) -> Value {
        json!({
            "parts": self.parts,
            "bytes": self.bytes,
            "seconds": rounded(self.seconds),
            "idleMb": rounded(self.idle),
            "peakMb": rounded(self.peak),
            "aboveIdleMb": rounded(self.above_idle()),
        })
    }
}

/// Runs the benchmark and prints its figures.
pub(super) async fn export(args: ExportArgs) -> Result<()> {
    let programs = Programs::build(&args.common).await?;
    let figures =
        Functions::run(&programs, 1, None, async |functions| measure(functions, args.executions).await).await?;
    print(&args, &figures);
    let setting = json!({"database": "file", "executions": figures.rows});
    let goal = Goal::at_most("memory above idle", GOAL_ABOVE_IDLE_MB, "MB", figures.above_idle());
    args.common.finish("export", setting, figures.json(), &[goal])
}

async fn measure(functions: &Functions, executions: u32) -> Result<Figures> {
    let stock = Stock::fill(functions).await.context("the installation could not be filled")?;
    println!("Making {executions} executions");
    let before = count(&functions.db).await?;
    let mut left = executions.saturating_sub(before);
    while left > 0 {
        copy(&functions.db, &stock.execution, left.min(BATCH)).await?;
        left -= left.min(BATCH);
    }
    functions.renew(FUNCTION).await;
    let list = Call::get("list executions", "/api/v1/executions?limit=10").with_session(functions);
    let caller = Client::new(functions)?;
    caller.send(&list).await?;
    let mb = |bytes: u64| bytes as f64 / 1_000_000.0;
    let idle = mb(functions.only_process(FUNCTION)?.resident_bytes);
    // Who asks for all of it at once is refused, after as much work as for a part.
    let whole = Call::get("export all at once", EXPORT).with_session(functions).expecting(400);
    caller.send(&whole).await?;

    println!("Exporting");
    let mut figures = Figures { idle, ..Figures::default() };
    let client = outbound::client(|builder| builder.no_proxy().timeout(PART_LIMIT))?;
    let (start, mut cursor) = (Instant::now(), Some(String::new()));
    while let Some(place) = cursor {
        let url = format!("{}{EXPORT}&csvCursor={place}", functions.api.base_url());
        let answer = client.get(url).bearer_auth(functions.api.token()).send().await.context("no answer")?;
        let next = answer.headers().get(NEXT).map(|next| next.to_str().map(str::to_owned));
        cursor = next.transpose().context("the cursor is no text")?;
        let text = answer.error_for_status()?.text().await?;
        figures.parts += 1;
        figures.bytes += text.len();
        // Texts hold line ends too, but none before a quote.
        figures.rows += text.matches("\n\"").count();
    }
    figures.seconds = start.elapsed().as_secs_f64();
    figures.peak = mb(functions.only_process(FUNCTION)?.peak_bytes);
    let expected = count(&functions.db).await? as usize;
    if figures.rows != expected {
        bail!("{} rows were exported, and there are {expected}", figures.rows);
    }
    Ok(figures)
}

async fn count(db: &Db) -> Result<u32> {
    let rows = db.read("SELECT count(*) AS n FROM executions", params![]).await?;
    Ok(rows.first().context("no count")?.get("n")?)
}

/// Records copies of a completed execution, a second apart in the past.
async fn copy(db: &Db, id: &str, copies: u32) -> Result<()> {
    let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
        INSERT INTO executions (id, prompt_id, provider, model, data, status, attempt, started_at, completed_at,
            created_at, updated_at)
        SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
                || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
            prompt_id, provider, model, data, status, attempt, started_at, completed_at,
            strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '-' || n || ' seconds'), updated_at
        FROM executions, numbers WHERE id = ?1";
    db.write(vec![Statement::new(sql, params![id, copies])]).await?;
    Ok(())
}

fn print(args: &ExportArgs, figures: &Figures) {
    let Figures { parts, bytes, rows, seconds, idle, peak } = figures;
    println!("\nExport on {}, local database file", args.common);
    println!("\n  {rows} executions, {:.1} MB in {parts} parts, {seconds:.1} s", *bytes as f64 / 1_000_000.0);
    println!("  memory of the function: {idle:.1} MB idle, {peak:.1} MB at most");
}

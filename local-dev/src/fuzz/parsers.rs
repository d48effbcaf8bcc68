//! `cargo dev fuzz parsers`: hands its options to the targets of `tests/fuzz`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::build::workspace_root;

/// What is fed, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ParsersArgs {
    /// Begins no further round after this time; 0 runs one round
    #[arg(long, default_value_t = 600)]
    pub seconds: u64,
    /// Seed of the first round; each further one has the next
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Runs this target only
    #[arg(long, value_name = "TARGET")]
    pub only: Option<String>,
    /// Feeds one kept input instead
    #[arg(long, value_name = "FILE", requires = "only")]
    pub input: Option<PathBuf>,
    /// Builds with optimisation; arithmetic that overflows then goes unnoticed
    #[arg(long)]
    pub release: bool,
}

/// Builds the targets and runs them.
pub fn parsers(args: &ParsersArgs) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace_root()?).args(["test", "--locked", "--package", "tests", "--test", "fuzz"]);
    if args.release {
        cargo.args(["--profile", "quick"]);
    }
    cargo.args(["--", "--ignored", "--exact", "rounds", "--nocapture"]);
    cargo.env("FUZZ_SECONDS", args.seconds.to_string()).env("FUZZ_SEED", args.seed.to_string());
    if let Some(target) = &args.only {
        cargo.env("FUZZ_ONLY", target);
    }
    if let Some(input) = &args.input {
        cargo.env("FUZZ_INPUT", std::path::absolute(input).context("the input has no place")?);
    }
    if !cargo.status().context("cannot start cargo")?.success() {
        bail!("Something did not hold: see above.");
    }
    Ok(())
}

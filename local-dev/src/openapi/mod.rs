//! `cargo dev openapi compare`: how our OpenAPI document differs from another one that it should agree with.
//!
//! [`mod@compare`] finds the differences, one line each; [`accepted`] knows which of them we want and why.

pub mod accepted;
pub mod compare;
mod schema;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::workspace_root;
use accepted::Accepted;

/// Our document, as the code makes it and a test keeps it.
pub const DOCUMENT_PATH: &str = "docs/openapi.json";
/// The differences that we want, with their reasons.
pub const ACCEPTED_PATH: &str = "docs/openapi-differences.yaml";
/// What the last comparison without open differences looked at, see [`fingerprint`].
pub const COMPARED_PATH: &str = "docs/openapi-compared.txt";

/// Options of `cargo dev openapi compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct CompareArgs {
    /// The OpenAPI document to compare with
    #[arg(long, value_name = "FILE")]
    pub contract: PathBuf,
    /// Our document [default: docs/openapi.json in the repository]
    #[arg(long, value_name = "FILE")]
    pub ours: Option<PathBuf>,
    /// Also prints the differences that are accepted
    #[arg(long)]
    pub all: bool,
}

/// Prints every difference that is not accepted, and every acceptance that fits none; fails when there is one.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let root = workspace_root()?;
    let contract = read(&args.contract)?;
    let ours = read(&args.ours.clone().unwrap_or_else(|| root.join(DOCUMENT_PATH)))?;
    let accepted = Accepted::load(&root.join(ACCEPTED_PATH))?;
    let differences = compare::differences(&contract, &ours);
    let verdict = accepted.judge(&differences);
    if args.all {
        for (difference, decision) in &verdict.accepted {
            println!("accepted [{decision}] {difference}");
        }
    }
    verdict.open.iter().for_each(|difference| println!("{difference}"));
    verdict.stale.iter().for_each(|pattern| println!("accepted in vain: {pattern}"));
    let (open, stale) = (verdict.open.len(), verdict.stale.len());
    if open + stale > 0 {
        bail!(
            "{open} differences are not accepted, {stale} acceptances fit no difference: correct the code, or {ACCEPTED_PATH}."
        );
    }
    if args.ours.is_none() {
        fs::write(root.join(COMPARED_PATH), fingerprint(&root)?).context("the comparison cannot be recorded")?;
    }
    println!("{} differences, all of them accepted.", verdict.accepted.len());
    Ok(())
}

/// The digest of our document and of what is accepted, as a line of text. The contract is not part of the repository, so a
/// test cannot compare with it; it can tell that somebody has, since either of the two changed.
pub fn fingerprint(root: &Path) -> Result<String> {
    let text = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("{path} cannot be read"));
    Ok(format!("{}\n", shared_core::secrets::digest(&(text(DOCUMENT_PATH)? + &text(ACCEPTED_PATH)?))))
}

/// Reads a JSON document.
pub(crate) fn read(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

#[cfg(test)]
mod tests;

//! What a person asks this function for, beside migrations: `{"command": "re-encrypt"}` and `{"command": "count-keys"}`.

use std::time::Instant;

use lambda_runtime::Error;
use serde::Deserialize;
use shared_core::{
    Db,
    reencryption::{self, Mode, Report},
    secrets::Cipher,
};

/// An event with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Encrypts what other keys wrote with the first key of `ENCRYPTION_KEY`.
    ReEncrypt,
    /// Only tells how much is stored under which key.
    CountKeys,
}

/// Works until it is done or `until` is over, and tells how far it came.
pub(crate) async fn run(db: &Db, cipher: &Cipher, command: Command, until: Option<Instant>) -> Result<Report, Error> {
    let mode = match command {
        Command::ReEncrypt => Mode::Reencrypt,
        Command::CountKeys => Mode::Count,
    };
    let progress = |report: &Report| {
        tracing::info!(job.name = "re-encrypt", reencrypted = report.reencrypted, "a portion is done")
    };
    let report = reencryption::run(db, cipher, mode, until, progress).await?;
    tracing::info!(
        job.name = "re-encrypt",
        complete = report.complete,
        reencrypted = report.reencrypted,
        unreadable = report.unreadable,
        keys = ?report.keys,
        "job ended"
    );
    Ok(report)
}

//! Secrets of the local system: made at first start, kept in an ignored file, never printed.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

/// The file below the data directory.
pub const SECRETS_FILE: &str = "secrets.env";

const NAMES: [&str; 3] = ["AUTH_SECRET_KEY", "ENCRYPTION_KEY", "WEBHOOK_SIGNATURE_KEY"];

/// Reads the secrets in `dir`, making those that are missing.
///
/// Each is base64 of 32 random bytes: what `ENCRYPTION_KEY` has to be, and a good key for the others.
pub fn load_or_create(dir: &Path) -> Result<BTreeMap<String, String>> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let path = dir.join(SECRETS_FILE);
    let lock = File::create(dir.join("secrets.lock")).context("cannot create a lock file")?;
    lock.lock().context("cannot lock the secrets")?;

    let mut secrets = read(&path)?;
    let missing: Vec<&str> = NAMES.into_iter().filter(|name| !secrets.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(secrets);
    }
    for name in missing {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        secrets.insert(name.to_owned(), BASE64.encode(bytes));
    }
    write(&path, &secrets).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(secrets)
}

fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect())
}

fn write(path: &Path, secrets: &BTreeMap<String, String>) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let mut text = String::from("# Made by `cargo dev`. Without ENCRYPTION_KEY, stored provider keys are lost.\n");
    for (name, value) in secrets {
        text += &format!("{name}={value}\n");
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap();
        assert_eq!(first.len(), NAMES.len());
        assert_eq!(BASE64.decode(&first["ENCRYPTION_KEY"]).unwrap().len(), 32);
        assert_eq!(load_or_create(dir.path()).unwrap(), first);
        let mode = fs::metadata(dir.path().join(SECRETS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_new_name_is_added_and_foreign_lines_survive() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(SECRETS_FILE), "AUTH_SECRET_KEY=mine\nOTHER=1\n").unwrap();
        let secrets = load_or_create(dir.path()).unwrap();
        assert_eq!(secrets["AUTH_SECRET_KEY"], "mine");
        assert_eq!(secrets["OTHER"], "1");
        assert!(secrets.contains_key("ENCRYPTION_KEY"));
    }
}

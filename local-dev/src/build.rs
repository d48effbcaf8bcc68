//! Builds the functions that the template names.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::{process::Command, sync::Mutex};

/// Where the workspace is: the nearest directory, from the current one upwards, with our template.
pub fn workspace_root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("there is no current directory")?;
    let found = here.ancestors().find(|dir| dir.join(crate::template::TEMPLATE_PATH).is_file());
    match found {
        Some(root) => Ok(root.to_owned()),
        None => bail!("This is not inside the repository: no infra/template.yaml here or above."),
    }
}

/// What this process has built already, so that a test with several stacks asks cargo once.
static BUILT: Mutex<Vec<Built>> = Mutex::const_new(vec![]);

struct Built {
    root: PathBuf,
    functions: Vec<String>,
    profile: Profile,
    binaries: PathBuf,
}

impl Built {
    fn is(&self, root: &Path, functions: &[&str], profile: Profile) -> bool {
        self.root == root && self.functions == functions && self.profile == profile
    }
}

/// How the functions are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quickly built, slower.
    Dev,
    /// Optimised, without the slow last steps of a release.
    Quick,
    /// As deployed.
    Release,
}

impl Profile {
    /// The profile's name in `Cargo.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Quick => "quick",
            Self::Release => "release",
        }
    }

    /// Its directory below cargo's target directory.
    const fn directory(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Quick | Self::Release => self.name(),
        }
    }
}

/// Builds the binaries of `functions` and returns the directory that holds them.
///
/// With `show_output`, cargo's progress goes to our own standard error; otherwise it is part of
/// the error when the build fails.
pub async fn build_functions(root: &Path, functions: &[&str], profile: Profile, show_output: bool) -> Result<PathBuf> {
    // Held while building: whoever comes next waits for the result instead of building too.
    let mut built = BUILT.lock().await;
    if let Some(done) = built.iter().find(|done| done.is(root, functions, profile)) {
        return Ok(done.binaries.clone());
    }
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).arg("build").stdin(Stdio::null()).kill_on_drop(true);
    // `cargo run` and `cargo test` tell us about our own package. Build scripts watch these variables: with them, cargo would
    // build `ring` and all that needs it again whenever somebody else asks.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")) {
            cargo.env_remove(name);
        }
    }
    // By binary and not by package: then cargo unifies features over the whole workspace, as `cargo run --bin` does
    // under `cargo lambda watch`, and that finds everything built.
    for function in functions {
        cargo.args(["--bin", function]);
    }
    cargo.args(["--profile", profile.name()]);
    let cannot_start = "cannot start cargo";
    if show_output {
        let status = cargo.stdout(Stdio::inherit()).stderr(Stdio::inherit()).status().await.context(cannot_start)?;
        if !status.success() {
            bail!("The build failed: correct what the compiler says above, then try again.");
        }
    } else {
        let output = cargo.output().await.context(cannot_start)?;
        if !output.status.success() {
            bail!("The build failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let binaries = target_dir(root).await?.join(profile.directory());
    let functions = functions.iter().map(|name| (*name).to_owned()).collect();
    built.push(Built { root: root.to_owned(), functions, profile, binaries: binaries.clone() });
    Ok(binaries)
}

/// Cargo's target directory, which the environment or a configuration file may have moved.
pub(crate) async fn target_dir(root: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let output = cargo.stdin(Stdio::null()).output().await.context("cannot start cargo")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata gave no description of the workspace")?;
    let dir = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(dir))
}

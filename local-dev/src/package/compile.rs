//! Builds the programs so that the same sources give the same bytes on every machine.

use std::{collections::BTreeSet, ffi::OsString, path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use super::Arch;
use crate::{template::Template, tool_env::ToolEnv};

/// A panic never unwinds through C, so C needs no tables for that.
const NO_UNWINDING: &str = "-fno-asynchronous-unwind-tables -fno-unwind-tables";

/// Directories of the build machine, and what programs call them instead. Where two fit, the later one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paths(Vec<(String, String)>);

impl Paths {
    /// Finds everything that the compilers could write into a program: sources, generated sources, dependencies, the
    /// standard library. Fetches dependencies that are missing.
    pub(super) async fn find(root: &Path, target: &Path) -> Result<Self> {
        let metadata = output(cargo(root).args(["metadata", "--format-version", "1", "--locked"])).await?;
        let sysroot = output(rustc(root).args(["--print", "sysroot"])).await?;
        let version = output(rustc(root).arg("-vV")).await?;
        let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
        let mut paths = vec![(text(root)?, "/project".to_owned()), (text(target)?, "/project/target".to_owned())];
        paths.extend(registries(&metadata)?.into_iter().map(|directory| (directory, "/registry".to_owned())));
        paths.push((text(&library)?, format!("/rustc/{}", commit(&version)?)));
        Ok(Self(paths))
    }

    /// The directories of the build machine.
    pub(super) fn of_this_machine(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(from, _)| from.as_str())
    }

    fn flags(&self, flag: &str) -> String {
        let flags = self.0.iter().map(|(from, to)| format!("{flag}={from}={to}"));
        flags.collect::<Vec<_>>().join(" ")
    }
}

/// Builds the programs of `wanted` in `target` and puts each into `directory` as `NAME/bootstrap`.
pub(super) async fn compile(
    root: &Path,
    target: &Path,
    tools: &ToolEnv,
    template: &Template,
    wanted: &[&str],
    arch: Arch,
    directory: &Path,
) -> Result<()> {
    require_standard_library(root, arch).await?;
    let paths = Paths::find(root, target).await?;
    let mut cargo = Command::new(tools.cargo_lambda());
    cargo.current_dir(root).args(["lambda", "build", "--release", "--locked", "--target", arch.target()]);
    cargo.arg("--lambda-dir").arg(directory);
    // All functions' packages are chosen, whichever programs are wanted: features are unified over what is chosen, and
    // a function must not depend on which others are built with it, nor on what our tools and tests need.
    for function in &template.functions {
        cargo.args(["--package", &function.name]);
    }
    for name in wanted {
        cargo.args(["--bin", name]);
    }
    cargo
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", paths.flags("--remap-path-prefix"))
        .env("TARGET_CFLAGS", format!("{} {NO_UNWINDING}", paths.flags("-ffile-prefix-map")))
        // Zig, which compiles C and links, comes with the tools.
        .env("PATH", path_with(tools)?)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let status = cargo.status().await.context("cannot start cargo-lambda")?;
    if !status.success() {
        bail!("The build failed: correct what the compiler says above, then try again.");
    }
    Ok(())
}

/// Fails with what to do when the compiler has no standard library for the architecture.
async fn require_standard_library(root: &Path, arch: Arch) -> Result<()> {
    let directory = output(rustc(root).args(["--print", "target-libdir", "--target", arch.target()])).await?;
    if Path::new(directory.trim()).is_dir() {
        return Ok(());
    }
    let other = Arch::of_this_machine();
    let hint = if other == arch { String::new() } else { format!(", or use --arch {}", other.name()) };
    bail!("Rust cannot build for {} here: run `rustup target add {}`{hint}.", arch.name(), arch.target());
}

/// The directories in which cargo unpacks dependencies.
fn registries(metadata: &str) -> Result<BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata is no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let outside = packages.iter().filter(|package| !package["source"].is_null());
    let manifests = outside.filter_map(|package| package["manifest_path"].as_str());
    manifests.filter_map(|manifest| Path::new(manifest).parent()?.parent()).map(text).collect()
}

/// The compiler's own commit, which the standard library's paths contain.
fn commit(version: &str) -> Result<&str> {
    let line = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    line.context("rustc does not say of which commit it is")
}

/// A path that can stand in a list of flags.
fn text(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) if !text.contains([' ', '=']) => Ok(text.to_owned()),
        _ => bail!("Packages cannot be built with a space or = in a path: {}", path.display()),
    }
}

fn path_with(tools: &ToolEnv) -> Result<OsString> {
    let own = tools.python().parent().context("the tools are in no directory")?.to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&inherited))).context("PATH is malformed")
}

fn cargo(root: &Path) -> Command {
    program("cargo", root)
}

fn rustc(root: &Path) -> Command {
    program("rustc", root)
}

fn program(name: &str, root: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(command: &mut Command) -> Result<String> {
    let output = command.output().await.context("cannot start cargo or rustc")?;
    if !output.status.success() {
        bail!("cargo or rustc failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("cargo or rustc wrote no text")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dependencies_are_where_cargo_unpacked_them() {
        let metadata = json!({"packages": [
            {"source": null, "manifest_path": "/home/ada/project/shared/core/Cargo.toml"},
            {"source": "registry+x", "manifest_path": "/home/ada/.cargo/registry/src/index-1/axum-0.8.9/Cargo.toml"},
            {"source": "registry+x", "manifest_path": "/home/ada/.cargo/registry/src/index-1/http-1.5.0/Cargo.toml"},
        ]});
        let found = registries(&metadata.to_string()).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["/home/ada/.cargo/registry/src/index-1"]);
        assert!(registries("{}").is_err());
    }

    #[test]
    fn flags_rename_every_directory() {
        let paths = Paths(vec![("/a".to_owned(), "/project".to_owned()), ("/b".to_owned(), "/registry".to_owned())]);
        assert_eq!(
            paths.flags("--remap-path-prefix"),
            "--remap-path-prefix=/a=/project --remap-path-prefix=/b=/registry"
        );
        assert_eq!(paths.of_this_machine().collect::<Vec<_>>(), ["/a", "/b"]);
    }

    #[test]
    fn a_path_that_flags_cannot_hold_is_an_error_that_names_it() {
        assert_eq!(text(Path::new("/home/ada")).unwrap(), "/home/ada");
        let error = text(Path::new("/home/my project")).unwrap_err().to_string();
        assert!(error.ends_with("a path: /home/my project"), "{error}");
    }

    #[test]
    fn the_commit_is_read_from_what_rustc_says() {
        assert_eq!(commit("rustc 1.95.0\nbinary: rustc\ncommit-hash: 59807\nhost: x").unwrap(), "59807");
        assert!(commit("rustc 1.95.0").is_err());
    }
}

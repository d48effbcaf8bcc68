//! Proves that packages depend on the sources alone: builds them again somewhere else.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{Arch, Package, archive, compile, compile::Paths, package_in};
use crate::{build::target_dir, template::Template, tool_env::ToolEnv};

/// Builds the packages a second time, from a copy of the sources in another directory, and compares.
pub(super) async fn check(
    root: &Path,
    template: &Template,
    packages: &BTreeMap<String, Package>,
    arch: Arch,
) -> Result<()> {
    let target = target_dir(root).await?;
    let copy = tempfile::Builder::new().prefix("second-build-").tempdir_in(&target).context("no second directory")?;
    let second_root = copy.path().canonicalize().context("no second directory")?;
    copy_sources(root, &second_root).await?;
    println!("Building a second time in {}", second_root.display());
    let tools = ToolEnv::prepare(&root.join(".dev"), &|_| {})?;
    let wanted: Vec<&str> = packages.keys().map(String::as_str).collect();
    let second_target = second_root.join("target");
    let second = second_target.join("package");
    compile::compile(&second_root, &second_target, &tools, template, &wanted, arch, &second).await?;

    let mut problems = vec![];
    let paths = Paths::find(root, &target).await?;
    for (name, package) in packages {
        let first = fs::read(&package.program).context("cannot read a package")?;
        for path in paths.of_this_machine().filter(|path| contains(&first, path.as_bytes())) {
            problems.push(format!("{name} contains {path}"));
        }
        let second = fs::read(package_in(&second, name).program).context("cannot read the second build")?;
        if fs::read(&package.archive).context("cannot read a package")? != archive::of(&second)? {
            let kept = package.program.with_file_name("second");
            fs::write(&kept, second).context("cannot keep the second build")?;
            problems.push(format!("{name} differs: compare {} with {}", package.program.display(), kept.display()));
        }
    }
    if !problems.is_empty() {
        bail!("The packages cannot be reproduced:\n  {}", problems.join("\n  "));
    }
    Ok(())
}

/// Copies what git would commit, with changes that are not committed yet.
async fn copy_sources(root: &Path, to: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().await.context("cannot start git, which knows what the sources are")?;
    if !output.status.success() {
        bail!("git does not know what the sources are: {}", String::from_utf8_lossy(&output.stderr));
    }
    let list = String::from_utf8(output.stdout).context("a file's name is no text")?;
    for file in list.split_terminator('\0').map(PathBuf::from).filter(|file| root.join(file).is_file()) {
        let copy = to.join(&file);
        fs::create_dir_all(copy.parent().unwrap_or(to)).context("cannot copy the sources")?;
        fs::copy(root.join(&file), copy).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_anywhere_in_a_program() {
        assert!(contains(b"\0/home/ada/src\0", b"/home/ada"));
        assert!(contains(b"/home/ada", b"/home/ada"));
        assert!(!contains(b"/home/ad", b"/home/ada"));
    }

    #[tokio::test]
    async fn the_copy_has_the_sources_and_nothing_that_git_ignores() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let copy = tempfile::tempdir().unwrap();
        copy_sources(&root, copy.path()).await.unwrap();
        assert!(copy.path().join("Cargo.lock").is_file() && copy.path().join("local-dev/src/main.rs").is_file());
        assert!(!copy.path().join("target").exists() && !copy.path().join(".dev").exists());
    }
}

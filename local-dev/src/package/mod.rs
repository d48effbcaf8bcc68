//! `cargo dev package`: every function as the zip file that Lambda takes.
//!
//! `compile` builds the programs with the cargo-lambda of the tool environment, `archive` makes a zip file of each, `sizes`
//! judges them. The same sources make the same bytes, wherever they lie: `reproduce` proves that on request. [`deploy()`]
//! hands the result to AWS SAM.

mod archive;
mod compile;
#[cfg(test)]
mod dependencies;
mod deploy;
mod deployment;
mod reproduce;
mod sizes;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    build::{target_dir, workspace_root},
    template::Template,
    tool_env::ToolEnv,
};
pub use deploy::{DeployArgs, deploy};
use sizes::Size;

/// The program in a package, and the name that Lambda expects.
const PROGRAM: &str = "bootstrap";
/// The file that is uploaded.
const ARCHIVE: &str = "bootstrap.zip";

/// Options of `cargo dev package`.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct PackageArgs {
    /// Packages only this function; may be repeated
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Processor architecture. The template's parameter `Architecture` has the same default
    #[arg(long, value_enum, default_value_t = Arch::Arm64)]
    pub arch: Arch,
    /// Largest zip file that is accepted, in MB (of a million bytes)
    #[arg(long, value_name = "MB", default_value_t = 4.0)]
    pub budget: f64,
    /// Builds a second time, from a copy of the sources in another directory, and fails unless every byte is the same
    #[arg(long)]
    pub check_reproducible: bool,
}

/// A processor architecture that Lambda offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    /// 64-bit ARM.
    #[value(name = "arm64")]
    Arm64,
    /// 64-bit Intel and AMD.
    #[value(name = "x86_64")]
    X86_64,
}

impl Arch {
    /// Its name in Lambda, in the template and on our command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// Its name for the compiler.
    const fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// What this machine can run.
    pub const fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }
}

/// One function's package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The program, as it is in the zip file.
    pub program: PathBuf,
    /// The zip file.
    pub archive: PathBuf,
}

/// Builds the packages and prints their sizes; fails when one is too large.
pub async fn command(args: PackageArgs) -> Result<()> {
    let root = workspace_root()?;
    let template = Template::load(&root)?;
    let wanted = wanted(&template, &args.only)?;
    let packages = package(&root, &template, &wanted, args.arch).await?;
    let sizes = packages.iter().map(|(name, package)| Size::of(name, package)).collect::<Result<Vec<_>>>()?;
    println!("\n{}", sizes::table(&sizes, args.budget));
    if let Some(directory) = directory(&root, args.arch).await?.to_str() {
        println!("In {directory}");
    }
    if args.check_reproducible {
        reproduce::check(&root, &template, &packages, args.arch).await?;
        println!("A second build in another directory gave the same bytes.");
    }
    let too_large = sizes::above(&sizes, args.budget);
    if !too_large.is_empty() {
        bail!("Above the budget of {} MB: {}.", args.budget, too_large.join(", "));
    }
    Ok(())
}

/// The packages of an architecture that are there, by function.
pub async fn existing(root: &Path, template: &Template, arch: Arch) -> Result<BTreeMap<String, Package>> {
    let directory = directory(root, arch).await?;
    let all = template.functions.iter().map(|function| (function.name.clone(), package_in(&directory, &function.name)));
    Ok(all.filter(|(_, package)| package.program.is_file() && package.archive.is_file()).collect())
}

/// Builds the packages of `wanted`.
async fn package(root: &Path, template: &Template, wanted: &[&str], arch: Arch) -> Result<BTreeMap<String, Package>> {
    let dir = root.join(".dev");
    let tools = tokio::task::spawn_blocking(move || ToolEnv::prepare(&dir, &|line| println!("{line}"))).await??;
    let target = target_dir(root).await?;
    let directory = directory(root, arch).await?;
    compile::compile(root, &target, &tools, template, wanted, arch, &directory).await?;
    pack(&directory, wanted)
}

/// Makes a zip file beside the program of each of `wanted`.
fn pack(directory: &Path, wanted: &[&str]) -> Result<BTreeMap<String, Package>> {
    let mut packages = BTreeMap::new();
    for name in wanted {
        let package = package_in(directory, name);
        let program = fs::read(&package.program).with_context(|| format!("the build made no program {name}"))?;
        fs::write(&package.archive, archive::of(&program)?).context("cannot write a package")?;
        packages.insert((*name).to_owned(), package);
    }
    Ok(packages)
}

fn package_in(directory: &Path, name: &str) -> Package {
    Package { program: directory.join(name).join(PROGRAM), archive: directory.join(name).join(ARCHIVE) }
}

async fn directory(root: &Path, arch: Arch) -> Result<PathBuf> {
    Ok(target_dir(root).await?.join("package").join(arch.name()))
}

/// The names that were asked for, or all.
fn wanted<'a>(template: &'a Template, only: &[String]) -> Result<Vec<&'a str>> {
    if let Some(unknown) = only.iter().find(|name| template.function(name).is_none()) {
        let known: Vec<&str> = template.functions.iter().map(|function| function.name.as_str()).collect();
        bail!("There is no function {unknown}. There are: {}.", known.join(", "));
    }
    let all = template.functions.iter().map(|function| function.name.as_str());
    Ok(all.filter(|name| only.is_empty() || only.iter().any(|wanted| wanted == name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        Template::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
    }

    #[test]
    fn all_functions_are_packaged_unless_some_are_named() {
        let template = template();
        assert_eq!(wanted(&template, &[]).unwrap().len(), template.functions.len());
        let only = ["migrate".to_owned(), "api-auth".to_owned(), "migrate".to_owned()];
        assert_eq!(wanted(&template, &only).unwrap(), ["api-auth", "migrate"]);
        let error = wanted(&template, &["api-nothing".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("There is no function api-nothing. There are: api-api-keys, "), "{error}");
    }

    #[test]
    fn a_package_is_the_program_and_its_archive() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("migrate")).unwrap();
        fs::write(folder.path().join("migrate/bootstrap"), "program").unwrap();
        let packages = pack(folder.path(), &["migrate"]).unwrap();
        assert_eq!(fs::read(&packages["migrate"].archive).unwrap(), archive::of(b"program").unwrap());
        let error = pack(folder.path(), &["api-auth"]).unwrap_err().to_string();
        assert_eq!(error, "the build made no program api-auth");
    }
}

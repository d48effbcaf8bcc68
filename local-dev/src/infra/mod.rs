//! `cargo dev infra`: checks of `infra/template.yaml` without an account, see `infra/checks/`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    build::workspace_root,
    tool_env::{INFRA_TOOLS, ToolEnv},
};

/// Options of `cargo dev infra check`.
#[derive(Debug, Clone, clap::Args)]
pub struct InfraCheckArgs {
    /// Another template than infra/template.yaml
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Takes the present policies of the roles as what is expected
    #[arg(long)]
    pub update_policies: bool,
}

/// A script of `infra/checks/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Prints every problem of the template.
    Check,
    /// Prints which of many mistakes are noticed.
    SeedMistakes,
}

impl Script {
    fn file(self) -> &'static str {
        match self {
            Self::Check => "check.py",
            Self::SeedMistakes => "seed_mistakes.py",
        }
    }

    /// Runs the script and returns what it wrote. Prepares the tools at first use; needs no network afterwards.
    pub fn output(self, root: &Path) -> Result<Output> {
        self.command(root)?.output().context("cannot start the checks")
    }

    fn command(self, root: &Path) -> Result<Command> {
        let tools = ToolEnv::prepare_set(INFRA_TOOLS, &root.join(".dev"), &|line| println!("{line}"))?;
        let mut command = Command::new(tools.python());
        // -B: compiled files in the source tree would restart `cargo lambda watch`.
        command.args(["-B", "-W", "ignore"]).arg(root.join("infra/checks").join(self.file()));
        command.current_dir(root).stdin(Stdio::null());
        Ok(command)
    }
}

/// Prints every problem of the template; fails when there is one.
pub fn check(args: &InfraCheckArgs) -> Result<()> {
    let template = args.template.as_deref().map(std::path::absolute).transpose().context("no current directory")?;
    let mut command = Script::Check.command(&workspace_root()?)?;
    command.args(template.iter().flat_map(|path| [Path::new("--template"), path]));
    command.args(args.update_policies.then_some("--update-policies"));
    run(command, "The template has problems: see above.")
}

/// Prints which mistakes are noticed; fails when too few are.
pub fn seed_mistakes() -> Result<()> {
    run(Script::SeedMistakes.command(&workspace_root()?)?, "Too many mistakes go unnoticed: see above.")
}

fn run(mut command: Command, failure: &'static str) -> Result<()> {
    if !command.status().context("cannot start the checks")?.success() {
        bail!(failure);
    }
    Ok(())
}

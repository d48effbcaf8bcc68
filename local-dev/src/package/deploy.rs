//! `cargo dev deploy`: packages everything and hands it to AWS SAM.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{Arch, PackageArgs, command, deployment, existing};
use crate::{
    build::workspace_root,
    template::{TEMPLATE_PATH, Template},
};

/// What is deployed, beside the template: SAM looks for its `samconfig.toml` in the same directory.
const PACKAGED_TEMPLATE: &str = "infra/packaged.json";

/// Lambda's own limit for a zip file. The budget of `cargo dev package` is for those who change the functions.
const LAMBDA_LIMIT_MB: f64 = 50.0;

/// Options of `cargo dev deploy`.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct DeployArgs {
    /// Asks for every parameter and remembers the answers in infra/samconfig.toml
    #[arg(long)]
    pub guided: bool,
    /// Name of the stack. Not needed any more once --guided has remembered it
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// Processor architecture
    #[arg(long, value_enum, default_value_t = Arch::Arm64)]
    pub arch: Arch,
    /// Further arguments for `sam deploy`, such as --parameter-overrides
    #[arg(last = true, value_name = "SAM ARGUMENTS")]
    pub more: Vec<String>,
}

/// Builds the packages, writes the template that names them, and runs `sam deploy`.
pub async fn deploy(args: DeployArgs) -> Result<()> {
    // Before the build, which takes minutes.
    require_sam()?;
    let root = workspace_root()?;
    let template = Template::load(&root)?;
    let budget = LAMBDA_LIMIT_MB;
    command(PackageArgs { only: vec![], arch: args.arch, budget, check_reproducible: false }).await?;
    let packages = existing(&root, &template, args.arch).await?;
    let archives = packages.iter().map(|(name, package)| (name.clone(), package.archive.as_path())).collect();
    let text = fs::read_to_string(root.join(TEMPLATE_PATH)).context("cannot read the template")?;
    let packaged = root.join(PACKAGED_TEMPLATE);
    fs::write(&packaged, deployment::template(&text, &archives, args.arch)?)
        .with_context(|| format!("cannot write {}", packaged.display()))?;
    let status = sam(&args, &packaged).status().context("cannot start sam")?;
    if !status.success() {
        bail!("sam deploy failed: see above.");
    }
    Ok(())
}

fn sam(args: &DeployArgs, packaged: &Path) -> Command {
    let mut sam = Command::new("sam");
    sam.current_dir(packaged.parent().unwrap_or(Path::new(".")));
    sam.arg("deploy").arg("--template-file").arg(packaged.file_name().map(PathBuf::from).unwrap_or_default());
    sam.args(["--capabilities", "CAPABILITY_IAM"]);
    sam.args(args.guided.then_some("--guided"));
    sam.args(args.stack_name.iter().flat_map(|name| ["--stack-name", name]));
    sam.args(&args.more);
    sam
}

fn require_sam() -> Result<()> {
    match Command::new("sam").arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "The SAM CLI is missing, and it does the deployment: `pipx install aws-sam-cli` (or `pip install` in a \
             virtual environment), then try again. infra/README.md tells the rest."
        ),
        Err(error) => Err(error).context("cannot start sam"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sam_gets_the_packaged_template_and_the_callers_own_arguments() {
        let more = ["--parameter-overrides".to_owned(), "LogLevel=debug".to_owned()].to_vec();
        let args = DeployArgs { guided: true, stack_name: Some("prompts".to_owned()), arch: Arch::Arm64, more };
        let sam = sam(&args, Path::new("/project/infra/packaged.json"));
        assert_eq!(sam.get_current_dir(), Some(Path::new("/project/infra")));
        let arguments: Vec<&str> = sam.get_args().map(|argument| argument.to_str().unwrap()).collect();
        let expected = "deploy --template-file packaged.json --capabilities CAPABILITY_IAM --guided --stack-name prompts \
                        --parameter-overrides LogLevel=debug";
        assert_eq!(arguments.join(" "), expected);
    }
}

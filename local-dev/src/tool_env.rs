//! Python virtual environments with pinned tools: one for `cargo-lambda` and moto, one for schemathesis, one for the checks
//! of the template.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// Tools that are installed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolSet {
    /// Name of the environment's directory.
    pub name: &'static str,
    /// Exact versions of everything, as `pip freeze` lists them.
    pub requirements: &'static str,
    /// What they are, for people who wait for them.
    pub description: &'static str,
}

/// What every stack needs.
pub const STACK_TOOLS: ToolSet =
    ToolSet { name: "venv", requirements: include_str!("../requirements.txt"), description: "cargo-lambda and moto" };

/// What `cargo dev fuzz` needs besides.
pub const FUZZ_TOOLS: ToolSet =
    ToolSet { name: "venv-fuzz", requirements: include_str!("fuzz/requirements.txt"), description: "schemathesis" };

/// What `cargo dev infra` needs.
pub const INFRA_TOOLS: ToolSet = ToolSet {
    name: "venv-infra",
    requirements: include_str!("../../infra/checks/requirements.txt"),
    description: "cfn-lint, aws-sam-translator and moto",
};

/// What the pinned versions need at least.
const OLDEST_PYTHON: &str = "3.11";

/// Tools that are ready to use.
#[derive(Debug, Clone)]
pub struct ToolEnv {
    set: ToolSet,
    venv: PathBuf,
}

impl ToolEnv {
    /// Makes sure that the environment of [`STACK_TOOLS`] in `dir` has exactly the pinned versions.
    pub fn prepare(dir: &Path, progress: &dyn Fn(&str)) -> Result<Self> {
        Self::prepare_set(STACK_TOOLS, dir, progress)
    }

    /// Makes sure that the environment of these tools in `dir` has exactly the pinned versions.
    ///
    /// Several processes may call this at once; one works and the others wait. When nothing has
    /// to be done it takes a few file accesses.
    pub fn prepare_set(set: ToolSet, dir: &Path, progress: &dyn Fn(&str)) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let venv = dir.join(set.name);
        let tools = Self { set, venv: venv.clone() };
        if tools.is_current() {
            return Ok(tools);
        }
        let lock = File::create(dir.join(format!("{}.lock", set.name))).context("cannot create a lock file")?;
        lock.lock().context("cannot lock the tool environment")?;
        if tools.is_current() {
            return Ok(tools);
        }
        progress(&format!("Preparing tools (first use: {} from PyPI, about 15 s)", set.description));
        let python = find_python()?;
        if venv.exists() {
            fs::remove_dir_all(&venv).with_context(|| format!("cannot remove {}", venv.display()))?;
        }
        create(python, &venv)?;
        progress("Installing the pinned versions");
        tools.install(dir)?;
        // Last of all, and in one step: an interrupted installation has no stamp.
        let fresh = venv.join("stamp.new");
        fs::write(&fresh, set.requirements).context("cannot write the stamp of the tool environment")?;
        fs::rename(&fresh, tools.stamp()).context("cannot write the stamp of the tool environment")?;
        Ok(tools)
    }

    /// The environment's Python.
    pub fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// The `cargo-lambda` program; its first argument is `lambda`.
    pub fn cargo_lambda(&self) -> PathBuf {
        self.program("cargo-lambda")
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.venv.join("bin").join(name)
    }

    fn stamp(&self) -> PathBuf {
        self.venv.join("requirements.stamp")
    }

    fn is_current(&self) -> bool {
        let stamped = fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == self.set.requirements);
        // A Python that was upgraded or removed leaves dangling links behind.
        stamped && self.python().exists()
    }

    fn install(&self, dir: &Path) -> Result<()> {
        let list = dir.join(format!("{}-requirements.txt", self.set.name));
        fs::write(&list, self.set.requirements).context("cannot write the list of tools")?;
        let output = Command::new(self.python())
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"])
            .arg(&list)
            .stdin(Stdio::null())
            .output()
            .context("cannot start pip")?;
        if !output.status.success() {
            bail!(
                "pip could not install the tools ({}). Check that PyPI or your package mirror is reachable, then try \
                 again.",
                last_line(&output)
            );
        }
        Ok(())
    }
}

fn find_python() -> Result<&'static str> {
    let check = format!("import sys; sys.exit(sys.version_info < ({}))", OLDEST_PYTHON.replace('.', ", "));
    let mut found_old = false;
    for name in ["python3", "python"] {
        match Command::new(name).args(["-c", &check]).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => return Ok(name),
            Ok(_) => found_old = true,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot start {name}")),
        }
    }
    if found_old {
        bail!("The Python found here is older than {OLDEST_PYTHON}: install a newer one, then try again.");
    }
    bail!(
        "Python is missing: install Python {OLDEST_PYTHON} or newer with its venv module (on Debian and Ubuntu: apt \
         install python3 python3-venv), then try again."
    );
}

fn create(python: &str, venv: &Path) -> Result<()> {
    let output = Command::new(python)
        .args(["-m", "venv"])
        .arg(venv)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {python}"))?;
    if output.status.success() {
        return Ok(());
    }
    // Debian's Python explains at length that ensurepip is missing; one sentence will do.
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if text.contains("ensurepip") || text.contains("No module named venv") {
        bail!(
            "Python's venv module is missing: install it (on Debian and Ubuntu: apt install python3-venv), then try \
             again."
        );
    }
    bail!("Python could not make a virtual environment in {} ({}).", venv.display(), last_line(&output));
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("no message").trim().to_owned()
}

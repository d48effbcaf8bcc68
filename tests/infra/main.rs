//! What is deployed, as far as that can be known without an account. The first run prepares the tools.

use std::path::Path;

use anyhow::Result;
use local_dev::infra::Script;

/// Whether a script of `infra/checks/` succeeded, and what it wrote.
fn run(script: Script) -> Result<(bool, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let output = script.output(&root)?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), text.into_owned()))
}

#[test]
fn the_template_passes_all_checks() -> Result<()> {
    let (passed, text) = run(Script::Check)?;
    assert!(passed && text.contains("cfn-lint: ok"), "{text}");
    Ok(())
}

#[test]
fn the_checks_notice_mistakes() -> Result<()> {
    let (passed, text) = run(Script::SeedMistakes)?;
    assert!(passed && text.contains("mistakes were noticed"), "{text}");
    Ok(())
}

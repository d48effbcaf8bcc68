//! What is deployed, as far as that can be known without an account. The first run prepares the tools.

use std::path::Path;

use local_dev::infra::Script;

fn run(script: Script) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let output = script.output(&root).unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

#[test]
fn the_template_passes_all_checks() {
    let (passed, text) = run(Script::Check);
    assert!(passed && text.contains("cfn-lint: ok"), "{text}");
}

#[test]
fn the_checks_notice_mistakes() {
    let (passed, text) = run(Script::SeedMistakes);
    assert!(passed && text.contains("mistakes were noticed"), "{text}");
}

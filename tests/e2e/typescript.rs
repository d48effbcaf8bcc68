//! The typed client for TypeScript: generated, compiled strictly, and used by a program in Node.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use local_dev::stack::{Stack, StackOptions};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn a_typescript_program_goes_from_the_first_account_to_a_result() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/typescript");
    let building = client.clone();
    tokio::task::spawn_blocking(move || build(&building)).await.unwrap();

    let data = tempfile::tempdir().unwrap();
    let mut options = StackOptions::quiet(data.path()).unwrap();
    let place = Place::of_this_run().await;
    place.apply(&mut options);
    let stack = Stack::start(options).await.unwrap();
    let mut node = Command::new("node");
    node.current_dir(&client).arg("dist/examples/journey.js").env("API_URL", stack.base_url());
    let output = tokio::task::spawn_blocking(move || run(&mut node)).await.unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    for line in
        ["signed in as admin", "prompt version 1", "execution completed api", "Greet Grace.", "refused with 403"]
    {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    stack.shutdown().await;
}

/// Installs what the lock file names, unless that was done before, then generates the types and compiles with `--strict`.
fn build(client: &Path) {
    let lock = fs::read(client.join("package-lock.json")).expect("the client has a lock file");
    let stamp: PathBuf = client.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).ok().as_ref() != Some(&lock) {
        run(Command::new("npm").current_dir(client).args(["ci", "--ignore-scripts"]));
        fs::write(&stamp, &lock).expect("the installation can be marked");
    }
    run(Command::new("npm").current_dir(client).args(["run", "build"]));
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{:?} cannot be started ({error}): install Node.js 20 or newer with npm", command.get_program())
    });
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed: {shown}\n{errors}");
    output
}

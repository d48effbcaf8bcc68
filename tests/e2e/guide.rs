//! The examples of documents, run as they are printed.

use std::process::Command;

use local_dev::stack::{Stack, StackOptions};

use crate::place::Place;

/// Runs the shell examples against a fresh system and gives what they printed.
async fn run_examples(script: &str) -> String {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut options = StackOptions::quiet(data.path()).expect("the workspace is found");
    let place = Place::of_this_run().await;
    place.apply(&mut options);
    let stack = Stack::start(options).await.expect("the system starts");
    let script = format!("set -o pipefail\n{}", script.replace("http://127.0.0.1:3000", &stack.base_url()));
    let run = tokio::task::spawn_blocking(move || Command::new("bash").args(["-euc", &script]).output());
    let output = run.await.expect("the thread ends").expect("bash starts");
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}\n{errors}");
    stack.shutdown().await;
    shown.into_owned()
}

/// The shell examples of a document, in order.
fn examples(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_five_minute_path_works_as_printed() {
    let readme = include_str!("../../README.md");
    let section = readme.split("## Your first prompt in five minutes").nth(1).unwrap();
    let shown = run_examples(examples(section)[0]).await;
    assert!(shown.contains("\"status\": \"completed\""), "{shown}");
    let answer = "Write one friendly sentence to Grace, who lives in Arlington.";
    assert!(shown.contains(answer), "the result quotes the compiled prompt: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_guides_examples_work_as_printed() {
    let shown = run_examples(&examples(include_str!("../../docs/api.md")).concat()).await;
    for answer in ["Greet Grace.", "Greet Linus.", "ada@example.com"] {
        assert!(shown.contains(answer), "{answer} in {shown}");
    }
}

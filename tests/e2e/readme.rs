//! The README's first steps, run as they are printed.

use std::process::Command;

use local_dev::stack::{Stack, StackOptions};

const README: &str = include_str!("../../README.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_five_minute_path_works_as_printed() {
    let section = README.split("## Your first prompt in five minutes").nth(1).unwrap();
    let script = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let data = tempfile::tempdir().unwrap();
    let stack = Stack::start(StackOptions::quiet(data.path()).unwrap()).await.unwrap();
    let script = script.replace("http://127.0.0.1:3000", &stack.base_url());
    let run = tokio::task::spawn_blocking(move || Command::new("bash").args(["-euc", &script]).output());
    let output = run.await.unwrap().unwrap();
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}\n{errors}");
    assert!(shown.contains("\"status\": \"completed\""), "{shown}\n{errors}");
    let answer = "Write one friendly sentence to Grace, who lives in Arlington.";
    assert!(shown.contains(answer), "the result quotes the compiled prompt: {shown}");
    stack.shutdown().await;
}

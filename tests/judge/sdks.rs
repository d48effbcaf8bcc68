//! Running the Python program with the SDKs in it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use local_dev::{
    build::workspace_root,
    tool_env::{ToolEnv, ToolSet},
};
use serde_json::Value;

const SDKS: ToolSet = ToolSet {
    name: "venv-judge",
    requirements: include_str!("requirements.txt"),
    description: "the model vendors' SDKs",
};

/// Runs the program and gives what it writes, one JSON document per line.
pub(crate) fn run(command: &str, lines: &[Value]) -> Vec<Value> {
    let root = workspace_root().expect("the workspace");
    let env = ToolEnv::prepare_set(SDKS, &root.join(".dev"), &|line| eprintln!("{line}")).expect("the SDKs");
    let mut program = Command::new(env.python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/judge/sdks"))
        .arg(command)
        // Compiled files do not belong beside the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = program.stdin.take().expect("a pipe");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = program.wait_with_output().expect("Python ends");
    writer.join().expect("the writer ends").expect("Python reads everything");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("JSON");
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

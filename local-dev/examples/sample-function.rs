//! A function for the tests of the runtime host: does what its event says.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    println!("sample function starts");
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    match event["do"].as_str() {
        Some("sleep") => {
            tokio::time::sleep(Duration::from_millis(event["ms"].as_u64().unwrap_or_default())).await;
        }
        Some("exit") => std::process::exit(3),
        Some("fail") => return Err("asked to fail".into()),
        Some("panic") => panic!("asked to panic"),
        Some("large") => return Ok(json!("x".repeat(7 * 1024 * 1024))),
        _ => {}
    }
    let time_left = context.deadline().duration_since(SystemTime::now());
    Ok(json!({
        "event": event,
        "pid": std::process::id(),
        "greeting": std::env::var_os("GREETING").and_then(|value| value.into_string().ok()),
        "time_left_ms": time_left.map_or(0, |left| left.as_millis()),
        "variables": std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect::<Vec<_>>(),
    }))
}

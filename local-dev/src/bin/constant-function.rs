//! A function on `lambda_runtime` that reads its event and always gives the same answer. For `cargo dev bench runtime`.

use std::env;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, value::RawValue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let answer = env::var_os("ANSWER").and_then(|answer| answer.into_string().ok()).ok_or("ANSWER is missing")?;
    let answer: &RawValue = serde_json::from_str(&answer)?;
    lambda_runtime::run(service_fn(async |_event: LambdaEvent<Value>| Ok::<_, Error>(answer))).await
}

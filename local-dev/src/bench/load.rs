//! The same request again and again, over several connections or straight to a function.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use axum::{
    body::Bytes,
    http::{Method, Request},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared_core::outbound;

use super::{
    figures::{Percentiles, milliseconds, rounded, thousandths},
    functions::{CALL_LIMIT, Functions},
};
use crate::{host::Host, invoke::Invoker, process::Usage};

/// Requests of each connection before anything counts, unless they take longer than what counts.
const WARM_UP: u64 = 5;
/// In a body: stands for a number that no other request has.
const NUMBER: &str = "{number}";

/// A request, and how it must be answered.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    expected: u16,
    /// Whether it is refused when several do it at once.
    pub(super) is_exclusive: bool,
}

impl Call {
    /// GET, answered with 200.
    pub(super) fn get(name: &str, path: impl Into<String>) -> Self {
        let (name, path) = (name.to_owned(), path.into());
        Self { name, method: Method::GET, path, headers: Vec::new(), body: None, expected: 200, is_exclusive: false }
    }

    /// POST, answered with 201. `{number}` in the body becomes another number each time.
    pub(super) fn post(name: &str, path: impl Into<String>, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = Some(body.to_string());
        Self { method: Method::POST, headers, body, expected: 201, ..Self::get(name, path) }
    }

    /// PUT, answered with 200. Of two who save the same thing at once, one is refused.
    pub(super) fn put(name: &str, path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::PUT, expected: 200, is_exclusive: true, ..Self::post(name, path, body) }
    }

    /// With the session of whoever set the functions up.
    pub(super) fn with_session(mut self, functions: &Functions) -> Self {
        self.headers.push(("authorization", format!("Bearer {}", functions.api.token())));
        self
    }

    /// With an API key.
    pub(super) fn with_key(mut self, key: &str) -> Self {
        self.headers.push(("x-api-key", key.to_owned()));
        self
    }

    /// Answered with another status.
    pub(super) fn expecting(mut self, status: u16) -> Self {
        self.expected = status;
        self
    }

    /// Refused when several do it at once.
    pub(super) fn exclusive(mut self) -> Self {
        self.is_exclusive = true;
        self
    }

    /// Whether it changes something.
    pub(super) fn is_write(&self) -> bool {
        self.method != Method::GET
    }

    /// The function that serves it.
    pub(super) fn function(&self, functions: &Functions) -> Result<String> {
        Ok(self.event(functions)?.0)
    }

    /// The function that serves it, and the event that the gateway makes of it.
    pub(super) fn event(&self, functions: &Functions) -> Result<(String, Bytes)> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        functions.event(request, self.body().as_bytes())
    }

    fn body(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        match self.body.as_deref() {
            Some(body) if body.contains(NUMBER) => {
                body.replace(NUMBER, &NEXT.fetch_add(1, Ordering::Relaxed).to_string())
            }
            body => body.unwrap_or_default().to_owned(),
        }
    }

    /// Hands it to the function without the gateway; gives the milliseconds that this took.
    pub(super) async fn invoke(&self, functions: &Functions) -> Result<f64> {
        let (function, event) = self.event(functions)?;
        let (answer, time) = invoke(&functions.host, &function, event).await?;
        self.check(status(&answer)?)?;
        Ok(time)
    }

    fn check(&self, status: u16) -> Result<()> {
        if status != self.expected {
            bail!("{} was answered with {status} in place of {}", self.name, self.expected);
        }
        Ok(())
    }
}

/// Calls a function; gives its answer and the milliseconds that it took.
pub(super) async fn invoke(host: &Host, function: &str, event: Bytes) -> Result<(Bytes, f64)> {
    let sent = Instant::now();
    let answer = host.invoke(function, event, CALL_LIMIT).await.with_context(|| format!("{function} failed"))?;
    Ok((answer, milliseconds(sent, Instant::now())))
}

/// The status in the answer of a function.
pub(super) fn status(answer: &[u8]) -> Result<u16> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        status_code: u16,
    }
    Ok(serde_json::from_slice::<Answer>(answer).context("the answer has no status")?.status_code)
}

/// What a load cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) per_second: f64,
    /// Of a single request, in milliseconds.
    pub(super) latency: Percentiles,
    /// Processor time of the function's processes per request, in milliseconds.
    pub(super) function_cpu_ms: f64,
    /// What of it the kernel worked for the function.
    pub(super) system_cpu_ms: f64,
    /// Processor time of our own process: client, gateway and runtime host.
    pub(super) other_cpu_ms: f64,
}

impl Load {
    pub(super) fn json(&self) -> Value {
        json!({
            "perSecond": self.per_second.round(),
            "latencyMs": self.latency.json(),
            "functionCpuSecondsPer1000": thousandths(self.function_cpu_ms),
            "ofWhichSystem": thousandths(self.system_cpu_ms),
            "otherCpuSecondsPer1000": thousandths(self.other_cpu_ms),
        })
    }
}

/// Sends calls through the gateway, over connections that it keeps.
pub(super) struct Client<'a> {
    http: reqwest::Client,
    base_url: &'a str,
}

impl<'a> Client<'a> {
    /// A client of these functions.
    pub(super) fn new(functions: &'a Functions) -> Result<Self> {
        let http = outbound::client(|builder| builder.no_proxy().tcp_nodelay(true).timeout(CALL_LIMIT))?;
        Ok(Self { http, base_url: functions.api.base_url() })
    }

    /// Sends one and waits for the whole answer; gives the milliseconds that this took.
    pub(super) async fn send(&self, call: &Call) -> Result<f64> {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.base_url, call.path));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let request = request.body(call.body());
        let sent = Instant::now();
        let answer = request.send().await.with_context(|| format!("no answer to {}", call.name))?;
        let status = answer.status().as_u16();
        answer.bytes().await?;
        let time = milliseconds(sent, Instant::now());
        call.check(status)?;
        Ok(time)
    }
}

/// Sends `call` over so many connections for so long. Lambda gives each request that is under way a process of its own, and
/// so does the host, up to as many as it was allowed.
pub(super) async fn load(functions: &Functions, call: &Call, connections: usize, time: Duration) -> Result<Load> {
    let (client, function) = (Client::new(functions)?, call.function(functions)?);
    measure(&functions.host, &function, connections, time, async || client.send(call).await).await
}

/// Hands `call` to the function without the gateway, one after another: what is left is the function and the Runtime API.
pub(super) async fn direct(functions: &Functions, call: &Call, time: Duration) -> Result<Load> {
    let function = call.function(functions)?;
    measure(&functions.host, &function, 1, time, async || call.invoke(functions).await).await
}

/// Sends over so many connections for so long; `send` gives the milliseconds that one request took.
pub(super) async fn measure(
    host: &Host,
    function: &str,
    connections: usize,
    time: Duration,
    send: impl AsyncFn() -> Result<f64>,
) -> Result<Load> {
    let (warm, enough, start) = (AtomicU64::new(0), WARM_UP * connections as u64, Instant::now());
    let is_cold = || warm.fetch_add(1, Ordering::Relaxed) < enough && start.elapsed() < time;
    repeat(connections, &send, &is_cold).await?;

    let used = || {
        let all = host.usage(function);
        let (cpu, system) = (all.iter().map(|usage| usage.cpu).sum(), all.iter().map(|usage| usage.system).sum());
        [cpu, system, Usage::of_this_process().cpu]
    };
    let before: [Duration; 3] = used();
    let start = Instant::now();
    let times = repeat(connections, &send, &|| start.elapsed() < time).await?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), used());
    let count = times.len() as f64;
    let each = |which: usize| after[which].saturating_sub(before[which]).as_secs_f64() * 1000.0 / count;
    Ok(Load {
        per_second: rounded(count / seconds),
        latency: Percentiles::of(times),
        function_cpu_ms: each(0),
        system_cpu_ms: each(1),
        other_cpu_ms: each(2),
    })
}

/// Sends over every connection, one request after another, as long as it shall go on; gives the time of each.
async fn repeat(
    connections: usize,
    send: &impl AsyncFn() -> Result<f64>,
    goes_on: &impl Fn() -> bool,
) -> Result<Vec<f64>> {
    let connection = async |_| {
        let mut times = Vec::new();
        // At least once: whatever takes longer than the whole time is measured too.
        loop {
            times.push(send().await?);
            if !goes_on() {
                return Ok::<_, anyhow::Error>(times);
            }
        }
    };
    Ok(futures::future::try_join_all((0..connections).map(connection)).await?.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_body_has_a_number_of_its_own() {
        let call = Call::post("create", "/", &json!({"name": "prompt {number}"}));
        assert_ne!(call.body(), call.body());
        assert!(!call.body().contains(NUMBER));
        assert_eq!(Call::get("read", "/").body(), "");
    }

    #[tokio::test]
    async fn every_connection_sends_at_least_once() {
        let sent = AtomicU64::new(0);
        let send = async || Ok(sent.fetch_add(1, Ordering::Relaxed) as f64);
        assert_eq!(repeat(3, &send, &|| false).await.unwrap(), [0.0, 1.0, 2.0]);
    }
}

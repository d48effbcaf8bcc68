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
    figures::{Percentiles, milliseconds, rounded},
    functions::{CALL_LIMIT, Functions},
};
use crate::{invoke::Invoker, process::Usage};

/// Requests of each connection before anything counts.
const WARM_UP: u64 = 20;

/// A request, and how it must be answered.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    expected: u16,
}

impl Call {
    /// GET, answered with 200.
    pub(super) fn get(name: &str, path: impl Into<String>) -> Self {
        let (name, path) = (name.to_owned(), path.into());
        Self { name, method: Method::GET, path, headers: Vec::new(), body: None, expected: 200 }
    }

    /// POST, answered with 201.
    pub(super) fn post(name: &str, path: impl Into<String>, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = Some(body.to_string());
        Self { method: Method::POST, headers, body, expected: 201, ..Self::get(name, path) }
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

    /// Whether it has credentials of its own.
    pub(super) fn has_key(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == "x-api-key")
    }

    /// Answered with another status.
    pub(super) fn expecting(mut self, status: u16) -> Self {
        self.expected = status;
        self
    }

    /// The function that serves it.
    pub(super) fn function(&self, functions: &Functions) -> Result<String> {
        Ok(self.event(functions)?.0)
    }

    /// The function that serves it, and the event that the gateway makes of it.
    fn event(&self, functions: &Functions) -> Result<(String, Bytes)> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        functions.event(request, self.body.as_deref().unwrap_or_default().as_bytes())
    }

    fn check(&self, status: u16) -> Result<()> {
        if status != self.expected {
            bail!("{} was answered with {status} in place of {}", self.name, self.expected);
        }
        Ok(())
    }
}

/// What a load cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) per_second: f64,
    /// Of a single request, in milliseconds.
    pub(super) latency: Percentiles,
    /// Processor time of the function's processes per request, in milliseconds.
    pub(super) function_cpu_ms: f64,
    /// The same of our own process: client, gateway and runtime host.
    pub(super) other_cpu_ms: f64,
}

impl Load {
    pub(super) fn json(&self) -> Value {
        json!({
            "perSecond": self.per_second.round(),
            "latencyMs": self.latency.json(),
            "functionCpuSecondsPer1000": thousandths(self.function_cpu_ms),
            "otherCpuSecondsPer1000": thousandths(self.other_cpu_ms),
        })
    }
}

/// To three places.
pub(super) fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
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

    /// Sends one and waits for the whole answer.
    pub(super) async fn send(&self, call: &Call) -> Result<()> {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.base_url, call.path));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let request = request.body(call.body.clone().unwrap_or_default());
        let answer = request.send().await.with_context(|| format!("no answer to {}", call.name))?;
        call.check(answer.status().as_u16())?;
        answer.bytes().await?;
        Ok(())
    }
}

/// Sends `call` over so many connections for so long. Lambda gives each request that is under way a process of its own, and
/// so does the host, up to as many as it was allowed.
pub(super) async fn load(functions: &Functions, call: &Call, connections: usize, time: Duration) -> Result<Load> {
    let client = Client::new(functions)?;
    measure(functions, call, connections, time, async || client.send(call).await).await
}

/// Hands `call` to the function without the gateway, one after another: what is left is the function and the Runtime API.
pub(super) async fn direct(functions: &Functions, call: &Call, time: Duration) -> Result<Load> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        status_code: u16,
    }
    let (function, event) = call.event(functions)?;
    let send = async || {
        let answer = functions.host.invoke(&function, event.clone(), CALL_LIMIT).await?;
        call.check(serde_json::from_slice::<Answer>(&answer)?.status_code)
    };
    measure(functions, call, 1, time, send).await
}

async fn measure(
    functions: &Functions,
    call: &Call,
    connections: usize,
    time: Duration,
    send: impl AsyncFn() -> Result<()>,
) -> Result<Load> {
    let function = call.function(functions)?;
    let (warm, enough) = (AtomicU64::new(0), WARM_UP * connections as u64);
    repeat(connections, &send, &|| warm.fetch_add(1, Ordering::Relaxed) < enough).await?;

    let (function_before, own_before) = (functions.cpu(&function), Usage::of_this_process().cpu);
    let start = Instant::now();
    let times = repeat(connections, &send, &|| start.elapsed() < time).await?;
    let seconds = start.elapsed().as_secs_f64();
    let count = times.len() as f64;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1000.0 / count;
    Ok(Load {
        per_second: rounded(count / seconds),
        latency: Percentiles::of(times),
        function_cpu_ms: each(functions.cpu(&function).saturating_sub(function_before)),
        other_cpu_ms: each(Usage::of_this_process().cpu.saturating_sub(own_before)),
    })
}

/// Sends over every connection, one request after another, as long as it shall go on; gives the time of each.
async fn repeat(
    connections: usize,
    send: &impl AsyncFn() -> Result<()>,
    goes_on: &impl Fn() -> bool,
) -> Result<Vec<f64>> {
    let connection = async |_| {
        let mut times = Vec::new();
        while goes_on() {
            let sent = Instant::now();
            send().await?;
            times.push(milliseconds(sent, Instant::now()));
        }
        Ok::<_, anyhow::Error>(times)
    };
    Ok(futures::future::try_join_all((0..connections).map(connection)).await?.concat())
}

/// Sends so many requests one after another, the calls in turn.
pub(super) async fn in_turn(functions: &Functions, calls: &[Call], requests: u32) -> Result<()> {
    let client = Client::new(functions)?;
    for call in calls.iter().cycle().take(requests as usize) {
        client.send(call).await?;
    }
    Ok(())
}

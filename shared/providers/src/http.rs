//! Talking HTTP: the only place that builds clients, with all their limits.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shared_core::{ProviderName, Secret, outbound, trace};

use crate::{
    error::{ErrorClass, ProviderError},
    failure,
    secret::ApiKey,
    vendor::Vendor,
};

/// How long connecting may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long availability calls and model lists may take altogether: somebody waits for them at a screen, and API
/// Gateway gives up after 30 s.
const LIGHT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an unused connection stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// How much of an error answer is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How much of an answer that is not JSON is shown, in characters.
const GARBAGE_SHOWN: usize = 200;

/// The connections of the process, made at first use: a cold start must not pay for TLS.
#[derive(Default)]
pub(crate) struct Pool {
    outside: OnceLock<Client>,
    this_machine: OnceLock<Client>,
}

impl Pool {
    /// The client for a URL. What is on this machine is never asked through the proxy of `HTTP_PROXY` and its like,
    /// which could not reach it.
    fn client(&self, url: &Url) -> Result<&Client, ProviderError> {
        let is_local = is_this_machine(url);
        let slot = if is_local { &self.this_machine } else { &self.outside };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = outbound::client(|builder| {
            let builder = builder
                .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .redirect(redirect::Policy::none());
            if is_local { builder.no_proxy() } else { builder }
        });
        let client =
            client.map_err(|error| ProviderError::unavailable(format!("no HTTP client could be made: {error}")))?;
        Ok(slot.get_or_init(|| client))
    }
}

fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// By when a call must be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    limit: Duration,
    at: Option<Instant>,
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        Self { limit, at: Instant::now().checked_add(limit) }
    }

    fn remaining(self) -> Duration {
        self.at.map_or(self.limit, |at| at.saturating_duration_since(Instant::now()))
    }
}

/// A 2xx answer with a JSON object in it.
pub(crate) struct Answered<T> {
    pub(crate) body: T,
    /// The same as it came.
    pub(crate) json: Value,
    /// The vendor's own name for the call.
    pub(crate) request_id: Option<String>,
    /// From the request to the end of the answer.
    pub(crate) duration: Duration,
}

/// One vendor, reached with one key.
pub(crate) struct Session<V = ProviderName> {
    connection: Connection,
    pub(crate) provider: V,
    /// Sent with every request; the key among them, marked as sensitive.
    headers: HeaderMap,
    /// What to keep out of error texts; `None` for a vendor without keys.
    key: Option<ApiKey>,
}

/// How a vendor is reached, whoever asks.
pub(crate) struct Connection {
    pub(crate) pool: Arc<Pool>,
    /// Without a trailing slash.
    pub(crate) base_url: String,
    /// How long a generation may take.
    pub(crate) timeout: Duration,
}

impl<V: Vendor> Session<V> {
    /// A session that sends the key with every request: `prefix` + key in this header.
    pub(crate) fn with_key(
        connection: Connection,
        provider: V,
        header: HeaderName,
        prefix: &str,
        api_key: &Secret,
    ) -> Result<Self, ProviderError> {
        let key = ApiKey::new(api_key).ok_or_else(|| ProviderError::no_key(provider))?;
        let value = key.header(prefix).ok_or_else(|| ProviderError::unsendable_key(provider))?;
        Ok(Self { connection, provider, headers: HeaderMap::from_iter([(header, value)]), key: Some(key) })
    }

    /// A session with a vendor that has no keys.
    pub(crate) fn without_key(connection: Connection, provider: V) -> Self {
        Self { connection, provider, headers: HeaderMap::new(), key: None }
    }

    /// The same session, which also sends this header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The vendor's name as people write it.
    pub(crate) fn vendor(&self) -> &'static str {
        self.provider.shown_name()
    }

    /// By when a generation must be done that starts now.
    pub(crate) fn generation_deadline(&self) -> Deadline {
        Deadline::new(self.connection.timeout)
    }

    /// By when an availability call or a model list must be done that starts now.
    pub(crate) fn light_deadline(&self) -> Deadline {
        Deadline::new(self.connection.timeout.min(LIGHT_TIMEOUT))
    }

    /// Whether a GET is answered with 2xx; what the answer says does not matter.
    pub(crate) async fn expect_ok(&self, path: &str, query: &[(&str, &str)]) -> Result<(), ProviderError> {
        let url = self.url(path, query)?;
        let deadline = self.light_deadline();
        self.exchange(self.connection.pool.client(&url)?.get(url), None, deadline).await.map(drop)
    }

    /// A GET whose answer is a JSON object.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Answered<T>, ProviderError> {
        let url = self.url(path, query)?;
        let reply = self.exchange(self.connection.pool.client(&url)?.get(url), None, deadline).await?;
        self.read(&reply)
    }

    /// A POST about a model, whose answer is a JSON object.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        model: &str,
        body: &impl Serialize,
    ) -> Result<Answered<T>, ProviderError> {
        let url = self.url(path, &[])?;
        let request = self.connection.pool.client(&url)?.post(url).json(body);
        let reply = self.exchange(request, Some(model), self.generation_deadline()).await?;
        self.read(&reply)
    }

    /// The vendor answered, but nothing that can be used.
    pub(crate) fn unusable(&self, what: impl AsRef<str>) -> ProviderError {
        ProviderError::vendor(self.redact(&format!("{} {}", self.vendor(), what.as_ref())))
    }

    /// The text without the API key in it.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.redact(text))
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, ProviderError> {
        let mut url = Url::parse(&format!("{}{path}", self.connection.base_url))
            .map_err(|_| ProviderError::unavailable(format!("the address of {} is not a URL", self.vendor())))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Sends a request and reads the answer; anything but 2xx is an error.
    async fn exchange(
        &self,
        request: RequestBuilder,
        model: Option<&str>,
        deadline: Deadline,
    ) -> Result<Reply, ProviderError> {
        let started = Instant::now();
        let mut request = request.headers(self.headers.clone()).timeout(deadline.remaining());
        if let Some(trace) = trace::current() {
            request = request.header("traceparent", trace.traceparent());
        }
        let response = request.send().await.map_err(|error| self.no_answer(error, deadline))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            let body = self.read_whole(response, deadline).await?;
            return Ok(Reply { status_line: status.to_string(), headers, body, duration: started.elapsed() });
        }
        let body = read_start(response).await;
        Err(failure::read(self, status, &headers, &body, model))
    }

    async fn read_whole(&self, mut response: Response, deadline: Deadline) -> Result<Vec<u8>, ProviderError> {
        let too_large = || self.unusable(format!("answered with more than {} MiB", MAX_ANSWER_BYTES >> 20));
        let announced = response.content_length().unwrap_or_default();
        if announced > MAX_ANSWER_BYTES as u64 {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken_answer(error, deadline))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads a JSON object. What is something else is named as such: a proxy's page, a cut-off document, nothing.
    fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<Answered<T>, ProviderError> {
        let status = &reply.status_line;
        if reply.body.trim_ascii().is_empty() {
            return Err(self.unusable(format!("answered {status} with an empty body")));
        }
        let value: Value = serde_json::from_slice(&reply.body).map_err(|_| {
            let shown = failure::cut(&self.redact(&String::from_utf8_lossy(&reply.body)), GARBAGE_SHOWN);
            self.unusable(format!("answered {status} with something that is not JSON: {shown}"))
        })?;
        if !value.is_object() {
            return Err(self.unusable(format!("answered {status} with JSON that is not an object")));
        }
        let body = T::deserialize(&value)
            .map_err(|error| self.unusable(format!("answered {status} with JSON of an unknown shape: {error}")))?;
        let request_id = request_id(&reply.headers).map(|id| self.redact(&id));
        Ok(Answered { body, json: value, request_id, duration: reply.duration })
    }

    /// The request failed before the head of an answer came.
    fn no_answer(&self, error: reqwest::Error, deadline: Deadline) -> ProviderError {
        if error.is_connect() {
            let (vendor, address) = (self.vendor(), &self.connection.base_url);
            return self.network(format!("could not connect to {vendor} at {address}: {}", reason(error)));
        }
        if error.is_timeout() {
            return self.timed_out(deadline).transient();
        }
        self.network(format!("{} closed the connection without an answer: {}", self.vendor(), reason(error)))
    }

    /// The answer began and did not end. Running out of time here is permanent: the vendor was at work all along, and
    /// would be again.
    fn broken_answer(&self, error: reqwest::Error, deadline: Deadline) -> ProviderError {
        if error.is_timeout() {
            return self.timed_out(deadline);
        }
        self.network(format!("the connection to {} broke during its answer: {}", self.vendor(), reason(error)))
    }

    fn network(&self, message: String) -> ProviderError {
        ProviderError::unavailable(self.redact(&message)).transient()
    }

    fn timed_out(&self, deadline: Deadline) -> ProviderError {
        let message = format!("{} did not answer within {} ms", self.vendor(), deadline.limit.as_millis());
        ProviderError::new(ErrorClass::ProviderTimeout, message)
    }
}

/// A 2xx answer as it came.
struct Reply {
    /// Status and reason phrase.
    status_line: String,
    headers: HeaderMap,
    body: Vec<u8>,
    duration: Duration,
}

/// The start of an error answer. The status says enough when it breaks off or is long.
async fn read_start(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_ERROR_BYTES {
            body.truncate(MAX_ERROR_BYTES);
            break;
        }
    }
    body
}

/// The vendor's own name for a call: `request-id` (Anthropic, "Errors"), `x-request-id` (OpenAI, "Debugging
/// requests"; DeepInfra) or `x-ds-trace-id` (DeepSeek).
fn request_id(headers: &HeaderMap) -> Option<String> {
    let header = ["request-id", "x-request-id", "x-ds-trace-id"].iter().find_map(|name| headers.get(*name))?;
    HeaderValue::to_str(header).ok().map(str::to_owned)
}

/// Why a request failed, without the URL.
fn reason(error: reqwest::Error) -> String {
    outbound::root_cause(&error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        for local in ["http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1"] {
            assert!(is_this_machine(&Url::parse(local).unwrap()), "{local}");
        }
        for outside in ["https://api.openai.com", "http://10.0.0.1", "http://localhost.example.com", "http://[fe80::1]"]
        {
            assert!(!is_this_machine(&Url::parse(outside).unwrap()), "{outside}");
        }
    }
}

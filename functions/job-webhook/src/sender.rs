//! Sends one webhook and says, as data, how that went (contract 19).

use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT},
    redirect, retry,
};
use shared_core::{
    Timestamp,
    outbound::{self, OutboundError, causes, root_cause},
    retry_after, trace,
    webhooks::{SigningKeys, TargetError, TargetPolicy, signature_headers},
};
use tokio::time::{Instant, timeout_at};

use crate::resolver::{AddressRule, GuardedResolver, Lookup, SystemLookup};

/// How long a delivery may take: looking up the name, connecting, sending, and the head of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the beginning of a refusal's body may take, within [`TIMEOUT`]: it only explains.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(1);
/// How much of a refusal's body is read, in bytes. Nothing is read of an acceptance.
const READ_BYTES: usize = 1024;
/// How much of it is shown, in characters.
const SHOWN_CHARACTERS: usize = 200;
/// Receivers of existing installations know us by this name.
const OUR_NAME: HeaderValue = HeaderValue::from_static("Hypersigil-Webhook/1.0");

/// One attempt at a delivery.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// The same on every attempt: receivers recognise repetitions by it.
    pub id: &'a str,
    /// Where to.
    pub url: &'a str,
    /// The JSON text, which may be of many megabytes.
    pub body: String,
    /// What signs it.
    pub keys: &'a SigningKeys,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it: any 2xx (defect W-02).
    Delivered {
        /// What it answered.
        status: u16,
    },
    /// Another attempt would end the same way (defect W-03): a redirection, a permanent refusal, a bad certificate.
    Failed {
        /// What the receiver answered, if it did.
        status: Option<u16>,
        /// Why, in words.
        reason: String,
    },
    /// It may go better later: 408, 425, 429, 5xx, no connection, no answer in time.
    Postponed {
        /// What the receiver answered, if it did.
        status: Option<u16>,
        /// Why, in words.
        reason: String,
        /// How long the receiver asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Webhooks may not go there.
    Refused(TargetError),
}

impl Outcome {
    fn no_answer(reason: impl Into<String>) -> Self {
        Self::Postponed { status: None, reason: reason.into(), retry_after: None }
    }
}

/// Sends webhooks where the policy allows. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Sender {
    policy: TargetPolicy,
    resolver: GuardedResolver,
    timeout: Duration,
    /// Made at first use: a cold start must not pay for TLS.
    client: Arc<OnceLock<Client>>,
}

impl Sender {
    /// A sender that keeps to this policy.
    pub fn new(policy: TargetPolicy) -> Self {
        let rule: AddressRule = Arc::new(move |address| policy.allows_address(address));
        Self::assembled(policy, Arc::new(SystemLookup), rule, TIMEOUT)
    }

    fn assembled(policy: TargetPolicy, lookup: Arc<dyn Lookup>, rule: AddressRule, timeout: Duration) -> Self {
        Self { policy, resolver: GuardedResolver::new(lookup, rule), timeout, client: Arc::default() }
    }

    /// Sends one webhook. Names are checked when they are resolved, addresses in the URL here.
    pub async fn post(&self, delivery: Delivery<'_>) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        let url = match self.policy.check(delivery.url) {
            Ok(url) => url,
            Err(refused) => return Outcome::Refused(refused),
        };
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => return Outcome::no_answer(format!("no HTTP client could be made: {}", root_cause(&error))),
        };
        match timeout_at(deadline, request(client, url, delivery).send()).await {
            Ok(Ok(response)) => judge(response, deadline).await,
            Ok(Err(error)) => explain(&error.without_url()),
            Err(_) => Outcome::no_answer(format!("the receiver did not answer within {} ms", self.timeout.as_millis())),
        }
    }

    /// Every delivery has a connection of its own, straight to an address that was checked for it: none is kept open, no
    /// proxy is asked, no redirection followed, nothing repeated behind our back.
    fn client(&self) -> Result<&Client, OutboundError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = outbound::client(|builder| {
            builder
                .dns_resolver(self.resolver.clone())
                .pool_max_idle_per_host(0)
                .no_proxy()
                .redirect(redirect::Policy::none())
                .retry(retry::never())
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn request(client: &Client, url: Url, delivery: Delivery<'_>) -> reqwest::RequestBuilder {
    let Delivery { id, body, keys, .. } = delivery;
    let request = client.post(url).header(CONTENT_TYPE, "application/json").header(USER_AGENT, OUR_NAME);
    let signed = signature_headers(keys, id, &body, Timestamp::now());
    let traced = trace::current().map(|trace| ("traceparent", trace.traceparent()));
    let request = signed.into_iter().chain(traced).fold(request, |request, (name, value)| request.header(name, value));
    request.body(body)
}

/// What an answer means.
async fn judge(response: Response, deadline: Instant) -> Outcome {
    let status = response.status();
    let code = status.as_u16();
    if status.is_success() {
        return Outcome::Delivered { status: code };
    }
    if status.is_redirection() {
        let reason = format!("the receiver answered {status}, and redirections are not followed");
        return Outcome::Failed { status: Some(code), reason };
    }
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|value| retry_after::parse(value, Timestamp::now()));
    let explanation = read_explanation(response, deadline).await;
    let colon = if explanation.is_empty() { "" } else { ": " };
    let reason = format!("the receiver answered {status}{colon}{explanation}");
    if may_pass(status) {
        Outcome::Postponed { status: Some(code), reason, retry_after }
    } else {
        Outcome::Failed { status: Some(code), reason }
    }
}

fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500..)
}

/// The beginning of a refusal's body as one line that can be shown anywhere.
async fn read_explanation(mut response: Response, deadline: Instant) -> String {
    let mut body = Vec::new();
    let deadline = deadline.min(Instant::now() + EXPLANATION_TIMEOUT);
    while body.len() < READ_BYTES {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk[..chunk.len().min(READ_BYTES - body.len())]),
            // It has ended, broke off, or takes too long: the status says enough.
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&body);
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN_CHARACTERS).collect()
}

/// What a missing answer means.
fn explain(error: &reqwest::Error) -> Outcome {
    if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<TargetError>()) {
        return Outcome::Refused(*refused);
    }
    if let Some(certificate) = causes(error).find_map(as_certificate_error) {
        let reason = format!("the certificate of the receiver was not accepted: {certificate}");
        return Outcome::Failed { status: None, reason };
    }
    let cause = root_cause(error);
    if error.is_connect() {
        return Outcome::no_answer(format!("no connection to the receiver: {cause}"));
    }
    Outcome::no_answer(format!("the receiver closed the connection without an answer: {cause}"))
}

fn as_certificate_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::CertificateError> {
    match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(certificate)) => Some(certificate),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

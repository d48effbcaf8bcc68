//! The one call of SQS that functions make: `SendMessageBatch`, in the JSON protocol.
//!
//! The AWS SDK would be a tenth of a function's program for it; local-dev, which does everything with queues, uses the SDK.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, Url, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{
    Timestamp,
    config::AwsConfig,
    outbound::{self, OutboundError},
};

use crate::signature::{Signer, host};

const TARGET: &str = "AmazonSQS.SendMessageBatch";
const MEDIA_TYPE: &str = "application/x-amz-json-1.0";
/// A caller waits for the announcement, so there is one try, and not a long one; maintenance tries again.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// Why messages are not in their queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqsError {
    #[error("\"{0}\" is not the address of a queue")]
    NotAQueue(String),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// SQS does not take the request: its status, and the name and the words that it has for that.
    #[error("{status} {code}: {message}")]
    Refused { status: u16, code: String, message: String },
    /// SQS takes the request, but not every message.
    #[error("{code}: {message}")]
    MessageRefused { code: String, message: String },
}

impl From<reqwest::Error> for SqsError {
    fn from(error: reqwest::Error) -> Self {
        Self::Outbound(error.into())
    }
}

/// A message, its id being unique within its batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) message_body: String,
    pub(crate) delay_seconds: u64,
}

/// SQS, as the account of the process. The HTTP client is made when the first message is sent, not at cold start.
#[derive(Debug)]
pub(crate) struct Sqs {
    aws: AwsConfig,
    client: OnceLock<Client>,
}

impl Sqs {
    pub(crate) fn new(aws: AwsConfig) -> Self {
        Self { aws, client: OnceLock::new() }
    }

    /// Sends at most ten messages.
    pub(crate) async fn send(&self, queue_url: &str, entries: &[Entry]) -> Result<(), SqsError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Batch<'a> {
            queue_url: &'a str,
            entries: &'a [Entry],
        }
        let endpoint = self.endpoint(queue_url)?;
        let body = serde_json::to_vec(&Batch { queue_url, entries }).expect("texts can be written as JSON");
        let signer = Signer { aws: &self.aws, service: "sqs", host: &host(&endpoint) };
        let headers = [("content-type", MEDIA_TYPE), ("x-amz-target", TARGET)];
        let signed = signer.sign(&headers, &body, Timestamp::now());
        let request = self.client()?.post(endpoint).header(CONTENT_TYPE, MEDIA_TYPE).header("x-amz-target", TARGET);
        let request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.body(body).send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
        if status.is_success() { taken(&body) } else { Err(refusal(status.as_u16(), &body)) }
    }

    /// A text without the session token: a server that does not accept a signature repeats the signed request.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let token = self.aws.session_token.as_ref().filter(|token| !token.reveal().is_empty());
        token.map_or_else(|| text.to_owned(), |token| text.replace(token.reveal(), "…"))
    }

    /// The protocol has one address for all queues: that of the server.
    fn endpoint(&self, queue_url: &str) -> Result<Url, SqsError> {
        let url = self.aws.sqs_endpoint.as_deref().unwrap_or(queue_url);
        let not_a_queue = || SqsError::NotAQueue(url.to_owned());
        Url::parse(url).and_then(|url| url.join("/")).ok().filter(Url::has_host).ok_or_else(not_a_queue)
    }

    fn client(&self) -> Result<&Client, SqsError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = outbound::client(|builder| builder.timeout(SEND_TIMEOUT))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Whether SQS took every message.
fn taken(body: &[u8]) -> Result<(), SqsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        failed: Option<Vec<Failed>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Failed {
        code: String,
        #[serde(default)]
        message: Option<String>,
    }
    let unreadable = |error: serde_json::Error| SqsError::MessageRefused {
        code: "an unreadable answer".to_owned(),
        message: error.to_string(),
    };
    let answer: Answer = serde_json::from_slice(body).map_err(unreadable)?;
    match answer.failed.into_iter().flatten().next() {
        None => Ok(()),
        Some(Failed { code, message }) => Err(SqsError::MessageRefused { code, message: message.unwrap_or_default() }),
    }
}

fn refusal(status: u16, body: &[u8]) -> SqsError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // As in `com.amazonaws.sqs#QueueDoesNotExist`.
    let code = text(&body["__type"]).rsplit('#').next().unwrap_or_default().to_owned();
    let message = if body["message"].is_null() { text(&body["Message"]) } else { text(&body["message"]) };
    SqsError::Refused { status, code, message }
}

#[cfg(test)]
mod tests {
    use shared_core::Secret;

    use super::*;

    #[test]
    fn answers_tell_what_was_not_taken() {
        assert!(taken(br#"{"Successful": [{"Id": "a"}], "Failed": []}"#).is_ok());
        assert!(taken(br#"{"Successful": [{"Id": "a"}]}"#).is_ok() && taken(br#"{"Failed": null}"#).is_ok());
        let one = br#"{"Successful": [], "Failed": [{"Id": "a", "Code": "InternalError", "SenderFault": false}]}"#;
        assert_eq!(taken(one).unwrap_err().to_string(), "InternalError: ");
        assert!(taken(b"<html>").is_err());

        let body = br#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "There is none."}"#;
        assert_eq!(refusal(400, body).to_string(), "400 QueueDoesNotExist: There is none.");
        assert_eq!(refusal(503, b"").to_string(), "503 : ");
    }

    #[test]
    fn the_queue_names_its_server_unless_the_configuration_does() {
        let sqs = |endpoint: Option<&str>| {
            let secret = Secret::new("y");
            Sqs::new(AwsConfig {
                sqs_endpoint: endpoint.map(str::to_owned),
                region: "eu-central-1".into(),
                access_key_id: "x".into(),
                secret_access_key: secret,
                session_token: None,
            })
        };
        let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/work";
        assert_eq!(sqs(None).endpoint(queue).unwrap().as_str(), "https://sqs.eu-central-1.amazonaws.com/");
        let local = sqs(Some("http://127.0.0.1:4566")).endpoint(queue).unwrap();
        assert_eq!(local.as_str(), "http://127.0.0.1:4566/");
        for odd in ["", "work", "mailto:a@b.c"] {
            assert!(matches!(sqs(None).endpoint(odd), Err(SqsError::NotAQueue(_))), "{odd}");
        }
    }
}

//! CloudFormation's custom resource protocol: how a deployment runs the migrations and learns whether they worked.
//!
//! CloudFormation calls the function with a request and waits for a JSON document at the address that the request names.
//! Without one, the deployment hangs until it times out: whatever happens has to be told.

use std::time::Duration;

use reqwest::Client;
use serde::{Deserialize, Serialize};
use shared_core::{
    migrations::MigrationError,
    outbound::{self, OutboundError},
};

/// How long one attempt to tell the outcome may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often that is tried.
const ANSWER_ATTEMPTS: u32 = 3;
/// The pause before the next attempt.
const ANSWER_PAUSE: Duration = Duration::from_millis(500);
/// CloudFormation takes documents of 4096 bytes; a reason that is cut here leaves room for everything else.
const LONGEST_REASON: usize = 1_000;
/// What CloudFormation calls the schema. It must never change: a new id would mean a new resource and delete the old one.
const RESOURCE_ID: &str = "database-schema";

/// What CloudFormation wants.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    request_type: RequestType,
    #[serde(rename = "ResponseURL")]
    response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    physical_resource_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum RequestType {
    Create,
    Update,
    Delete,
}

/// What CloudFormation gets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
}

impl Request {
    /// Whether the schema is to be brought up to date. When the stack is deleted, the database stays as it is.
    pub fn wants_migrations(&self) -> bool {
        self.request_type != RequestType::Delete
    }

    /// Tells CloudFormation the outcome: nothing, or why the deployment has to stop.
    ///
    /// # Errors
    /// The address could not be reached, or refused the document. Lambda then calls the function again.
    pub async fn answer(&self, failure: Option<String>) -> Result<(), OutboundError> {
        let client = outbound::client(|builder| builder.timeout(ANSWER_TIMEOUT))?;
        let mut attempt = 1;
        loop {
            match self.put(&client, failure.clone()).await {
                Err(error) if attempt < ANSWER_ATTEMPTS => {
                    tracing::warn!(error = %error.without_url(), attempt, "CloudFormation could not be told the outcome");
                    tokio::time::sleep(ANSWER_PAUSE * attempt).await;
                    attempt += 1;
                }
                // The address is signed: whoever has it may answer.
                outcome => return Ok(outcome.map_err(reqwest::Error::without_url)?),
            }
        }
    }

    async fn put(&self, client: &Client, failure: Option<String>) -> Result<(), reqwest::Error> {
        let answer = Answer {
            status: if failure.is_some() { "FAILED" } else { "SUCCESS" },
            reason: failure.map(|reason| reason.chars().take(LONGEST_REASON).collect()),
            physical_resource_id: self.physical_resource_id.as_deref().unwrap_or(RESOURCE_ID),
            stack_id: &self.stack_id,
            request_id: &self.request_id,
            logical_resource_id: &self.logical_resource_id,
        };
        let body = serde_json::to_vec(&answer).expect("texts can be written as JSON");
        // Without a content type: the signature of the address is made for none.
        client.put(&self.response_url).body(body).send().await?.error_for_status()?;
        Ok(())
    }
}

/// Why a deployment has to stop, if it has to.
///
/// A database that is newer than this build is how a rollback finds it: CloudFormation puts the old function back and calls
/// it again. The old functions can work with the newer schema (`migrations/README.md`), and a failure here would leave the
/// stack stuck in its rollback.
pub fn failure(outcome: &Result<Vec<String>, MigrationError>) -> Option<String> {
    match outcome {
        Ok(_) | Err(MigrationError::FromTheFuture(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}

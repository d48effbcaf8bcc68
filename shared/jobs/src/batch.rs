//! Works on one batch of queue messages: all at the same time, each failing by itself.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::future::join_all;
use serde::de::DeserializeOwned;
use shared_core::secret::without_values;

/// Runs `work` for every message and reports the ones that must come again.
///
/// How the work itself went is data and stands in the row. `Err` means that not even that could be recorded; only then
/// is the message reported. A message that cannot be read is reported too: it ends in the dead-letter queue, where an
/// alarm makes somebody look.
pub async fn run_batch<M, E>(event: SqsEvent, work: impl AsyncFn(M) -> Result<(), E>) -> SqsBatchResponse
where
    M: DeserializeOwned,
    E: std::fmt::Display,
{
    let outcomes = event.records.into_iter().map(async |record| {
        let id = record.message_id.clone().unwrap_or_default();
        let outcome = match decode(&record) {
            Ok(message) => work(message).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        outcome.err().map(|error| {
            tracing::error!(%error, message.id = id, "message failed and will come again");
            id
        })
    });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = join_all(outcomes).await.into_iter().flatten().map(failure).collect();
    response
}

fn decode<M: DeserializeOwned>(record: &SqsMessage) -> Result<M, String> {
    let body = record.body.as_deref().unwrap_or_default();
    serde_json::from_str(body).map_err(|error| format!("the message cannot be read: {}", without_values(&error)))
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::JobMessage;

    fn event(bodies: &[&str]) -> SqsEvent {
        let records: Vec<_> = (0..)
            .zip(bodies)
            .map(|(number, body)| serde_json::json!({"messageId": format!("m{number}"), "body": body}))
            .collect();
        serde_json::from_value(serde_json::json!({ "Records": records })).unwrap()
    }

    #[tokio::test]
    async fn only_what_failed_comes_again() {
        let batch = event(&[r#"{"id":"good"}"#, "garbage", r#"{"id":"bad"}"#, r#"{"id":"good"}"#]);
        let response =
            run_batch(batch, async |message: JobMessage| if message.id == "bad" { Err("no database") } else { Ok(()) })
                .await;
        let failed: Vec<_> =
            response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        assert_eq!(failed, ["m1", "m2"]);
    }
}

//! The event that a function gets, and what its answer means.

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

use crate::sqs::REGION;

/// The SQS event for `messages`.
pub(super) fn event(messages: &[Message], queue_arn: &str) -> Value {
    let records: Vec<Value> = messages.iter().map(|message| record(message, queue_arn)).collect();
    json!({ "Records": records })
}

fn record(message: &Message, queue_arn: &str) -> Value {
    let attributes: Map<String, Value> = message
        .attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
        .collect();
    let message_attributes: Map<String, Value> = message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), message_attribute(value)))
        .collect();
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    })
}

fn message_attribute(value: &MessageAttributeValue) -> Value {
    let mut attribute = Map::new();
    if let Some(text) = value.string_value() {
        attribute.insert("stringValue".to_owned(), json!(text));
    }
    if let Some(bytes) = value.binary_value() {
        attribute.insert("binaryValue".to_owned(), json!(BASE64.encode(bytes)));
    }
    attribute.insert("stringListValues".to_owned(), json!([]));
    attribute.insert("binaryListValues".to_owned(), json!([]));
    attribute.insert("dataType".to_owned(), json!(value.data_type()));
    Value::Object(attribute)
}

/// How often a message has been received, this time included.
pub(super) fn receive_count(message: &Message) -> u32 {
    message
        .attributes()
        .and_then(|attributes| attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

/// Reads the answer of a function that reports failures per message: which of `ids` succeeded.
///
/// `null`, `{}` and an empty list say that all did. An answer that makes no sense means that all
/// failed, and is an error with its reason.
pub(super) fn succeeded(answer: &[u8], ids: &[&str]) -> Result<Vec<bool>, String> {
    let malformed = |what: &str| Err(format!("the answer is no batch response: {what}"));
    let failures = match serde_json::from_slice::<Value>(answer) {
        Ok(Value::Null) => return Ok(vec![true; ids.len()]),
        Ok(Value::Object(mut answer)) => answer.remove("batchItemFailures").unwrap_or_default(),
        Ok(_) => return malformed("not an object"),
        Err(_) => return malformed("not JSON"),
    };
    let failures = match failures {
        Value::Null => return Ok(vec![true; ids.len()]),
        Value::Array(failures) => failures,
        _ => return malformed("batchItemFailures is not a list"),
    };
    let mut succeeded = vec![true; ids.len()];
    for failure in &failures {
        let Some(id) = failure["itemIdentifier"].as_str() else {
            return malformed("an entry has no itemIdentifier");
        };
        let Some(index) = ids.iter().position(|known| *known == id) else {
            return malformed("an itemIdentifier is unknown");
        };
        succeeded[index] = false;
    }
    Ok(succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 3] = ["a", "b", "c"];

    #[test]
    fn nothing_listed_means_that_all_succeeded() {
        for answer in ["null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(succeeded(answer.as_bytes(), &IDS), Ok(vec![true; 3]), "{answer}");
        }
    }

    #[test]
    fn listed_messages_stay() {
        let answer = br#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}"#;
        assert_eq!(succeeded(answer, &IDS), Ok(vec![true, false, true]));
    }

    #[test]
    fn an_answer_without_sense_fails_all() {
        for answer in [
            "",
            "nonsense",
            "[]",
            "true",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#,
        ] {
            assert!(succeeded(answer.as_bytes(), &IDS).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_record_has_what_lambda_puts_into_it() {
        let message = Message::builder()
            .message_id("id-1")
            .receipt_handle("handle")
            .body("{\"executionId\":\"x\"}")
            .md5_of_body("md5")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .message_attributes(
                "kind",
                MessageAttributeValue::builder().data_type("String").string_value("text").build().unwrap(),
            )
            .build();
        assert_eq!(receive_count(&message), 2);
        assert_eq!(
            event(&[message], "arn:q"),
            json!({ "Records": [{
                "messageId": "id-1",
                "receiptHandle": "handle",
                "body": "{\"executionId\":\"x\"}",
                "attributes": { "ApproximateReceiveCount": "2" },
                "messageAttributes": { "kind": {
                    "stringValue": "text",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                } },
                "md5OfBody": "md5",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:q",
                "awsRegion": "us-east-1",
            }] })
        );
    }
}

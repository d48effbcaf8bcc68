//! What Lambda hands to functions: events of API Gateway and records of queues.

use arbitrary::{Result, Unstructured};
use aws_lambda_events::event::sqs::SqsEvent;
use http_body_util::BodyExt;
use lambda_http::{Request, request::LambdaRequest};
use serde_json::{Value, json};
use shared_http::{access::RULES, event::readable};
use shared_jobs::{Function, JobMessage, run_batch};
use tests::invocation;
use tower::ServiceExt;

use crate::{harness::Target, hostile, requests::Installation};

/// Events of API Gateway, payload version 2.0.
pub(crate) struct GatewayEvents {
    at: Installation,
}

impl Target for GatewayEvents {
    const NAME: &'static str = "gateway-events";
    const CASES: u32 = 400;

    fn new() -> Self {
        Self { at: Installation::new() }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rule = u.choose(RULES)?;
        // The gateway decodes paths.
        let mut path = rule.path.to_owned();
        if u.ratio(1, 2)? {
            path = format!("/{}", hostile::mutated_text(u, &path)?.trim_start_matches('/'));
        }
        let query = if u.ratio(1, 2)? { String::new() } else { hostile::text(u)? };
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "cookies": [format!("auth-token={}", self.at.token), hostile::text(u)?],
            "headers": {
                "content-type": "application/json",
                "host": "api.example.com",
                "x-forwarded-proto": "https",
                "traceparent": hostile::text(u)?,
            },
            "queryStringParameters": {"a": hostile::text(u)?},
            "pathParameters": {"proxy": path},
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "api.example.com", "domainPrefix": "api",
                "http": {"method": rule.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
                "requestId": hostile::text(u)?, "routeKey": "$default", "stage": "$default",
                "time": "31/Jan/2026:09:15:00 +0000", "timeEpoch": 1_769_850_900_042_i64
            },
            "body": hostile::any_json(u, 2)?.to_string(),
            "isBase64Encoded": false
        });
        // What clients send; the rest is the gateway's own.
        for part in ["headers", "cookies", "queryStringParameters", "pathParameters", "body"] {
            if u.ratio(1, 4)? {
                hostile::mutate(u, &mut event[part])?;
            }
        }
        if let Value::Object(headers) = &mut event["headers"] {
            headers.insert("host".to_owned(), json!("api.example.com"));
            headers.insert("x-forwarded-proto".to_owned(), json!("https"));
        }
        // What is no event is refused by the runtime, which reports a failed call.
        let Ok(parsed) = serde_json::from_value::<LambdaRequest>(event.clone()) else { return Ok(()) };
        let request = Request::from(readable(parsed));
        let edge = self.at.app.edge();
        let answer = self.at.runtime.block_on(async {
            let answer = edge.oneshot(request).await.expect("routers answer everything");
            let (parts, body) = answer.into_parts();
            (parts.status, body.collect().await.expect("the body can be read").to_bytes())
        });
        assert!(!answer.0.is_server_error(), "{event}: {answer:?}");
        Ok(())
    }
}

/// Records of queues: each is taken or reported, and one that nobody can read never takes others with it.
pub(crate) struct QueueRecords {
    at: Installation,
}

impl Target for QueueRecords {
    const NAME: &'static str = "queue-records";
    const CASES: u32 = 400;

    fn new() -> Self {
        Self { at: Installation::new() }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut records = Vec::new();
        for number in 0..u.int_in_range(1..=10)? {
            let mut body = json!({"id": hostile::text(u)?}).to_string();
            if u.ratio(1, 3)? {
                body = hostile::mutated_text(u, &body)?;
            }
            records.push(json!({
                "messageId": format!("m{number}"), "receiptHandle": "r", "body": body, "md5OfBody": "x",
                "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:q", "awsRegion": "us-east-1"
            }));
        }
        let mut event = json!({ "Records": records });
        if u.ratio(1, 4)? {
            hostile::mutate(u, &mut event)?;
        }
        let Ok(batch) = serde_json::from_value::<SqsEvent>(event.clone()) else { return Ok(()) };
        let is_unreadable =
            |body: &Option<String>| serde_json::from_str::<JobMessage>(body.as_deref().unwrap_or_default()).is_err();
        let unreadable = batch.records.iter().filter(|record| is_unreadable(&record.body));
        let expected: Vec<String> = unreadable.map(|record| record.message_id.clone().unwrap_or_default()).collect();
        let invocation = invocation();
        let response = self.at.runtime.block_on(async {
            let (webhooks, embedder, worker) = (&self.at.app.webhooks, &self.at.app.embedder, &self.at.app.worker);
            run_batch(batch, async |message: JobMessage| {
                Box::pin(webhooks.handle(message.clone(), &invocation)).await?;
                Box::pin(embedder.handle(message.clone(), &invocation)).await?;
                Box::pin(worker.handle(message, &invocation)).await
            })
            .await
        });
        let reported: Vec<String> =
            response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        assert_eq!(reported, expected, "{event}");
        Ok(())
    }
}

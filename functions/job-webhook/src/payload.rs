//! The text that is sent. Stored payloads are sent as they are, but for embeddings: a thousand vectors are some twenty
//! megabytes, which no delivery keeps a copy of, so they are read when it is sent.

use serde::Serialize;
use serde_json::Value;

/// The job whose vectors belong into this payload, if any do (`webhook.deployment.embedding` with status `success`).
pub(crate) fn embedding_job(payload: &Value) -> Option<&str> {
    let is = |member: &str, value: &str| payload.get(member).is_some_and(|found| found == value);
    let wants_vectors = is("event", "webhook.deployment.embedding") && is("status", "success");
    payload.get("jobId").and_then(Value::as_str).filter(|_| wants_vectors)
}

/// The payload with these vectors in it, as text.
pub(crate) fn with_embeddings(payload: &Value, embeddings: &[Vec<f64>]) -> String {
    #[derive(Serialize)]
    struct Complete<'a> {
        #[serde(flatten)]
        payload: &'a Value,
        embeddings: &'a [Vec<f64>],
    }
    serde_json::to_string(&Complete { payload, embeddings }).expect("payloads are objects of JSON values")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_successful_embedding_wants_vectors() {
        let success = json!({"event": "webhook.deployment.embedding", "status": "success", "jobId": "j"});
        assert_eq!(embedding_job(&success), Some("j"));
        for other in [
            json!({"event": "webhook.deployment.embedding", "status": "error", "jobId": "j", "error": "x"}),
            json!({"event": "webhook.deployment.execution", "status": "success", "jobId": "j"}),
            json!({"event": "webhook.test", "time": "2026-01-31T09:15:00.000Z"}),
            json!({"event": "webhook.deployment.embedding", "status": "success"}),
            json!([]),
        ] {
            assert_eq!(embedding_job(&other), None, "{other}");
        }
    }

    #[test]
    fn vectors_join_the_members_of_the_payload_in_their_order() {
        let payload = json!({"event": "webhook.deployment.embedding", "status": "success", "jobId": "j"});
        let text = with_embeddings(&payload, &[vec![0.1, -2.0], vec![1e-9]]);
        let expected = r#"{"event":"webhook.deployment.embedding","status":"success","jobId":"j","embeddings":[[0.1,-2.0],[1e-9]]}"#;
        assert_eq!(text, expected);
    }
}

//! The line that every attempt leaves, which is a CloudWatch metric too.

use serde_json::{Map, Value, json};
use shared_core::{Timestamp, trace::TraceId};

/// The namespace of the metrics.
const NAMESPACE: &str = "Prompts/Jobs";

/// How one attempt ended.
#[derive(Debug, Clone)]
pub struct JobEnd<'a> {
    /// Type of the job, or `execution`.
    pub name: &'static str,
    /// Id of the row.
    pub id: &'a str,
    /// Number of the attempt, 1 for the first.
    pub attempt: u32,
    /// `completed`, `failed` or `terminated` for good; `retry`, `handed-back`, `lost` or `error` otherwise.
    pub outcome: &'static str,
    /// Which model provider it was for.
    pub provider: Option<&'static str>,
    /// From being due to the start of the attempt, in milliseconds.
    pub wait_ms: i64,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: u64,
    /// Tokens that went in and came out of a model.
    pub tokens: Option<(u64, u64)>,
    /// The trace that the work belongs to.
    pub trace: &'a TraceId,
}

impl JobEnd<'_> {
    /// Writes the line to standard output, where Lambda's log takes it.
    pub fn write(&self) {
        println!("{}", self.line(Timestamp::now()));
    }

    /// The line: the members of a log line, and the block `_aws` that makes CloudWatch read some of them as metrics
    /// (CloudWatch, "Embedded metric format specification").
    fn line(&self, now: Timestamp) -> Value {
        let mut line = Map::new();
        let mut set = |name: &str, value: Value| line.insert(name.to_owned(), value);
        set("timestamp", json!(now));
        set("level", json!("INFO"));
        set("message", json!("job ended"));
        set("job.name", json!(self.name));
        set("job.id", json!(self.id));
        set("trace.id", json!(self.trace.as_str()));
        set("attempt", json!(self.attempt));
        set("outcome", json!(self.outcome));
        set("wait_ms", json!(self.wait_ms));
        set("duration_ms", json!(self.duration_ms));
        let mut metrics = vec![metric("wait_ms", "Milliseconds"), metric("duration_ms", "Milliseconds")];
        let outcome = format!("outcome_{}", self.outcome.replace('-', "_"));
        set(&outcome, json!(1));
        metrics.push(metric(&outcome, "Count"));
        if let Some((input, output)) = self.tokens {
            set("input_tokens", json!(input));
            set("output_tokens", json!(output));
            metrics.extend([metric("input_tokens", "Count"), metric("output_tokens", "Count")]);
        }
        let mut dimensions = vec![vec!["job.name"]];
        if let Some(provider) = self.provider {
            set("provider", json!(provider));
            dimensions.push(vec!["job.name", "provider"]);
        }
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics});
        set("_aws", json!({"Timestamp": now.unix_millis(), "CloudWatchMetrics": [directive]}));
        Value::Object(line)
    }
}

fn metric(name: &str, unit: &str) -> Value {
    json!({"Name": name, "Unit": unit})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_and_dimension_of_a_line_is_one_of_its_members() {
        let trace = TraceId::random();
        let end = JobEnd {
            name: "execution",
            id: "an-id",
            attempt: 2,
            outcome: "handed-back",
            provider: Some("ollama"),
            wait_ms: 12,
            duration_ms: 345,
            tokens: Some((6, 7)),
            trace: &trace,
        };
        let line = end.line(Timestamp::now());
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let metrics: Vec<&str> =
            directive["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(metrics, ["wait_ms", "duration_ms", "outcome_handed_back", "input_tokens", "output_tokens"]);
        for name in &metrics {
            assert!(line[name].is_number(), "{name} in {line}");
        }
        assert_eq!(directive["Dimensions"], json!([["job.name"], ["job.name", "provider"]]));
        assert_eq!((&line["job.name"], &line["provider"]), (&json!("execution"), &json!("ollama")));
        assert_eq!((&line["attempt"], &line["trace.id"]), (&json!(2), &json!(trace.as_str())));
        assert!(line["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
}

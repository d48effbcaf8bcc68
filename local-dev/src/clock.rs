//! Calls scheduled functions, as EventBridge Scheduler does.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    invoke::Invoker,
    report::{Event, Reporter},
    sqs::REGION,
    template::Schedule,
};

/// Calls one function over and over until it is dropped, never twice at once.
#[derive(Debug)]
pub struct Clock {
    task: JoinHandle<()>,
}

impl Clock {
    /// Calls the function of `schedule` every `interval`, for the first time after one interval.
    ///
    /// A call that takes longer than that delays the next one.
    pub fn start(
        schedule: Schedule,
        interval: Duration,
        timeout: Duration,
        invoker: Arc<dyn Invoker>,
        reporter: Reporter,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut failing = false;
            loop {
                tokio::time::sleep(interval).await;
                let payload = event(&schedule, Utc::now()).to_string();
                match invoker.invoke(&schedule.function, payload.into(), timeout).await {
                    Ok(_) => failing = false,
                    // Once until it works again: the next call is only seconds away.
                    Err(_) if failing => {}
                    Err(error) => {
                        failing = true;
                        let function = schedule.function.clone();
                        reporter.report(&Event::ScheduleFailed { function, error: error.to_string() });
                    }
                }
            }
        });
        Self { task }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The event of a schedule that names no input of its own.
fn event(schedule: &Schedule, at: DateTime<Utc>) -> Value {
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "region": REGION,
        "resources": [format!("arn:aws:scheduler:{REGION}:123456789012:schedule/default/{}", schedule.name)],
        "detail": "{}",
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use axum::body::Bytes;

    use super::*;
    use crate::invoke::InvokeError;

    /// Takes four intervals for a call, and notices when two overlap.
    #[derive(Default)]
    struct Slow {
        running: AtomicU32,
        calls: AtomicU32,
    }

    #[async_trait]
    impl Invoker for Slow {
        async fn invoke(&self, function: &str, payload: Bytes, _: Duration) -> Result<Bytes, InvokeError> {
            let event: Value = serde_json::from_slice(&payload).unwrap();
            assert_eq!((function, event["source"].as_str()), ("f", Some("aws.scheduler")));
            assert_eq!(self.running.fetch_add(1, Ordering::SeqCst), 0, "two calls at once");
            tokio::time::sleep(Duration::from_millis(40)).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.calls.fetch_add(1, Ordering::SeqCst);
            Err(InvokeError::FunctionError("no".to_owned()))
        }
    }

    #[tokio::test]
    async fn calls_follow_each_other_and_a_failure_is_reported_once() {
        let slow = Arc::new(Slow::default());
        let reports = Arc::new(AtomicU32::new(0));
        let counted = reports.clone();
        let reporter = Reporter::new(move |event| {
            assert!(matches!(event, Event::ScheduleFailed { .. }));
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let schedule = Schedule { name: "Tick".to_owned(), function: "f".to_owned(), every: Duration::from_secs(60) };
        let clock = Clock::start(schedule, Duration::from_millis(10), Duration::from_secs(1), slow.clone(), reporter);
        while slow.calls.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(clock);
        assert_eq!(reports.load(Ordering::SeqCst), 1);
    }
}

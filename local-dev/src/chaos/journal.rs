//! What the functions wrote into their logs and what the pollers did, as far as the verdict needs it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::report::{Event, Reporter};

/// Collects while the system runs. Cloning shares the pages.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Arc<Mutex<Pages>>);

/// What was collected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pages {
    pub(super) attempts: Vec<LoggedAttempt>,
    /// Messages that functions got, and how many of them had come before.
    pub(super) messages: usize,
    pub(super) repeated: usize,
    /// What maintenance found wrong about kept numbers.
    pub(super) repairs: Vec<String>,
    /// Warnings and errors in the logs of functions.
    pub(super) warnings: usize,
    pub(super) errors: usize,
}

/// The line that a worker wrote when its attempt at an execution or a job had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoggedAttempt {
    pub(super) id: String,
    pub(super) attempt: u64,
    /// `completed`, `failed`, `retry`, `lost` and others.
    pub(super) outcome: String,
}

impl Journal {
    /// Writes down what concerns us and hands steps and notes on to `next`.
    pub(super) fn reporter(&self, next: Reporter) -> Reporter {
        let journal = self.clone();
        Reporter::new(move |event| match event {
            Event::Batch { messages, repeated, .. } => {
                let mut pages = journal.lock();
                pages.messages += messages;
                pages.repeated += repeated;
            }
            Event::Log { line, .. } => journal.read_line(line),
            Event::Step(_) | Event::Note(_) => next.report(event),
            // Killed processes and failed calls are what we are here for.
            _ => {}
        })
    }

    /// Everything so far.
    pub(super) fn pages(&self) -> Pages {
        self.lock().clone()
    }

    fn read_line(&self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        let mut pages = self.lock();
        match line["level"].as_str() {
            Some("WARN") => pages.warnings += 1,
            Some("ERROR") => pages.errors += 1,
            _ => {}
        }
        if let (Some(table), Some(named)) = (line["table"].as_str(), line["named"].as_str()) {
            pages.repairs.push(format!("{table}: {named}"));
        }
        pages.attempts.extend(LoggedAttempt::read(&line));
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoggedAttempt {
    fn read(line: &Value) -> Option<Self> {
        if line["message"] != "job ended" {
            return None;
        }
        Some(Self {
            id: line["job.id"].as_str()?.to_owned(),
            attempt: line["attempt"].as_u64()?,
            outcome: line["outcome"].as_str()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_attempts_and_duplicates_are_written_down() {
        let journal = Journal::default();
        let reporter = journal.reporter(Reporter::silent());
        let log = |line: &str| reporter.report(&Event::Log { function: "f".to_owned(), line: line.to_owned() });
        log(
            r#"{"level":"INFO","message":"job ended","job.name":"execution","job.id":"e","attempt":2,"outcome":"retry"}"#,
        );
        log(r#"{"level":"INFO","message":"job ended","job.name":"maintenance","requeued":1}"#);
        log(r#"{"level":"WARN","message":"kept counters differ","table":"usage_sums","differences":1,"named":"x"}"#);
        log("no JSON");
        let (function, duration) = ("f".to_owned(), std::time::Duration::ZERO);
        reporter.report(&Event::Batch { function, messages: 3, repeated: 1, failed: 0, duration, error: None });
        let attempt = LoggedAttempt { id: "e".to_owned(), attempt: 2, outcome: "retry".to_owned() };
        let repairs = vec!["usage_sums: x".to_owned()];
        let expected = Pages { attempts: vec![attempt], messages: 3, repeated: 1, repairs, warnings: 1, errors: 0 };
        assert_eq!(journal.pages(), expected);
    }
}

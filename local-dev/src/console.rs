//! One readable line per event on the terminal.

use std::{
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use chrono::Local;
use serde_json::Value;

use crate::report::{Event, Reporter};

/// A compiler error is repeated by every process that waits for the build; once is enough.
const SAME_ERROR_AGAIN: Duration = Duration::from_secs(20);

/// A reporter that prints to standard output.
pub fn reporter() -> Reporter {
    let colours = std::io::stdout().is_terminal();
    let last_error = Mutex::new((String::new(), Instant::now()));
    Reporter::new(move |event| {
        let Some(line) = line(event) else { return };
        if line.kind == "build" {
            let Ok(mut last) = last_error.lock() else { return };
            if last.0 == line.text && last.1.elapsed() < SAME_ERROR_AGAIN {
                return;
            }
            *last = (line.text.clone(), Instant::now());
        }
        let time = Local::now().format("%H:%M:%S");
        let Line { kind, text, mood } = line;
        let (on, off) = match mood {
            Mood::Calm => ("", ""),
            Mood::Good => ("\x1b[32m", "\x1b[0m"),
            Mood::Odd => ("\x1b[33m", "\x1b[0m"),
            Mood::Bad => ("\x1b[31m", "\x1b[0m"),
        };
        let (on, off) = if colours { (on, off) } else { ("", "") };
        // Nobody reads any more: no reason to stop.
        let _ = writeln!(std::io::stdout(), "{time} {on}{kind:<8}{off} {text}");
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    kind: &'static str,
    text: String,
    mood: Mood,
}

#[derive(Debug, PartialEq, Eq)]
enum Mood {
    Calm,
    Good,
    Odd,
    Bad,
}

/// The line for an event; `None` for what only the log files need to know.
fn line(event: &Event) -> Option<Line> {
    let line = |kind, text: String, mood| Some(Line { kind, text, mood });
    match event {
        Event::Step(step) => line("start", step.clone(), Mood::Calm),
        Event::Note(sentence) => line("note", sentence.clone(), Mood::Odd),
        Event::Request { method, path, status, duration, function } => {
            let function = function.as_deref().unwrap_or("gateway");
            let text = format!("{method:<6} {path:<48} {status}  {:>6}  {function}", milliseconds(*duration));
            line(
                "request",
                text,
                if *status < 400 {
                    Mood::Good
                } else if *status < 500 {
                    Mood::Odd
                } else {
                    Mood::Bad
                },
            )
        }
        Event::Batch { function, messages, failed, duration, error, repeated } => {
            let text = format!("{function}: {failed} of {messages} messages come again ({})", milliseconds(*duration));
            match error {
                Some(error) => line("queue", format!("{text}: {error}"), Mood::Bad),
                None if *failed > 0 => line("queue", text, Mood::Odd),
                None if *repeated > 0 => {
                    line("queue", format!("{function}: {repeated} of {messages} messages had come before"), Mood::Odd)
                }
                None => None,
            }
        }
        Event::ScheduleFailed { function, error } => line("clock", format!("{function}: {error}"), Mood::Bad),
        Event::Restart { function, reason } => {
            line("restart", format!("{function} ended ({reason}); the next call starts it again"), Mood::Bad)
        }
        Event::Log { function, line } => log_line(function, line),
    }
}

/// Picks from a function's output what a person wants to see at once: ended jobs, warnings, errors, and how the
/// compiler gets on.
fn log_line(function: &str, text: &str) -> Option<Line> {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else { return compiler_line(text) };
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let details = || {
        let shown = fields.iter().filter(|(name, _)| is_for_people(name));
        shown.map(|(name, value)| match value {
            Value::String(text) => format!(" {name}={text}"),
            other => format!(" {name}={other}"),
        })
    };
    if field("message") == "job ended" {
        let (kind, mood) = match field("outcome") {
            "retry" => ("retry", Mood::Odd),
            "failed" | "terminated" | "lost" | "handed-back" => ("job", Mood::Odd),
            _ => ("job", Mood::Good),
        };
        return Some(Line { kind, text: format!("{}{}", field("job.name"), details().collect::<String>()), mood });
    }
    // cargo lambda watch sets a variable that is meant for another kind of function.
    if field("message").starts_with("AWS_LAMBDA_MAX_CONCURRENCY ") {
        return None;
    }
    let (kind, mood) = match field("level") {
        "WARN" => ("warning", Mood::Odd),
        "ERROR" => ("error", Mood::Bad),
        _ => return None,
    };
    let text = format!("{function}: {}{}", field("message"), details().collect::<String>());
    Some(Line { kind, text, mood })
}

/// Whether a member of a log line tells a person something; the others are for machines, metrics among them.
fn is_for_people(name: &str) -> bool {
    const OTHERS: [&str; 9] =
        ["timestamp", "level", "target", "message", "job.name", "span", "spans", "trace.id", "_aws"];
    !OTHERS.contains(&name) && !name.starts_with("outcome_")
}

/// Output of cargo and of `cargo lambda watch` itself.
fn compiler_line(text: &str) -> Option<Line> {
    let text = text.trim();
    if let Some(what) = text.strip_prefix("Compiling ") {
        let name = what.split(' ').next().unwrap_or_default();
        return Some(Line { kind: "build", text: format!("compiling {name}"), mood: Mood::Calm });
    }
    if let Some(how) = text.strip_prefix("ERROR command exited ") {
        return Some(Line { kind: "restart", text: format!("a function ended ({how})"), mood: Mood::Bad });
    }
    let is_error = text.starts_with("error: ") || text.starts_with("error[");
    is_error.then(|| Line { kind: "build", text: format!("{text} (details in functions.log)"), mood: Mood::Bad })
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Option<(&'static str, String)> {
        let event = Event::Log { function: "job-execution".to_owned(), line: line.to_owned() };
        super::line(&event).map(|line| (line.kind, line.text))
    }

    #[test]
    fn ended_jobs_and_trouble_are_shown() {
        let ended = r#"{"timestamp":"t","level":"INFO","message":"job ended","job.name":"execution","attempt":1,"outcome":"completed","outcome_completed":1,"_aws":{},"target":"x"}"#;
        assert_eq!(shown(ended), Some(("job", "execution attempt=1 outcome=completed".to_owned())));
        assert_eq!(shown(&ended.replace("\"completed\"", "\"retry\"")).map(|(kind, _)| kind), Some("retry"));
        let warning = r#"{"level":"WARN","message":"lease not extended","error":"busy"}"#;
        assert_eq!(shown(warning), Some(("warning", "job-execution: lease not extended error=busy".to_owned())));
        assert_eq!(
            shown("error[E0308]: mismatched types"),
            Some(("build", "error[E0308]: mismatched types (details in functions.log)".to_owned()))
        );
    }

    #[test]
    fn the_rest_is_for_the_log_file() {
        for text in [r#"{"level":"INFO","message":"request served"}"#, "anything", "    Finished `dev` profile", "[1]"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}

//! Structured log lines on standard output, one JSON object each.

use std::{any::Any, panic};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::Env;

/// Starts logging; `RUST_LOG` chooses a level, or levels by module (`warn,job_execution=info`), `info` unless set. Later calls
/// change nothing.
///
/// Programs built for release contain nothing below `info` (see the features of `tracing` in the workspace).
pub fn init() {
    // The list of spans has the current one too, and writing a span reads its fields anew.
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_ansi(false);
    let filter = filter(Env::of_process().get("RUST_LOG").as_deref());
    // A second start in one process, as tests make it, keeps the first subscriber.
    let _already_started = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    // In place of the one of the standard library, which writes the whole text.
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic = panic_text(panicked.payload()), panic.place = place, "panicked");
    }));
}

/// What a panic says, if that was written in the program. A text that was put together may quote what it worked on, such
/// as a text of people that was cut between two bytes of a letter, so it is left out; the place of the panic tells enough.
pub fn panic_text(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("a text with values, which is not written down")
}

/// What `RUST_LOG` says: a level, or levels by module as in `warn,job_execution=info`. `info` for whatever it does not
/// speak of, so that a slip of the pen does not silence everything.
fn filter(variable: Option<&str>) -> Targets {
    let given = variable.map(str::trim).filter(|text| !text.is_empty()).and_then(|text| text.parse().ok());
    let given: Targets = given.unwrap_or_default();
    match given.default_level() {
        Some(_) => given,
        None => given.with_default(LevelFilter::INFO),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_chosen_for_all_or_by_module() {
        let filter = filter(Some("warn,job_execution=debug"));
        assert!(filter.would_enable("job_execution::worker", &Level::DEBUG));
        assert!(filter.would_enable("hyper", &Level::WARN) && !filter.would_enable("hyper", &Level::INFO));
    }

    #[test]
    fn a_panic_is_quoted_only_when_it_holds_no_values() {
        let secret = "hunter2";
        assert_eq!(panic_text(&"cannot happen"), "cannot happen");
        assert!(!panic_text(&format!("{secret} happened")).contains(secret));
    }

    #[test]
    fn whatever_is_not_spoken_of_is_shown_from_info_on() {
        for variable in [None, Some(""), Some("no=such=thing"), Some("["), Some("inof"), Some("job_execution=warn")] {
            let filter = filter(variable);
            assert!(filter.would_enable("hyper", &Level::INFO), "{variable:?}");
            assert!(!filter.would_enable("hyper", &Level::DEBUG), "{variable:?}");
        }
    }
}

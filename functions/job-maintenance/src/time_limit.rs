//! How long a round may take.

use std::time::{Instant, SystemTime};

/// When no further duty is begun: after three quarters of what is left of the invocation, so that what was begun can end.
/// Some local runtimes give a deadline in the past; then there is no limit.
pub fn stop_at(deadline: SystemTime) -> Option<Instant> {
    let left = deadline.duration_since(SystemTime::now()).ok()?;
    Some(Instant::now() + left * 3 / 4)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_in_the_past_is_none() {
        assert_eq!(stop_at(SystemTime::UNIX_EPOCH), None);
        assert_eq!(stop_at(SystemTime::now() - Duration::from_secs(1)), None);
    }

    #[test]
    fn there_is_time_to_finish_what_was_begun() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let until = stop_at(SystemTime::now() + minute).unwrap();
        assert!(until <= Instant::now() + minute * 3 / 4, "a quarter stays");
        assert!(until > now, "there is time to begin with");
    }
}

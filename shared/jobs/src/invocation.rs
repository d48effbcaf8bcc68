//! One call of a function, and how long it lasts.

use std::time::{Duration, Instant, SystemTime};

use crate::shutdown::Shutdown;

/// How long before the end of an invocation its work must be done, so that the record can be written.
const MARGIN: Duration = Duration::from_secs(2);
/// How long work may take when the invocation does not say when it ends: Lambda's longest time.
const UNLIMITED: Duration = Duration::from_secs(900);
/// The circumstances of one call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    ends_at: Instant,
    shutdown: Shutdown,
}

impl Invocation {
    /// A call that ends in `time`.
    pub fn new(time: Duration, shutdown: Shutdown) -> Self {
        Self { ends_at: Instant::now() + time, shutdown }
    }

    /// A call that Lambda ends at `deadline`. Some local runtimes give a deadline in the past; then there is none.
    pub(crate) fn until(deadline: SystemTime, shutdown: Shutdown) -> Self {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or(UNLIMITED);
        Self::new(left, shutdown)
    }

    /// By when work must be done.
    pub fn work_deadline(&self) -> Instant {
        self.ends_at.checked_sub(MARGIN).unwrap_or(self.ends_at)
    }

    /// Until when new work is taken that may take `longest`: for `drain` from now on at most, and never so late that it
    /// could outlast the call.
    pub fn taking_until(&self, drain: Duration, longest: Duration) -> Instant {
        let now = Instant::now();
        let left = self.work_deadline().saturating_duration_since(now).saturating_sub(longest);
        now + drain.min(left)
    }

    /// Whether the process is to end.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

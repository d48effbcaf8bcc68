//! What Linux says about a process.

use std::{fs, time::Duration};

use nix::{time::ClockId, unistd::Pid};

/// The unit of processor times in `/proc`: 100 to a second on every architecture (proc(5), `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads, in and below the program.
    pub cpu: Duration,
    /// What of it was spent below the program, to a hundredth of a second.
    pub system: Duration,
    /// Memory in use.
    pub resident_bytes: u64,
    /// The most memory that was ever in use.
    pub peak_bytes: u64,
}

impl Usage {
    /// Of the process with this id; `None` when it is gone.
    pub fn of(pid: u32) -> Option<Self> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let status = read("status")?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
        Some(Self {
            cpu: clock.now().ok()?.into(),
            system: system(&read("stat")?)?,
            resident_bytes: bytes(&status, "VmRSS:")?,
            peak_bytes: bytes(&status, "VmHWM:")?,
        })
    }

    /// Of this process.
    pub fn of_this_process() -> Self {
        Self::of(std::process::id()).unwrap_or_default()
    }
}

/// The 15th field of `stat`. The second is a name in parentheses, and may hold spaces and parentheses itself.
fn system(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    Some(TICK * after_name.split_whitespace().nth(12)?.parse::<u32>().ok()?)
}

/// Reads a line such as `VmRSS:  1234 kB`.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_what_linux_says() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 125 0 0 0 31 12 0 0 20 0 3 0 100 1 2";
        assert_eq!(system(stat), Some(Duration::from_millis(120)));
        assert_eq!(system("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read_from_what_linux_says() {
        let status = "Name:\tx\nVmHWM:\t   6144 kB\nVmRSS:\t    5120 kB\nThreads:\t1\n";
        assert_eq!((bytes(status, "VmRSS:"), bytes(status, "VmHWM:")), (Some(5_242_880), Some(6_291_456)));
        assert_eq!(bytes("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn a_living_process_uses_something_and_a_dead_one_nothing() {
        let ours = Usage::of_this_process();
        assert!(ours.resident_bytes > 0 && ours.cpu > Duration::ZERO);
        assert_eq!(Usage::of(u32::MAX), None);
    }
}

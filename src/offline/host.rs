//! What a reader must know of the host: its boot, its clocks, and whether a process is the one that a file names.

use crate::io::{boot::boot_id, clock::HostClock, witness::proc_stat};
use coalmine_actors::ports::{Clock, Moment, ProcessId};
use jiff::{SignedDuration, Timestamp};

/// The host at one moment.
#[derive(Debug, Clone)]
pub struct Host {
    /// The kernel's id of this boot; empty where /proc does not say.
    pub boot_id: String,
    /// The time.
    pub now: Timestamp,
    /// Milliseconds since boot, sleep included.
    pub boot_ms: u64,
}

impl Host {
    /// The host now.
    pub fn now() -> Self {
        let Moment { wall, boot_ms } = HostClock.now();
        Self { boot_id: boot_id().unwrap_or_default().to_owned(), now: wall, boot_ms }
    }

    /// The wall time of a moment in this boot.
    pub fn at(&self, boot_ms: u64) -> Timestamp {
        let ago = i64::try_from(self.boot_ms.saturating_sub(boot_ms)).unwrap_or(0);
        self.now.checked_sub(SignedDuration::from_millis(ago)).unwrap_or(self.now)
    }

    /// Whether the process of `boot_id` lives: same boot, same pid, same start time, and no zombie.
    pub fn lives(&self, process: ProcessId, boot_id: &str) -> bool {
        !boot_id.is_empty()
            && self.boot_id == boot_id
            && proc_stat::read(process.pid)
                .is_ok_and(|stat| stat.start_ticks == process.start_ticks && !matches!(stat.state, 'Z' | 'X' | 'x'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_and_not_by_its_pid() {
        let host = Host::now();
        let pid = i32::try_from(std::process::id()).unwrap();
        let start_ticks = proc_stat::read(pid).unwrap().start_ticks;
        let me = ProcessId { pid, start_ticks, pidfd_inode: None };
        assert!(host.lives(me, &host.boot_id));
        assert!(!host.lives(ProcessId { start_ticks: me.start_ticks + 1, ..me }, &host.boot_id));
        assert!(!host.lives(me, "another boot"));
        assert!(!host.lives(me, ""));
    }
}

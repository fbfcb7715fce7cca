//! What a reader must know of the host: its boot, its clocks, and whether a process is the one that a file names.

use coalmine_actors::ports::ProcessId;
use jiff::{SignedDuration, Timestamp};
use std::fs;

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
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        // Positive and far below 2^53, so nothing is lost.
        Self { boot_id, now: Timestamp::now(), boot_ms: (seconds * 1000.0) as u64 }
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
            && fs::read_to_string(format!("/proc/{}/stat", process.pid))
                .is_ok_and(|stat| start_ticks(&stat) == Some(process.start_ticks))
    }
}

/// The start time of a live process from its `/proc/<pid>/stat`; its name, which may hold anything, ends at the
/// last `)`.
fn start_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    // Field 3, the state, comes first here; the start time is field 22.
    match fields.next()? {
        "Z" | "X" | "x" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_and_not_by_its_pid() {
        let host = Host::now();
        let pid = i32::try_from(std::process::id()).unwrap();
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let me = ProcessId { pid, start_ticks: start_ticks(&stat).unwrap(), pidfd_inode: None };
        assert!(host.lives(me, &host.boot_id));
        assert!(!host.lives(ProcessId { start_ticks: me.start_ticks + 1, ..me }, &host.boot_id));
        assert!(!host.lives(me, "another boot"));
        assert!(!host.lives(me, ""));
    }

    #[test]
    fn a_name_can_not_forge_the_fields_and_a_zombie_does_not_live() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(start_ticks(&format!("7 (a) Z 1) S {rest}")), Some(4711));
        assert_eq!(start_ticks(&format!("7 (a) Z {rest}")), None);
        assert_eq!(start_ticks("garbage"), None);
    }
}

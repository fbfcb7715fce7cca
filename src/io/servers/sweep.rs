//! Ends what an ended server left behind: every process that still carries the life's mark (spec 01 §4).

use crate::io::pidfd::dead_within;
use coalmine_actors::ports::SweepReport;
use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags},
    process::{Pid, PidfdFlags, Signal},
};
use std::{collections::BTreeSet, io::Read, os::fd::AsFd, time::Duration};
use tokio::time::Instant;

/// How long a process has after TERM, and after KILL.
const TERM_GRACE: Duration = Duration::from_secs(2);
const KILL_GRACE: Duration = Duration::from_millis(500);
/// Looks at the process table: a process may fork between the look and the signal.
const ROUNDS_MAX: usize = 4;
/// Most of an environment that is read, bytes; the kernel allows an argument area of this size by default.
const ENVIRON_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Ends every process of this user that carries `mark`, on a thread of its own.
pub(super) async fn sweep(mark: String) -> SweepReport {
    tokio::task::spawn_blocking(move || blocking(&mark)).await.unwrap_or_default()
}

fn blocking(mark: &str) -> SweepReport {
    let mut swept = BTreeSet::new();
    let mut left = bearers(mark);
    for _ in 0..ROUNDS_MAX {
        if left.is_empty() {
            break;
        }
        end_all(&left, Signal::TERM, TERM_GRACE);
        end_all(&left, Signal::KILL, KILL_GRACE);
        swept.extend(left.iter().map(|(pid, _)| *pid));
        left = bearers(mark);
    }
    let escaped: Vec<_> = left.into_iter().map(|(pid, _)| pid).collect();
    swept.retain(|pid| !escaped.contains(pid));
    SweepReport { swept: swept.into_iter().collect(), escaped }
}

/// Signals all that live, then waits for them together.
fn end_all(processes: &[(i32, OwnedFd)], signal: Signal, grace: Duration) {
    let deadline = Instant::now() + grace;
    for (_, pidfd) in processes {
        if !dead_within(pidfd.as_fd(), Duration::ZERO) {
            let _ = rustix::process::pidfd_send_signal(pidfd, signal); // ended meanwhile
        }
    }
    for (_, pidfd) in processes {
        dead_within(pidfd.as_fd(), deadline.saturating_duration_since(Instant::now()));
    }
}

/// Living processes that carry the mark. Each pidfd was opened before the environment was read that proves it:
/// what is signalled is what was read.
fn bearers(mark: &str) -> Vec<(i32, OwnedFd)> {
    let entry = format!("COALMINE_LIFE={mark}");
    let Ok(proc_folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    let mut buffer = Vec::with_capacity(8 * 1024);
    proc_folder
        .filter_map(|file| file.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            // A cheap look first; only what bears the mark is opened and read again.
            carries(pid, entry.as_bytes(), &mut buffer).then_some(())?;
            let pid_i32 = i32::try_from(pid).ok()?;
            let pidfd = rustix::process::pidfd_open(Pid::from_raw(pid_i32)?, PidfdFlags::empty()).ok()?;
            let proven = carries(pid, entry.as_bytes(), &mut buffer) && !dead_within(pidfd.as_fd(), Duration::ZERO);
            proven.then_some((pid_i32, pidfd))
        })
        .collect()
}

fn carries(pid: u32, entry: &[u8], buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    let path = format!("/proc/{pid}/environ");
    let Ok(fd) = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { return false };
    if std::fs::File::from(fd).take(ENVIRON_BYTES_MAX).read_to_end(buffer).is_err() {
        return false;
    }
    buffer.split(|byte| *byte == 0).any(|variable| variable == entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_ignores_term_is_ended_and_named_and_a_stranger_is_left_alone() {
        let mark = format!("sweep-test-{}", std::process::id());
        let mut stubborn = Command::new("/bin/sh")
            .args(["-c", "trap '' TERM HUP; while :; do sleep 1; done"])
            .env("COALMINE_LIFE", &mark)
            .spawn()
            .unwrap();
        let mut stranger =
            Command::new("/bin/sleep").arg("60").env("COALMINE_LIFE", format!("{mark}0")).spawn().unwrap();
        let report = blocking(&mark);
        assert!(report.swept.contains(&i32::try_from(stubborn.id()).unwrap()), "{report:?}");
        assert!(report.escaped.is_empty(), "{report:?}");
        assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        stubborn.wait().unwrap();
    }
}

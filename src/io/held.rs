//! Processes held by their pidfds while they are looked at and signalled: nobody else is hit, whoever gets their numbers.

use super::pidfd::dead_within;
use rustix::{
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal},
};
use std::{os::fd::AsFd, time::Duration};
use tokio::time::Instant;

/// A process that was alive when it was found.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pid: i32,
    pidfd: OwnedFd,
}

impl Held {
    pub(super) fn lives(&self) -> bool {
        !dead_within(self.pidfd.as_fd(), Duration::ZERO)
    }
}

impl AsRef<Self> for Held {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Living processes that are `wanted`, but never this one. Each pidfd was opened before the look that counts: what is
/// signalled is what was looked at.
pub(super) fn find(mut wanted: impl FnMut(i32) -> bool) -> Vec<Held> {
    let Ok(proc_folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    proc_folder
        .filter_map(|file| file.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter_map(|number| {
            // A cheap look first; only what is wanted is opened and looked at again.
            let pid = i32::try_from(number).ok()?;
            wanted(pid).then_some(())?;
            let pidfd = rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            let held = Held { pid, pidfd };
            (wanted(pid) && held.lives()).then_some(held)
        })
        .collect()
}

/// Signals all that live.
pub(super) fn signal(processes: &[impl AsRef<Held>], signal: Signal) {
    for held in processes.iter().map(AsRef::as_ref).filter(|held| held.lives()) {
        let _ = rustix::process::pidfd_send_signal(&held.pidfd, signal); // ended meanwhile
    }
}

/// Waits until all have ended, at most this long together.
pub(super) fn wait(processes: &[impl AsRef<Held>], grace: Duration) {
    let deadline = Instant::now() + grace;
    for held in processes.iter().map(AsRef::as_ref) {
        dead_within(held.pidfd.as_fd(), deadline.saturating_duration_since(Instant::now()));
    }
}

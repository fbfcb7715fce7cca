//! Signals for processes that the test's own fleet started, through pidfds.

use coalmine::io::pidfd::dead_within;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

pub fn signal(pid: i32, signal: Signal) {
    let pidfd = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
    pidfd_send_signal(pidfd, signal).unwrap();
}

/// SIGKILL.
pub fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

/// SIGSTOP.
pub fn stop_process(pid: i32) {
    signal(pid, Signal::STOP);
}

/// SIGCONT.
pub fn continue_process(pid: i32) {
    signal(pid, Signal::CONT);
}

/// Whether a process with this pid runs: a zombie does not.
pub fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X'])))
}

/// SIGKILL, if it is still there.
pub fn kill_pidfd(process: &OwnedFd) {
    let _ = pidfd_send_signal(process, Signal::KILL);
}

/// Waits until a process has ended; whether it has.
pub fn gone_within(process: &OwnedFd, wait: Duration) -> bool {
    dead_within(process.as_fd(), wait)
}

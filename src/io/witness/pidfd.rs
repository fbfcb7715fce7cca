//! What a pidfd tells: that its process has ended, that it was reaped, and how it ended.

use super::{clock, status::EndStatus};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, FdFlags, fcntl_setfd},
};
use std::{
    fs, io, mem,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// How long a dead process is waited for to be reaped by its parent: the kernel tells its status only after that.
const REAPED_WAIT_MS_MAX: u64 = 50;

/// Takes a descriptor that this process was started with, and keeps it from its own children. To be called before
/// the process opens anything of its own, which would else get the number of a descriptor that was *not* passed.
///
/// # Errors
/// `EBADF` when nothing was passed under this number.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // The check goes by path, because a number that is not open may not be borrowed, not even to ask.
    if fd < 0 || !fs::exists(format!("/proc/self/fd/{fd}"))? {
        return Err(Errno::BADF.into());
    }
    // SAFETY: the number is open (checked above; this process has no other thread that could close it), and since
    // this process has opened nothing yet, its parent passed it: nobody here owns it. Each number is taken once.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// The process that a pidfd stands for; nothing once it was reaped.
///
/// # Errors
/// `InvalidData` when `fd` is no pidfd.
pub fn pid_of(fd: impl AsFd) -> io::Result<Option<i32>> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd()))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).and_then(|pid| pid.trim().parse().ok());
    let no_pidfd = || io::Error::new(io::ErrorKind::InvalidData, "the descriptor is no pidfd");
    // A pidfd whose process was reaped has -1 here.
    pid.map(|pid: i32| (pid > 0).then_some(pid)).ok_or_else(no_pidfd)
}

/// Waits until the process has ended, at most `ms_max`; says whether it has.
///
/// # Errors
/// Whatever `poll` says, but for interruptions by signals.
pub fn wait_ended(fd: impl AsFd, ms_max: u64) -> io::Result<bool> {
    wait(fd.as_fd(), PollFlags::IN, ms_max)
}

/// The status of a process that has ended; waits up to 50 ms for its parent to reap it.
///
/// `Unknown` on kernels before 6.15, which tell the status only to the parent, and when the parent is late.
pub fn end_status(fd: impl AsFd) -> EndStatus {
    // A failed wait leaves one thing to do: ask anyway.
    let _reaped = wait(fd.as_fd(), PollFlags::HUP, REAPED_WAIT_MS_MAX);
    exit_status(fd).unwrap_or(EndStatus::Unknown)
}

/// What the kernel kept of the exit of a reaped process; nothing where it can not tell.
pub fn exit_status(fd: impl AsFd) -> Option<EndStatus> {
    // SAFETY: `pidfd_info` holds only integers, for which zeros are a value.
    let mut info: libc::pidfd_info = unsafe { mem::zeroed() };
    let wanted = u64::from(libc::PIDFD_INFO_EXIT);
    info.mask = wanted;
    // SAFETY: the request's number carries the size of `pidfd_info`, which `info` has; the kernel writes no more.
    let answered = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) } == 0;
    (answered && info.mask & wanted != 0).then(|| EndStatus::from_wait_status(info.exit_code))
}

/// Waits until `fd` shows `flag`, at most `ms_max`.
fn wait(fd: impl AsFd, flag: PollFlags, ms_max: u64) -> io::Result<bool> {
    let until = clock::boot_ms() + ms_max;
    loop {
        // POLLIN stays up on a dead process, so it is asked for only where it is what we wait for; POLLHUP needs no asking.
        let mut fds = [PollFd::new(&fd, flag & PollFlags::IN)];
        let left_ms = until.saturating_sub(clock::boot_ms());
        match poll(&mut fds, Some(&clock::timespec(left_ms))) {
            Ok(0) => return Ok(false),
            Ok(_) if fds[0].revents().intersects(flag) => return Ok(true),
            Ok(_) => return Err(io::Error::other("the descriptor is no pidfd")),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
    use std::process::{Child, Command};

    /// A child that ends with its test, however the test ends.
    struct Victim(Child);

    impl Drop for Victim {
        fn drop(&mut self) {
            let _dead_already = self.0.kill();
            let _reaped_already = self.0.wait();
        }
    }

    fn victim(script: &str) -> (Victim, OwnedFd) {
        let child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        (Victim(child), pidfd)
    }

    #[test]
    fn a_reaped_process_leaves_its_status_with_the_pidfd() {
        for (script, status) in [("exit 3", "exit:3"), ("kill -9 $$", "signal:9"), ("exit 0", "exit:0")] {
            let (mut victim, pidfd) = victim(script);
            victim.0.wait().unwrap();
            // Kernels before 6.15 can not tell; both answers are honest.
            let told = end_status(&pidfd).to_string();
            assert!(told == status || told == "unknown", "{script}: {told}");
            assert_eq!(pid_of(&pidfd).unwrap(), None);
        }
    }

    #[test]
    fn a_live_process_is_named_and_not_taken_for_dead() {
        let (victim, pidfd) = victim("exec sleep 600");
        assert_eq!(pid_of(&pidfd).unwrap(), i32::try_from(victim.0.id()).ok());
        assert!(!wait_ended(&pidfd, 1).unwrap());
        rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).unwrap();
        assert!(wait_ended(&pidfd, 10_000).unwrap());
    }

    #[test]
    fn a_file_is_no_pidfd() {
        assert_eq!(pid_of(io::stdin()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_number_that_was_not_passed_is_refused() {
        assert!(inherited(-1).is_err());
        assert!(inherited(1_000_000).is_err());
    }
}

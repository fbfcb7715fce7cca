//! A process by descriptor: waits for its end without polling, and signals it without hitting a stranger.

use coalmine_actors::ports::{ProcessEnd, ProcessId};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::witness::{self, EndStatus};

/// A process that can not be mistaken for its pid's next owner.
#[derive(Debug)]
pub struct Pidfd {
    fd: AsyncFd<OwnedFd>,
    id: ProcessId,
}

/// The kernel's file system for pidfds: their inode numbers are unique for the whole boot (Linux 6.9).
const PID_FS_MAGIC: u64 = 0x5049_4446;

impl Pidfd {
    /// The process that has this pid now. Right only for a child of ours that was not waited for, or together
    /// with a check of [`Pidfd::id`] against what is known of it.
    ///
    /// # Errors
    /// No such process; no descriptor to be had.
    pub fn open(pid: i32) -> io::Result<Self> {
        let raw = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        Self::adopt(pid, rustix::process::pidfd_open(raw, PidfdFlags::NONBLOCK)?)
    }

    /// The process behind a pidfd that was come by in another way.
    ///
    /// # Errors
    /// The process is gone altogether; no reactor to be had.
    pub fn adopt(pid: i32, fd: OwnedFd) -> io::Result<Self> {
        let id = identity(pid, fd.as_fd())?;
        // SAFETY: the `OwnedFd` owns an open descriptor, and nothing replaces it while the `AsyncFd` holds it.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)?;
        Ok(Self { fd, id })
    }

    /// Which process.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// The descriptor, to be passed to a child.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.get_ref().as_fd()
    }

    /// Waits until it ends. The descriptor becomes readable once and for good.
    pub async fn ended(&self) {
        match self.fd.readable().await {
            Ok(mut guard) => guard.retain_ready(),
            Err(_runtime_is_shutting_down) => std::future::pending().await,
        }
    }

    /// Whether it has ended.
    pub fn is_dead(&self) -> bool {
        dead_within(self.as_fd(), Duration::ZERO)
    }

    /// Sends a signal; an ended process is no error.
    ///
    /// # Errors
    /// It is not ours to signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(self.as_fd(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the status of an ended child and lets the kernel forget it. What is not our child, or was taken
    /// before, is asked of the kernel in another way, and may stay unknown.
    pub fn reap(&self) -> ProcessEnd {
        let reaped =
            rustix::process::waitid(WaitId::PidFd(self.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        let Ok(Some(end)) = reaped else {
            return witness::pidfd::exit_status(self.as_fd()).map_or(ProcessEnd::Vanished, from_witness);
        };
        match (end.exit_status(), end.terminating_signal()) {
            (Some(status), _) => ProcessEnd::Exited(status),
            (None, Some(signal)) => ProcessEnd::Signaled { signal, core: end.dumped() },
            (None, None) => ProcessEnd::Vanished,
        }
    }
}

/// The witness's word for an end, as the actors say it.
pub fn from_witness(end: EndStatus) -> ProcessEnd {
    match end {
        EndStatus::Exited(status) => ProcessEnd::Exited(status),
        EndStatus::Signaled { signal, core } => ProcessEnd::Signaled { signal, core },
        EndStatus::Unknown => ProcessEnd::Vanished,
    }
}

/// The actors' word for an end, as the witness says it.
pub fn to_witness(end: ProcessEnd) -> EndStatus {
    match end {
        ProcessEnd::Exited(status) => EndStatus::Exited(status),
        ProcessEnd::Signaled { signal, core } => EndStatus::Signaled { signal, core },
        ProcessEnd::Vanished => EndStatus::Unknown,
    }
}

/// Whether the process of a pidfd ends within `wait`, in whole milliseconds; blocks the thread that long. Signals do
/// not cut it short: a process has all of the grace that it was given.
pub fn dead_within(fd: BorrowedFd<'_>, wait: Duration) -> bool {
    let ms_max = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    witness::pidfd::wait_ended(fd, ms_max).unwrap_or(false)
}

/// Which process has this pid now, for whoever only looks.
///
/// # Errors
/// No such process; no descriptor to be had.
pub fn identify(pid: i32) -> io::Result<ProcessId> {
    let raw = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let fd = rustix::process::pidfd_open(raw, PidfdFlags::NONBLOCK)?;
    identity(pid, fd.as_fd())
}

fn identity(pid: i32, fd: BorrowedFd<'_>) -> io::Result<ProcessId> {
    let start_ticks = witness::proc_stat::read(pid)?.start_ticks;
    Ok(ProcessId { pid, start_ticks, pidfd_inode: inode(fd) })
}

fn inode(fd: BorrowedFd<'_>) -> Option<u64> {
    let on_pidfs = rustix::fs::fstatfs(fd).is_ok_and(|fs| u64::try_from(fs.f_type) == Ok(PID_FS_MAGIC));
    if on_pidfs { rustix::fs::fstat(fd).ok().map(|stat| stat.st_ino) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_child_is_heard_and_its_status_taken() {
        for (script, expected) in
            [("exit 3", ProcessEnd::Exited(3)), ("kill -9 $$", ProcessEnd::Signaled { signal: 9, core: false })]
        {
            let spawn = crate::io::spawn::Spawn::new(std::path::Path::new("/bin/sh")).unwrap();
            let pid = spawn.arg("-c").unwrap().arg(script).unwrap().start().unwrap();
            let pidfd = Pidfd::open(pid).unwrap();
            pidfd.ended().await;
            assert_eq!(pidfd.reap(), expected);
        }
    }

    #[tokio::test]
    async fn a_signal_does_not_cut_a_grace_short() {
        use std::os::unix::thread::JoinHandleExt;
        let grace = Duration::from_millis(100);
        let _caught = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined2()).unwrap();
        let spawn = crate::io::spawn::Spawn::new(std::path::Path::new("/bin/sleep")).unwrap();
        let child = Pidfd::open(spawn.arg("60").unwrap().start().unwrap()).unwrap();
        let pid = Pid::from_raw(child.id().pid).unwrap();
        let process = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let began = tokio::time::Instant::now();
        let waiting = std::thread::spawn(move || (dead_within(process.as_fd(), grace), began.elapsed()));
        while !waiting.is_finished() {
            // SAFETY: the thread is not joined yet, so its handle is valid.
            unsafe { libc::pthread_kill(waiting.as_pthread_t(), libc::SIGUSR2) };
            std::thread::yield_now();
        }
        let (dead, waited) = waiting.join().unwrap();
        assert!(!dead && waited >= grace - Duration::from_millis(1), "{waited:?}");
        child.signal(rustix::process::Signal::KILL).unwrap();
        child.ended().await;
        child.reap();
    }

    #[tokio::test]
    async fn a_process_keeps_its_identity_and_another_one_has_another() {
        let own = i32::try_from(std::process::id()).unwrap();
        let (a, b, init) = (Pidfd::open(own).unwrap(), Pidfd::open(own).unwrap(), Pidfd::open(1).unwrap());
        assert_eq!(a.id(), b.id());
        assert_ne!(a.id(), init.id());
    }
}

//! `flock`: who runs a fleet, and whether a server lives. The lock is the truth; a locked file is never unlinked.

use rustix::fs::{FlockOperation, Mode, OFlags};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

/// How long a lock that was just let go may seem to be held: its holder's child between fork and exec still has
/// the descriptor (0.4 s were seen).
pub const LINGER: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(10);

/// Why a lock was not taken.
#[derive(Debug)]
pub enum NotLocked {
    /// Somebody holds it: `pid 4242 (tmux)`, or `another process`.
    Held(String),
    /// The file could not be opened or locked.
    Io(io::Error),
}

/// Opens the file (made 0600 where it is missing) and tries the lock once.
///
/// # Errors
/// Held, or an I/O error.
pub fn try_lock(path: &Path) -> Result<OwnedFd, NotLocked> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| NotLocked::Io(errno.into()))?;
    try_lock_open(&fd, path)?;
    Ok(fd)
}

/// Tries the lock of a file that is open once; `path` is its name.
///
/// # Errors
/// Held, or an I/O error.
pub fn try_lock_open(fd: impl AsFd, path: &Path) -> Result<(), NotLocked> {
    match is_free(fd) {
        Ok(true) => Ok(()),
        Ok(false) => Err(NotLocked::Held(holder(path))),
        Err(error) => Err(NotLocked::Io(error)),
    }
}

/// Takes the lock of an open file if nobody has it, and asks nothing more: for those who try again and again.
///
/// # Errors
/// What the kernel says, but for "held".
pub fn is_free(fd: impl AsFd) -> io::Result<bool> {
    match rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Tries for [`LINGER`] before it believes that the lock is held.
///
/// # Errors
/// As [`try_lock`].
pub async fn lock(path: &Path) -> Result<OwnedFd, NotLocked> {
    let deadline = tokio::time::Instant::now() + LINGER;
    loop {
        match try_lock(path) {
            Err(NotLocked::Held(_)) if tokio::time::Instant::now() < deadline => tokio::time::sleep(RETRY).await,
            result => return result,
        }
    }
}

/// Who holds the lock of this file: `pid 4242 (tmux)`, or `another process`.
pub fn holder(path: &Path) -> String {
    let Some(pid) = holder_pid(path) else { return "another process".to_owned() };
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(comm) => format!("pid {pid} ({})", comm.trim_end()),
        Err(_gone) => format!("pid {pid}"),
    }
}

/// The process that holds the lock of this file, from `/proc/locks`, which knows only those of our own namespace.
pub fn holder_pid(path: &Path) -> Option<i32> {
    let file = std::fs::metadata(path).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let (dev, inode) = (file.dev(), file.ino());
    let key = format!("{:02x}:{:02x}:{inode}", libc::major(dev), libc::minor(dev));
    // `1: FLOCK  ADVISORY  WRITE 4242 fe:00:1234 0 EOF`
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1).filter(|field| *field != "->");
        (fields.next() == Some("FLOCK")).then_some(())?;
        let pid = fields.nth(2)?;
        (fields.next()? == key).then(|| pid.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = try_lock(&path).unwrap();
        let Err(NotLocked::Held(by)) = try_lock(&path) else { panic!("locked twice") };
        assert!(by.starts_with(&format!("pid {} (", std::process::id())), "{by}");
        drop(held);
        assert!(try_lock(&path).is_ok());
    }
}

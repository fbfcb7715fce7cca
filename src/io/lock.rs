//! `flock`: who runs a fleet, and whether a server lives. The lock is the truth; a locked file is never unlinked.

use super::lock_holder;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
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
    /// Somebody holds it; [`holder`] says who.
    Held,
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
    try_lock_open(&fd)?;
    Ok(fd)
}

/// Tries the lock of a file that is open once.
///
/// # Errors
/// Held, or an I/O error.
pub fn try_lock_open(fd: impl AsFd) -> Result<(), NotLocked> {
    match is_free(fd) {
        Ok(true) => Ok(()),
        Ok(false) => Err(NotLocked::Held),
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

/// Lets a lock go whose file stays open.
///
/// # Errors
/// What the kernel says.
pub fn unlock(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::flock(fd, FlockOperation::Unlock)?)
}

/// Tries for [`LINGER`] before it believes that the lock is held.
///
/// # Errors
/// As [`try_lock`].
pub async fn lock(path: &Path) -> Result<OwnedFd, NotLocked> {
    let deadline = tokio::time::Instant::now() + LINGER;
    loop {
        match try_lock(path) {
            Err(NotLocked::Held) if tokio::time::Instant::now() < deadline => tokio::time::sleep(RETRY).await,
            result => return result,
        }
    }
}

/// Whether somebody holds the lock of a file, which is neither made nor kept locked.
pub fn is_held(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // Shared, so that two who look at once do not take each other for a holder.
    rustix::fs::open(path, flags, Mode::empty()).is_ok_and(|fd| {
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
    })
}

/// Who holds the lock of this file: `pid 4242 (tmux)`, or `another process`. Looks at every process.
pub fn holder(path: &Path) -> String {
    lock_holder::of(path).map_or_else(|| "another process".to_owned(), |holder| holder.to_string())
}

/// The pid of who holds the lock of this file, where it can be seen. Looks at every process.
pub fn holder_pid(path: &Path) -> Option<i32> {
    lock_holder::of(path).map(|holder| holder.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = try_lock(&path).unwrap();
        assert!(matches!(try_lock(&path), Err(NotLocked::Held)) && is_held(&path));
        let by = holder(&path);
        assert!(by.starts_with(&format!("pid {} (", std::process::id())), "{by}");
        drop(held);
        assert!(!is_held(&path) && try_lock(&path).is_ok());
        assert_eq!(holder(&path), "another process");
    }

    #[test]
    fn a_lock_that_is_not_there_is_neither_held_nor_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(&folder.path().join("lock")));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

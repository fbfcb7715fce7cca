//! Who holds the lock of a life: the one process that has it open under the number it was passed as.
//!
//! `/proc/locks` names whoever took the lock, and that was a daemon that may be long gone. But a server keeps its
//! lock open as descriptor 3 for as long as it lives, and a canary as 4 (`spawn.rs`); nobody else gets it.

use super::{
    pidfd::{self, Pidfd},
    witness::proc_stat,
};
use coalmine_actors::ports::ProcessId;
use std::{
    collections::HashSet,
    fmt,
    fs::Metadata,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

/// Longest name of a holder, characters; the kernel keeps 15.
const NAME_CHARS_MAX: usize = 16;
/// The descriptor under which a server holds `server.lock`.
pub const SERVER_FD: u32 = 3;
/// The descriptor under which a canary holds `canary-g<n>.lock`.
pub const CANARY_FD: u32 = 4;

/// The living process that holds the file at `lock` open as descriptor `fd`, also where that file has been removed
/// since: the kernel goes on to name it.
pub fn find(lock: &Path, fd: u32) -> Option<Pidfd> {
    // Opened, then looked at again: what is returned is what was seen.
    let pidfd = Pidfd::open(first(lock, fd)?).ok()?;
    (holds(pidfd.id().pid, fd, lock, std::fs::metadata(lock).ok().as_ref()) && !pidfd.is_dead()).then_some(pidfd)
}

/// The same for whoever only looks.
pub fn find_id(lock: &Path, fd: u32) -> Option<ProcessId> {
    pidfd::identify(first(lock, fd)?).ok()
}

/// A server's own children hold its lock too for the moment before they become another program: it is the one whose
/// parent does not.
fn first(lock: &Path, fd: u32) -> Option<i32> {
    let file = std::fs::metadata(lock).ok();
    let own = std::process::id().cast_signed();
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    let holders: HashSet<i32> = pids.filter(|&pid| pid != own && holds(pid, fd, lock, file.as_ref())).collect();
    holders.iter().copied().find(|&pid| proc_stat::read(pid).is_ok_and(|stat| !holders.contains(&stat.ppid)))
}

/// Whether this process holds a server's lock, there or removed.
pub fn is_server(pid: i32, lock: &Path) -> bool {
    holds(pid, SERVER_FD, lock, std::fs::metadata(lock).ok().as_ref())
}

fn holds(pid: i32, fd: u32, lock: &Path, file: Option<&Metadata>) -> bool {
    let path = format!("/proc/{pid}/fd/{fd}");
    let is_it = |open: Metadata| file.is_some_and(|file| (open.dev(), open.ino()) == (file.dev(), file.ino()));
    std::fs::metadata(&path).is_ok_and(is_it)
        || std::fs::read_link(&path).is_ok_and(|open| {
            open.as_os_str().as_bytes().strip_suffix(b" (deleted)") == Some(lock.as_os_str().as_bytes())
        })
}

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: i32,
    /// Its short name, made harmless.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} ({})", self.pid, self.name)
    }
}

/// The living process through whose descriptor the file at `lock` is locked, whatever the descriptor's number and
/// whoever locked it. Of several, it is the one whose parent is none of them.
pub fn of(lock: &Path) -> Option<Holder> {
    let file = std::fs::metadata(lock).ok()?;
    let holds = |pid: i32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut same = open.filter(|fd| {
            std::fs::metadata(fd.path()).is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
        });
        // Who only has it open waits for the lock, or looks at it.
        same.any(|fd| {
            let info = format!("/proc/{pid}/fdinfo/{}", fd.file_name().display());
            std::fs::read_to_string(info).is_ok_and(|info| info.lines().any(|line| line.contains("FLOCK")))
        })
    };
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    let holders: HashSet<i32> = pids.filter(|&pid| holds(pid)).collect();
    holders.iter().find_map(|&pid| {
        let stat = proc_stat::read(pid).ok()?;
        let name = || crate::text::one_line(&stat.comm, NAME_CHARS_MAX);
        (!holders.contains(&stat.ppid)).then(|| Holder { pid, name: name() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{lock, spawn::Spawn};
    use std::os::fd::AsFd;

    #[tokio::test]
    async fn the_process_that_was_passed_a_lock_is_found_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock::try_lock(&path).unwrap();
        assert!(find(&path, SERVER_FD).is_none());
        let spawn = Spawn::new(Path::new("/bin/sleep")).unwrap().arg("60").unwrap().pass(lock.as_fd());
        let pid = spawn.start().unwrap();
        drop(lock);
        // Not the one who locked it, as `/proc/locks` has it.
        assert_eq!(of(&path), Some(Holder { pid, name: "sleep".into() }));
        let found = find(&path, SERVER_FD).unwrap();
        assert_eq!(found.id().pid, pid);
        assert!(find(&path, CANARY_FD).is_none());
        // Removed, and made anew by somebody who only tried it.
        std::fs::remove_file(&path).unwrap();
        assert_eq!(find(&path, SERVER_FD).unwrap().id().pid, pid);
        drop(lock::try_lock(&path).unwrap());
        assert_eq!(find(&path, SERVER_FD).unwrap().id().pid, pid);
        found.signal(rustix::process::Signal::KILL).unwrap();
        found.ended().await;
        found.reap();
        assert!(find(&path, SERVER_FD).is_none());
    }
}

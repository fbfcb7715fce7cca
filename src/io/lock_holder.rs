//! Who holds the lock of a life: the one process that has it open under the number it was passed as.
//!
//! `/proc/locks` names whoever took the lock, and that was a daemon that may be long gone. But a server keeps its
//! lock open as descriptor 3 for as long as it lives, and a canary as 4 (`spawn.rs`); nobody else gets it.

use super::{pidfd::Pidfd, witness::proc_stat};
use std::{collections::HashSet, fmt, os::unix::fs::MetadataExt, path::Path};

/// Longest name of a holder, characters; the kernel keeps 15.
const NAME_CHARS_MAX: usize = 16;
/// The descriptor under which a server holds `server.lock`.
pub const SERVER_FD: u32 = 3;
/// The descriptor under which a canary holds `canary-g<n>.lock`.
pub const CANARY_FD: u32 = 4;

/// The living process that holds the file at `lock` open as descriptor `fd`. A server's own children do so too for
/// the moment before they become another program: it is the one whose parent does not.
pub fn find(lock: &Path, fd: u32) -> Option<Pidfd> {
    let file = std::fs::metadata(lock).ok()?;
    let holds = |pid: i32| {
        std::fs::metadata(format!("/proc/{pid}/fd/{fd}"))
            .is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
    };
    let own = std::process::id().cast_signed();
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    let holders: HashSet<i32> = pids.filter(|&pid| pid != own && holds(pid)).collect();
    let first = holders.iter().find(|&&pid| proc_stat::read(pid).is_ok_and(|stat| !holders.contains(&stat.ppid)))?;
    // Opened, then looked at again: what is returned is what was seen.
    let pidfd = Pidfd::open(*first).ok()?;
    (holds(*first) && !pidfd.is_dead()).then_some(pidfd)
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
        found.signal(rustix::process::Signal::KILL).unwrap();
        found.ended().await;
        found.reap();
        assert!(find(&path, SERVER_FD).is_none());
    }
}

//! Who holds the lock of a life: the one process that has it open under the number it was passed as.
//!
//! `/proc/locks` names whoever took the lock, and that was a daemon that may be long gone. But a server keeps its
//! lock open as descriptor 3 for as long as it lives, and a canary as 4 (`spawn.rs`); nobody else gets it.

use super::{pidfd::Pidfd, witness::proc_stat};
use std::{collections::HashSet, os::unix::fs::MetadataExt, path::Path};

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
        let found = find(&path, SERVER_FD).unwrap();
        assert_eq!(found.id().pid, pid);
        assert!(find(&path, CANARY_FD).is_none());
        found.signal(rustix::process::Signal::KILL).unwrap();
        found.ended().await;
        found.reap();
        assert!(find(&path, SERVER_FD).is_none());
    }
}

//! Ends whatever a test started: every process that bears a mark of its root.

use super::{alive, gone_within, kill_pidfd};
use coalmine::paths::Paths;
use rustix::{
    event::{Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
    time::Duration,
};

/// Rounds after which what is left is left: each one ended all that it saw.
const ROUNDS_MAX: usize = 100;
/// How long one killed process may take to be gone.
const GONE_MAX: Duration = Duration::from_secs(5);
/// Between two looks that find nothing: a start that was under way shows itself in it.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Ends the processes of the fleet in `root`, and removes what of it lies elsewhere.
pub fn clear(root: &Path) {
    end_all(root);
    if let Ok(paths) = Paths::new(root) {
        let _ = std::fs::remove_dir_all(paths.short_run());
        // Stays where another fleet has its sockets.
        let _ = paths.short_run().parent().map(std::fs::remove_dir);
    }
}

/// Daemons first, so that none of the others is armed again.
fn end_all(root: &Path) {
    let mut quiet = 0;
    for _ in 0..ROUNDS_MAX {
        let found = bearers(root);
        quiet = if found.is_empty() { quiet + 1 } else { 0 };
        if quiet == 2 {
            return;
        }
        if quiet == 1 {
            let _ = poll(&mut [], Some(&PAUSE));
        }
        for (_, process) in found {
            kill_pidfd(&process);
            gone_within(&process, GONE_MAX);
        }
    }
}

/// What a process is to the fleet, in the order of its end.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// It was started with this root in its environment, or named it in its arguments.
    Daemon,
    /// It bears no mark, so that no sweep takes it: it names the journal that it writes to. Before the servers, so
    /// that nothing is recorded of an end that is only the test's.
    Canary,
    /// A server, or what runs in it.
    Marked,
}

/// The processes of the fleet in `root`, whoever started them.
pub fn pids(root: &Path) -> Vec<i32> {
    let Ok(paths) = Paths::new(root) else { return Vec::new() };
    processes().filter(|pid| part(*pid, &paths).is_some() && alive(*pid)).collect()
}

fn processes() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc").unwrap().filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok())
}

fn bearers(root: &Path) -> Vec<(Part, OwnedFd)> {
    let Ok(paths) = Paths::new(root) else { return Vec::new() };
    let mut found: Vec<_> = processes()
        .filter_map(|pid| {
            // Held before it is looked at: what is looked at is what is ended.
            let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            let part = part(pid, &paths)?;
            alive(pid).then_some((part, process))
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn part(pid: i32, paths: &Paths) -> Option<Part> {
    let entries = |what: &str| -> Vec<Vec<u8>> {
        let bytes = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    };
    let (environ, cmdline) = (entries("environ"), entries("cmdline"));
    let names = |path: &Path| cmdline.iter().any(|arg| arg == path.as_os_str().as_bytes());
    let home = [b"COALMINE_ROOT=", paths.root().as_os_str().as_bytes()].concat();
    let mark = format!("COALMINE_LIFE={}-", paths.root_hash());
    match () {
        () if environ.contains(&home) || names(paths.root()) => Some(Part::Daemon),
        () if names(&paths.journal()) => Some(Part::Canary),
        () if environ.iter().any(|entry| entry.starts_with(mark.as_bytes())) => Some(Part::Marked),
        () => None,
    }
}

//! A state root of its own. When it is dropped, however the bench ended, every process that belongs to it is ended
//! and the folder removed.

use coalmine::{io::pidfd::dead_within, paths::Paths};
use rustix::{
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// How long ended processes may take to be gone, together.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Looks for processes: one may be started between a look and its end.
const ROUNDS_MAX: usize = 20;

/// The folder, and the duty to leave nothing behind.
pub struct Root(TempDir);

impl Root {
    /// A new one, short enough for socket paths.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("cmb-").tempdir().expect("a temporary folder can be made"))
    }

    /// Where.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let left = belonging_to(self.path());
            if left.is_empty() {
                return;
            }
            for (_, pidfd) in &left {
                let _gone = pidfd_send_signal(pidfd, Signal::KILL);
            }
            for (_, pidfd) in &left {
                dead_within(pidfd.as_fd(), GONE_WITHIN);
            }
        }
        eprintln!("left behind: {:?}", belonging_to(self.path()).iter().map(|(pid, _)| *pid).collect::<Vec<_>>());
    }
}

/// The mark that every process by hand carries: the same one that the fleet's carry begins with, so that one search
/// finds both. It is no life's own, so no sweep takes it for one.
pub fn mark(root: &Path) -> String {
    let hash = Paths::new(root).map(|paths| paths.root_hash()).unwrap_or_default();
    format!("{hash}-by-hand")
}

/// Processes that carry a mark of this root, or were given it, or its journal, as an argument: canaries and the
/// daemon carry no mark. Each pidfd was opened before the look that proves it.
fn belonging_to(root: &Path) -> Vec<(i32, OwnedFd)> {
    let Ok(paths) = Paths::new(root) else { return Vec::new() };
    let mark = format!("COALMINE_LIFE={}-", paths.root_hash()).into_bytes();
    let places: [PathBuf; 3] = [root.to_owned(), paths.root().to_owned(), paths.journal()];
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folder.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| u32::try_from(*pid).is_ok_and(|pid| pid != std::process::id()))
        .filter_map(|pid| {
            let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let marked = read("environ").split(|byte| *byte == 0).any(|entry| entry.starts_with(&mark));
            let named = || {
                let args = read("cmdline");
                let is_ours = |arg: &[u8]| places.iter().any(|place| place.as_os_str().as_encoded_bytes() == arg);
                args.split(|byte| *byte == 0).any(is_ours)
            };
            (!dead_within(pidfd.as_fd(), Duration::ZERO) && (marked || named())).then_some((pid, pidfd))
        })
        .collect()
}

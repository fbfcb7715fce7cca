//! A file system that a test has to itself.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Unmounted at the end, also while something still runs in it.
pub struct Mount(PathBuf);

impl Mount {
    /// Nothing where this host refuses.
    pub fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "coalmine-test"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

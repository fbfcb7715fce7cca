//! A cgroup for each run, where cgroup v2 may be written: whatever a run starts is in it, and `cgroup.kill` ends all of
//! it at once. It has no controllers and limits nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Makes groups below our own. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Groups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    own: PathBuf,
    /// Those that were not empty when their run was over: a provider may leave a process behind.
    left: Mutex<Vec<PathBuf>>,
}

/// The group of one run; removed with it, or before a later one.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
    groups: Groups,
}

/// The name of the group of the run with this mark.
pub(super) fn name(mark: &str) -> String {
    format!("coalmine-{mark}")
}

impl Groups {
    /// Groups below `own`. What an earlier daemon left empty there, whose runs' marks begin with `prefix`, is removed.
    pub(super) fn below(own: PathBuf, prefix: &str) -> Self {
        let prefix = name(prefix);
        let files = fs::read_dir(&own).into_iter().flatten().flatten();
        let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with(&prefix));
        let left = ours.map(|file| file.path()).filter(|path| !is_removed(path)).collect();
        Self(Arc::new(Inner { own, left: Mutex::new(left) }))
    }

    /// Makes a group and puts a process into it; nothing where the kernel refuses. What that process starts from now on
    /// is born there.
    pub(super) fn enter(&self, mark: &str, pid: i32) -> Option<Group> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| !is_removed(path));
        let path = self.0.own.join(name(mark));
        fs::create_dir(&path).ok()?;
        let group = Group { path, groups: self.clone() };
        fs::write(group.path.join("cgroup.procs"), pid.to_string()).ok()?;
        Some(group)
    }
}

impl Group {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !is_removed(&self.path) {
            self.groups.0.left.lock().unwrap_or_else(PoisonError::into_inner).push(self.path.clone());
        }
    }
}

/// `rmdir` takes only what is empty: no process is ended by this.
fn is_removed(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// SIGKILL for everything in the group at `path` (Linux 5.14); an older kernel has no such file.
pub(super) fn kill(path: &Path) {
    let _ = fs::write(path.join("cgroup.kill"), "1");
}

/// Whether a process is in the group of the run with this mark.
pub(super) fn holds(mark: &str, pid: i32) -> bool {
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    group.lines().any(|line| line.starts_with("0::") && line.ends_with(&format!("/{}", name(mark))))
}

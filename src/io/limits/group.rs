//! The cgroups of one life: written down, made, entered, and removed when the life is over.

use super::own_groups::{self, Hierarchy};
use crate::io::private_file;
use coalmine_actors::{error::FleetError, names::Generation, peer::limits::Limits};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// How often groups are tried that are not empty yet.
const EMPTY_LOOK: Duration = Duration::from_millis(5);

/// The groups of a life that is about to begin.
#[derive(Debug)]
pub struct Group(Vec<PathBuf>);

impl Group {
    /// Makes the groups of the life `mark`, whose peer's folder is `folder`. Where they lie is on disk before any of
    /// them is: whoever comes later removes them.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`] when the kernel refuses; a file that can not be written.
    pub fn make(
        hierarchies: &[Hierarchy],
        folder: &Path,
        generation: Generation,
        mark: &str,
        limits: &Limits,
    ) -> Result<Self, FleetError> {
        let name = group_name(mark);
        let groups: Vec<PathBuf> = hierarchies.iter().map(|hierarchy| hierarchy.group(&name)).collect();
        let note = note(folder, generation);
        let mut text = Vec::new();
        groups.iter().for_each(|group| text.extend([group.as_os_str().as_bytes(), b"\0"].concat()));
        private_file::write(&note, &text).map_err(|source| FleetError::io("write", note, source))?;
        hierarchies.iter().try_for_each(|hierarchy| hierarchy.make(&name, limits))?;
        Ok(Self(groups))
    }

    /// The groups that are noted for this life, whoever made them; none where it has none.
    pub fn noted(folder: &Path, generation: Generation) -> Option<Self> {
        let text = fs::read(note(folder, generation)).ok()?;
        let groups = text.split(|byte| *byte == 0).filter(|group| !group.is_empty());
        Some(Self(groups.map(|group| OsStr::from_bytes(group).into()).collect()))
    }

    /// Puts a process into the groups; what it starts from now on is born there.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`] when the kernel refuses.
    pub fn enter(&self, pid: i32) -> Result<(), FleetError> {
        self.0.iter().try_for_each(|group| own_groups::write(&group.join("cgroup.procs"), pid))
    }
}

/// `coalmine-<root hash>-<identity>-g<n>`: the name says whose it is, to people and to whoever counts its OOM kills.
pub(super) fn group_name(mark: &str) -> String {
    format!("coalmine-{mark}")
}

/// The notes of groups begin with this, and go on with the generation.
const NOTE: &str = "limits-g";

/// Where the groups of a life are written down.
fn note(folder: &Path, generation: Generation) -> PathBuf {
    folder.join(format!("{NOTE}{generation}"))
}

/// The lives of a peer whose groups are written down.
pub fn noted(folder: &Path) -> Vec<Generation> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.file_name().to_str()?.strip_prefix(NOTE)?.parse().ok().map(Generation)).collect()
}

/// Whether there are groups of this life to be removed.
pub fn is_noted(folder: &Path, generation: Generation) -> bool {
    note(folder, generation).exists()
}

/// Removes the groups of a life of which nothing runs any more, as soon as they are empty: its processes leave them when
/// they are reaped. Those that are not empty after `patience` stay noted, and the next start tries again.
pub async fn release(folder: &Path, generation: Generation, patience: Duration) {
    let deadline = Instant::now() + patience;
    while !release_empty(folder, generation) && Instant::now() < deadline {
        tokio::time::sleep(EMPTY_LOOK).await;
    }
}

/// Removes those that are empty now, and the note of them when all are gone; says whether they are.
pub fn release_empty(folder: &Path, generation: Generation) -> bool {
    let Some(Group(groups)) = Group::noted(folder, generation) else { return true };
    let left = groups.iter().filter(|group| !remove(group)).count();
    if left == 0 {
        let _ = fs::remove_file(note(folder, generation)); // found, and seen to be done, by the next start
    }
    left == 0
}

/// `rmdir` takes only what is empty: no process is ended by this, and no other group is touched.
fn remove(group: &Path) -> bool {
    match fs::remove_dir(group) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

//! What nobody is granted, whatever a policy says: folders known by device and inode, so that no name leads to them.

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, FileType, Mode, OFlags, Stat, fstat, open, openat},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

/// Most folders between a hidden one and `/`.
const DEPTH_MAX: usize = 4_096;

/// Which file or folder, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    device: u64,
    inode: u64,
}

impl Id {
    /// Of what was looked at.
    #[allow(clippy::useless_conversion, reason = "the widths differ between machines")]
    pub fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev.into(), inode: stat.st_ino.into() }
    }

    /// Of what is open.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self::of(&fstat(fd)?))
    }
}

/// Folders that are never granted, and the way to them.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    paths: Vec<PathBuf>,
    ids: BTreeSet<Id>,
    /// The folders that hold them, up to `/`: to remove one of these would remove what is hidden.
    holders: BTreeSet<Id>,
}

/// How a folder is opened only to know which it is, and to go on from there.
pub(super) const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl Hidden {
    /// These folders, where they are now; those that do not exist hide nothing.
    ///
    /// # Errors
    /// One can not be looked at.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let mut hidden = Self::default();
        for path in paths {
            match openat(CWD, &path, LOOK | OFlags::DIRECTORY, Mode::empty()) {
                Ok(folder) => hidden.add(folder)?,
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
            hidden.paths.push(path);
        }
        Ok(hidden)
    }

    fn add(&mut self, mut folder: OwnedFd) -> io::Result<()> {
        let mut id = Id::open(&folder)?;
        self.ids.insert(id);
        for _ in 0..DEPTH_MAX {
            folder = parent_of(&folder)?;
            let above = Id::open(&folder)?;
            if above == id {
                return Ok(()); // `/` is its own parent
            }
            self.holders.insert(above);
            id = above;
        }
        Err(io::ErrorKind::InvalidInput.into())
    }

    /// The folders by the paths that they were given by.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Whether this is one of them.
    pub fn is(&self, id: Id) -> bool {
        self.ids.contains(&id)
    }

    /// Whether one of them lies in this.
    pub fn lies_in(&self, id: Id) -> bool {
        self.holders.contains(&id)
    }

    /// Whether this folder is one of them or lies in one.
    ///
    /// # Errors
    /// What the kernel says on the way up.
    pub fn covers(&self, folder: impl AsFd) -> io::Result<bool> {
        let mut id = Id::open(&folder)?;
        if self.ids.is_empty() || self.is(id) {
            return Ok(self.is(id));
        }
        let mut folder = parent_of(folder)?;
        for _ in 0..DEPTH_MAX {
            let above = Id::open(&folder)?;
            if above == id || self.is(above) {
                return Ok(self.is(above));
            }
            id = above;
            folder = parent_of(&folder)?;
        }
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// The folder that holds this one, by the kernel's word and not by a name.
///
/// # Errors
/// What the kernel says.
pub fn parent_of(folder: impl AsFd) -> io::Result<OwnedFd> {
    Ok(openat(folder, c"..", LOOK | OFlags::DIRECTORY, Mode::empty())?)
}

/// All of what lies at `path` that may be granted: itself, or, where something hidden lies in it, its other entries, and
/// so on down the way. What is made beside that way later is not among it. Links on the way are passed over: what they
/// lead to is granted by its own name or not at all.
///
/// # Errors
/// It can not be looked at; a path that does not exist, or lies where this user may not go, is nothing and no error.
pub(super) fn grantable(path: &Path, hidden: &Hidden) -> io::Result<Vec<OwnedFd>> {
    match look(path)? {
        Some(found) if !is_covered(path, &found, hidden)? => carved(found, hidden),
        _ => Ok(Vec::new()),
    }
}

/// The same of a place that is never in a hidden one, which is not asked then: there are many of these.
///
/// # Errors
/// As [`grantable`].
pub(super) fn needed(path: &Path, hidden: &Hidden) -> io::Result<Vec<OwnedFd>> {
    look(path)?.map_or(Ok(Vec::new()), |found| carved(found, hidden))
}

fn look(path: &Path) -> io::Result<Option<OwnedFd>> {
    match open(path, LOOK, Mode::empty()) {
        Ok(found) => Ok(Some(found)),
        // Where this user can not go, neither can what it starts.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn carved(found: OwnedFd, hidden: &Hidden) -> io::Result<Vec<OwnedFd>> {
    let mut granted = Vec::new();
    carve(found, hidden, &mut granted)?;
    Ok(granted)
}

fn is_covered(path: &Path, found: &OwnedFd, hidden: &Hidden) -> io::Result<bool> {
    if FileType::from_raw_mode(fstat(found)?.st_mode).is_dir() {
        return hidden.covers(found);
    }
    // Of a file the kernel tells no parent; the path that it has now does.
    let real = path.canonicalize()?;
    hidden.covers(open(real.parent().unwrap_or(Path::new("/")), LOOK | OFlags::DIRECTORY, Mode::empty())?)
}

fn carve(found: OwnedFd, hidden: &Hidden, granted: &mut Vec<OwnedFd>) -> io::Result<()> {
    let id = Id::open(&found)?;
    if hidden.is(id) {
        return Ok(());
    }
    if !hidden.lies_in(id) {
        granted.push(found);
        return Ok(());
    }
    // As deep as what is hidden lies, which was counted when it was looked for.
    let list = openat(&found, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for entry in rustix::fs::Dir::new(list)? {
        let entry = entry?;
        if [c".", c".."].contains(&entry.file_name()) {
            continue;
        }
        let Ok(below) = openat(&found, entry.file_name(), LOOK | OFlags::NOFOLLOW, Mode::empty()) else { continue };
        if !FileType::from_raw_mode(fstat(&below)?.st_mode).is_symlink() {
            carve(below, hidden, granted)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        os::{fd::AsRawFd, unix::fs::symlink},
    };

    fn names(granted: &[OwnedFd]) -> BTreeSet<PathBuf> {
        granted.iter().map(|fd| fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap()).collect()
    }

    #[test]
    fn around_a_hidden_folder_everything_else_is_granted() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        for folder in ["state/fleet/run", "state/other", "project"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        fs::write(base.join("notes"), "").unwrap();
        symlink(base.join("state/fleet"), base.join("way-in")).unwrap();
        let hidden = Hidden::of([base.join("state/fleet"), base.join("not-there")]).unwrap();
        let granted = grantable(&base, &hidden).unwrap();
        let expected = ["state/other", "project", "notes"].map(|name| base.join(name));
        assert_eq!(names(&granted), BTreeSet::from(expected));
        for (path, count) in
            [("state/fleet", 0), ("state/fleet/run", 0), ("way-in", 0), ("project", 1), ("not-there", 0)]
        {
            assert_eq!(grantable(&base.join(path), &hidden).unwrap().len(), count, "{path}");
        }
        assert!(hidden.lies_in(Id::open(fs::File::open("/").unwrap()).unwrap()));
    }
}

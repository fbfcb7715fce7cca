//! Removing below a granted root: with all that is in it, never through a link, and never the root itself.

use super::roots::{Place, Root, kind_of, refusal};
use crate::io::sandbox::hidden::Id;
use coalmine_actors::effects::error::EffectError;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat, unlinkat},
    io::Errno,
};
use std::ffi::CStr;

/// Deepest folder in a folder that is removed.
const DEPTH_MAX: u64 = 256;
/// How often a folder is emptied again that somebody fills meanwhile.
const ROUNDS_MAX: usize = 8;

impl Place<'_> {
    /// Removes what is there; of a link the link.
    ///
    /// # Errors
    /// Not there; the root; what the fleet needs itself lies there; another file system is mounted in it; deeper than 256
    /// folders. What was removed by then stays so.
    pub fn remove(&self) -> Result<(), EffectError> {
        let Some((folder, name)) = self.entry()? else {
            let (_, stat) = self.open(OFlags::PATH)?;
            self.root.whole(Id::of(&stat))?;
            return Err(EffectError::bad("path", "it ends in `..`; name what is to be removed"));
        };
        let stat = statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(refusal)?;
        // Before anything is touched: where something of the fleet lies in it, all of it stays.
        self.root.whole(Id::of(&stat))?;
        let name = std::ffi::CString::new(name.into_encoded_bytes()).map_err(|_nul| refusal(Errno::INVAL))?;
        remove(self.root, folder.as_fd(), &name, kind_of(&stat), DEPTH_MAX)
    }
}

fn remove(
    root: &Root,
    folder: BorrowedFd<'_>,
    name: &CStr,
    kind: FileType,
    depth_left: u64,
) -> Result<(), EffectError> {
    if kind != FileType::Directory {
        match unlinkat(folder, name, AtFlags::empty()) {
            // Gone is what we want; what has become a folder meanwhile is one.
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR) => {}
            Err(error) => return Err(refusal(error)),
        }
    }
    for _ in 0..ROUNDS_MAX {
        match open_list(folder, name) {
            Ok(list) => empty(root, list, depth_left)?,
            Err(Errno::NOENT) => return Ok(()),
            // It was exchanged for something else, which is removed as such.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return unlinkat(folder, name, AtFlags::empty()).map_err(refusal);
            }
            Err(error) => return Err(refusal(error)),
        }
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY) => {}
            Err(error) => return Err(refusal(error)),
        }
    }
    Err(refusal(Errno::NOTEMPTY))
}

/// A folder to be emptied: no link, and no other file system, which may be anywhere else too.
fn open_list(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat2(folder, name, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_XDEV)
}

fn empty(root: &Root, list: OwnedFd, depth_left: u64) -> Result<(), EffectError> {
    root.whole(Id::open(&list)?)?;
    let Some(depth_left) = depth_left.checked_sub(1) else { return Err(EffectError::limit("depth", DEPTH_MAX)) };
    for entry in Dir::read_from(&list).map_err(refusal)? {
        let entry = entry.map_err(refusal)?;
        if ![c".", c".."].contains(&entry.file_name()) {
            let kind = known_kind(&list, &entry)?;
            remove(root, list.as_fd(), entry.file_name(), kind, depth_left)?;
        }
    }
    Ok(())
}

/// What an entry is; some file systems do not say it in their lists.
pub(super) fn known_kind(folder: &OwnedFd, entry: &rustix::fs::DirEntry) -> Result<FileType, EffectError> {
    match entry.file_type() {
        FileType::Unknown => match statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(kind_of(&stat)),
            Err(Errno::NOENT) => Ok(FileType::Unknown),
            Err(error) => Err(refusal(error)),
        },
        known => Ok(known),
    }
}

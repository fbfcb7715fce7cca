//! Finds files that were written to of late, at or below a folder, and opens them: files, never through a link, never out
//! of the folder, and never waiting for one.

use globset::GlobMatcher;
use jiff::{SignedDuration, Timestamp};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat},
    io::Errno,
};
use std::{
    cmp::Reverse,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Folders below the first one, one within another.
pub(super) const DEPTH_MAX: usize = 6;
/// Entries of folders that are looked at. Names are gone through from the last to the first: where they begin with a
/// date, those that are left out are old.
const ENTRIES_MAX: usize = 4_096;
/// Files that are read in one look: those that were written to last.
const FILES_MAX: usize = 16;
/// How much earlier than the clock says a file may be marked as written to.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(1);

/// Device and inode.
pub(super) type FileId = (u64, u64);

/// A file that was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Below the folder.
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) written_at: Timestamp,
}

/// The files with such names that were written to since then, the last first.
pub(super) fn newest(root: &OwnedFd, names: &GlobMatcher, since: Timestamp) -> Result<Vec<Found>, Errno> {
    let since = since.saturating_sub(CLOCK_SLACK).expect("a signed duration only saturates");
    let mut walk = Walk { names, since, left: ENTRIES_MAX, found: Vec::new() };
    walk.folder(root.as_fd(), Path::new(""), 0)?;
    walk.found.sort_by_key(|file| Reverse(file.written_at));
    walk.found.truncate(FILES_MAX);
    Ok(walk.found)
}

/// Opens a file that was found, with its length; nothing where it is not that one any more.
pub(super) fn open(root: &OwnedFd, file: &Found) -> Result<Option<(OwnedFd, u64)>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let open = match openat2(root, &file.path, flags, Mode::empty(), beneath) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        open => open?,
    };
    let stat = fstat(&open)?;
    let is_it = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && id(&stat) == file.id;
    Ok(is_it.then(|| (open, u64::try_from(stat.st_size).unwrap_or(0))))
}

struct Walk<'w> {
    names: &'w GlobMatcher,
    since: Timestamp,
    left: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: BorrowedFd<'_>, at: &Path, depth: usize) -> Result<(), Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            names.push(OsStr::from_bytes(name).to_owned());
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        for name in names {
            let Ok(stat) = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory if depth < DEPTH_MAX => {
                    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    // One that is gone, or not ours to see, hides no other.
                    if let Ok(below) = openat(folder, &name, flags, Mode::empty()) {
                        let _as_little_as_it_shows = self.folder(below.as_fd(), &at.join(&name), depth + 1);
                    }
                }
                FileType::RegularFile if self.names.is_match(&name) => {
                    let written_at = written_at(&stat);
                    if written_at >= self.since {
                        self.found.push(Found { path: at.join(&name), id: id(&stat), written_at });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn id(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

fn written_at(stat: &Stat) -> Timestamp {
    Timestamp::from_second(stat.st_mtime).unwrap_or(Timestamp::UNIX_EPOCH)
}

//! Writing below a granted root: a file is replaced as a whole, or not at all.

use super::{
    read::{TEXT_BYTES_MAX, regular},
    roots::{Footing, Place, denied, kind_of, refusal},
};
use coalmine_actors::effects::{error::EffectError, rule::Never};
use rustix::{
    fd::AsFd,
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, mkdirat, openat, renameat, statat, unlinkat,
    },
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Largest file that is copied, bytes.
pub(super) const COPY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Most folders that are made at once.
const FOLDERS_MAX: usize = 128;
/// What a new file and a new folder may be used for, less what the umask takes.
pub(super) const FILE_MODE: u32 = 0o666;
const FOLDER_MODE: u32 = 0o777;
/// Of an older file's mode, what its successor keeps: no set-user-id.
const MODE_KEPT: u32 = 0o777;

impl Place<'_> {
    /// Makes `contents` all that the file holds. Whoever reads it meanwhile reads the old or the new text whole.
    ///
    /// # Errors
    /// Longer than `TEXT_BYTES_MAX`; a link, a file with another hard link, or no regular file is there; led out of
    /// the root; the disk is full.
    pub fn write(&self, contents: &[u8]) -> Result<(), EffectError> {
        if contents.len() as u64 > TEXT_BYTES_MAX {
            return Err(EffectError::limit("contents", TEXT_BYTES_MAX));
        }
        self.replace(None, |file| file.write_all(contents))
    }

    /// Makes a copy of the file at `source` here.
    ///
    /// # Errors
    /// As for reading the one and writing the other; larger than `COPY_BYTES_MAX`.
    pub fn copy_from(&self, source: &Place<'_>) -> Result<u64, EffectError> {
        let (original, size) = source.open_file()?;
        let mode = rustix::fs::fstat(&original).map_err(refusal)?.st_mode;
        if size > COPY_BYTES_MAX {
            return Err(EffectError::limit("file", COPY_BYTES_MAX));
        }
        let mut copied = 0;
        self.replace(Some(mode), |file| {
            copied = io::copy(&mut original.take(COPY_BYTES_MAX + 1), file)?;
            if copied > COPY_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
        })
        .map_err(|error| match error {
            EffectError::Io { kind: io::ErrorKind::FileTooLarge } => EffectError::limit("file", COPY_BYTES_MAX),
            error => error,
        })?;
        Ok(copied)
    }

    /// Puts what `fill` writes in the place of what is there.
    fn replace(&self, mode: Option<u32>, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), EffectError> {
        let Some((folder, name)) = self.entry()? else {
            return Err(EffectError::Io { kind: io::ErrorKind::IsADirectory });
        };
        let old = replaceable(&folder, &name)?;
        let mut draft = Draft::new(&folder)?;
        fill(&mut draft.file)?;
        like(&draft.file, old.as_ref(), mode)?;
        // On disk before it takes the name: after a power cut there is the old text or the new one.
        draft.file.sync_data()?;
        draft.publish(&name)
    }

    /// Makes the folder, and those that lead to it. One that is there already is no error.
    ///
    /// # Errors
    /// Something else is there; led out of the root; more than 128 folders deep.
    pub fn mkdir_p(&self) -> Result<(), EffectError> {
        let mut made = PathBuf::new();
        if self.rest().components().count() > FOLDERS_MAX {
            return Err(EffectError::limit("depth", FOLDERS_MAX as u64));
        }
        for part in self.rest().components() {
            let above = self.root.folder(&made)?;
            made.push(part);
            match self.root.folder(&made) {
                Ok(_there) => continue,
                Err(EffectError::NotFound) => {}
                Err(error) => return Err(error),
            }
            match mkdirat(&above, Path::new(part.as_os_str()), Mode::from_raw_mode(FOLDER_MODE)) {
                // Made by somebody else meanwhile, or a link that leads to nothing: the next look says which.
                Ok(()) | Err(Errno::EXIST) => self.root.folder(&made).map(drop)?,
                Err(error) => return Err(refusal(error)),
            }
        }
        Ok(())
    }
}

/// What is there under this name, where it may be replaced; nothing where nothing is.
pub(super) fn replaceable(folder: &Footing<'_>, name: &OsStr) -> Result<Option<Stat>, EffectError> {
    let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(refusal(error)),
    };
    if kind_of(&stat) == FileType::Symlink {
        return Err(EffectError::bad("path", "it is a link, and is not written through"));
    }
    regular(kind_of(&stat))?;
    // Another name of it may be anywhere.
    if stat.st_nlink > 1 { Err(denied(Never::Escape)) } else { Ok(Some(stat)) }
}

/// Gives a file the mode and, where we may, the owner of what it replaces, or this mode.
fn like(file: &File, old: Option<&Stat>, mode: Option<u32>) -> Result<(), EffectError> {
    if let Some(mode) = old.map(|old| old.st_mode).or(mode) {
        fchmod(file, Mode::from_raw_mode(mode & MODE_KEPT)).map_err(refusal)?;
    }
    if let Some(old) = old {
        let _not_ours_to_give = fchown(file, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid)));
    }
    Ok(())
}

/// A file that is being written beside the one that it will replace. Dropped before that, it is removed.
struct Draft<'f> {
    folder: &'f Footing<'f>,
    name: OsString,
    file: File,
    published: bool,
}

impl<'f> Draft<'f> {
    fn new(folder: &'f Footing<'f>) -> Result<Self, EffectError> {
        /// Names that are tried: those of a daemon that was killed may still be there.
        const TRIES_MAX: usize = 1_000;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..TRIES_MAX {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!(".coalmine-{}-{number}.tmp", std::process::id()));
            match openat(folder, &name, flags, Mode::from_raw_mode(FILE_MODE)) {
                Ok(file) => return Ok(Self { folder, name, file: file.into(), published: false }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(refusal(error)),
            }
        }
        Err(EffectError::Io { kind: io::ErrorKind::AlreadyExists })
    }

    /// Takes the name that it was written for.
    fn publish(mut self, name: &OsStr) -> Result<(), EffectError> {
        renameat(self.folder.as_fd(), &self.name, self.folder.as_fd(), name).map_err(refusal)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.published {
            let _ = unlinkat(self.folder.as_fd(), &self.name, AtFlags::empty()); // a leftover, and no more
        }
    }
}

//! Puts a compacted file in the place of the old one, atomically: whoever crashes where, one of the two is there.
//!
//! ```text
//! backup, fsync ▸ new file, fsync, flock ▸ rename ▸ fsync the folder ▸ purge: empty the old one, remove backups
//! ```
//!
//! The lock of the new file is taken before it has the name, so nobody can slip in; the old file's lock is kept a
//! little longer, for a stranger that has it open and not yet locked.

use super::{beside, now_ms, traces};
use crate::io::{
    atomic::sync_folder,
    lock::{self, NotLocked},
};
use coalmine_actors::{error::FleetError, memory::port::Replacement};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// How long the lock of a replaced file is kept.
pub(super) const OLD_LOCK_KEPT_MS: u64 = 10_000;

/// Replaces the file that `old` holds; gives the new descriptor, locked, and where the removed lines went.
pub(super) fn replace(path: &Path, old: &File, new: &Replacement) -> Result<(File, Option<PathBuf>), FleetError> {
    let io = |op: &'static str| move |source| FleetError::io(op, path, source);
    unchanged(path, old, new.expected).map_err(io("replace"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let backup = (!new.purge && !new.removed.is_empty()).then(|| backup_of(path));
    let backed_up = backup.as_deref().map_or(Ok(()), |backup| write_backup(backup, &new.removed));
    let replaced = backed_up.and_then(|()| put_in_place(path, folder, &new.kept));
    let file = replaced.map_err(|error| {
        // The lines are all in the file still; a backup beside it would only tell them twice.
        backup.as_deref().map(fs::remove_file);
        io("replace")(error)
    })?;
    if new.purge {
        purge(path, folder, old).map_err(io("purge around"))?;
    }
    Ok((file, backup))
}

fn unchanged(path: &Path, old: &File, expected: u64) -> io::Result<()> {
    let (held, there) = (old.metadata()?, fs::symlink_metadata(path)?);
    if (held.dev(), held.ino()) != (there.dev(), there.ino()) || held.len() != expected {
        return Err(io::Error::other("another process has written to it, or replaced it"));
    }
    Ok(())
}

/// Keeps lines that a stranger took out of the file; where.
pub(super) fn keep(path: &Path, lines: &[u8]) -> Result<PathBuf, FleetError> {
    let backup = backup_of(path);
    let written = write_backup(&backup, lines).and_then(|()| sync_folder(path.parent().unwrap_or(Path::new("."))));
    written.map_err(|source| FleetError::io("write", &backup, source))?;
    Ok(backup)
}

fn backup_of(path: &Path) -> PathBuf {
    beside(path, &format!(".{}.bak", now_ms()))
}

fn write_backup(backup: &Path, removed: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(backup)?;
    file.write_all(removed)?;
    file.sync_all()
}

fn put_in_place(path: &Path, folder: &Path, kept: &[u8]) -> io::Result<File> {
    let make = |place: &Path| File::options().read(true).append(true).create_new(true).mode(0o600).open(place);
    let mut temp = tempfile::Builder::new().prefix(".tmp-").make_in(folder, make)?;
    temp.as_file_mut().write_all(kept)?;
    temp.as_file().sync_all()?;
    match lock::try_lock_open(temp.as_file()) {
        Ok(()) => {}
        Err(NotLocked::Io(error)) => return Err(error),
        Err(NotLocked::Held) => {
            let by = lock::holder(temp.path());
            return Err(io::Error::other(format!("the new file is held by {by}")));
        }
    }
    let file = temp.persist(path)?;
    sync_folder(folder)?;
    Ok(file)
}

/// Forgets for good: the old file's bytes, which somebody may still have open, and every backup.
fn purge(path: &Path, folder: &Path, old: &File) -> io::Result<()> {
    old.set_len(0)?;
    for backup in traces::backups(path) {
        fs::remove_file(backup)?;
    }
    sync_folder(folder)
}

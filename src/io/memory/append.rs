//! Appends whole lines, all of them or none, to the file that we know.

use super::restore;
use coalmine_actors::{error::FleetError, memory::port::AppendFailed};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Why lines are not in the file, or may not be.
#[derive(Debug)]
pub(super) enum Lost {
    /// None of them is.
    Refused(io::Error),
    /// Nobody knows.
    Indeterminate(io::Error),
    /// It is not the file that it was.
    Moved(String),
    /// It was removed; a copy is in its place.
    Restored,
}

impl Lost {
    pub(super) fn told(self, path: &Path) -> AppendFailed {
        match self {
            Self::Refused(source) => AppendFailed::Refused(FleetError::io("append to", path, source)),
            Self::Indeterminate(source) => AppendFailed::Indeterminate(FleetError::io("sync", path, source)),
            Self::Moved(why) => AppendFailed::Moved(why),
            Self::Restored => AppendFailed::Restored,
        }
    }
}

/// Appends `lines` to a file of `at` bytes; with `durable`, returns once the disk has confirmed them. With no lines it
/// is only a look whether the file is in its place.
pub(super) fn append(path: &Path, file: &File, at: u64, lines: &[u8], durable: bool) -> Result<(), Lost> {
    let meta = file.metadata().map_err(Lost::Refused)?;
    if meta.len() != at {
        return Err(Lost::Moved(format!("it has {} bytes and not {at}: another process wrote to it", meta.len())));
    }
    in_its_place(path, file, &meta)?;
    if lines.is_empty() {
        return Ok(());
    }
    if let Err(error) = (&*file).write_all(lines) {
        // A part of a line would be read as one that is torn. Where even the cut is refused, the next open mends it.
        return Err(match file.set_len(at) {
            Ok(()) => Lost::Refused(error),
            Err(_) => Lost::Indeterminate(error),
        });
    }
    if durable {
        file.sync_data().map_err(Lost::Indeterminate)?;
    }
    Ok(())
}

/// Makes sure that `path` still names this file. One that somebody removed is put back from what the descriptor
/// holds, as another file: it must be opened and locked like any.
fn in_its_place(path: &Path, file: &File, held: &fs::Metadata) -> Result<(), Lost> {
    let another = || Lost::Moved("another file is in its place".into());
    match fs::symlink_metadata(path) {
        Ok(there) if (there.dev(), there.ino()) == (held.dev(), held.ino()) => Ok(()),
        Ok(_) => Err(another()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(match restore::put_back(path, file) {
            Ok(()) => Lost::Restored,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => another(),
            Err(error) => Lost::Refused(error),
        }),
        Err(error) => Err(Lost::Refused(error)),
    }
}

//! Puts a file back that somebody removed: its bytes are there for as long as a descriptor of it is.

use super::{beside, now_ms};
use crate::io::{atomic::sync_folder, private_file};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// Puts it back if nothing is in its place; whatever else is there stays there.
pub(super) fn if_removed(path: &Path, file: &File) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => put_back(path, file),
        _ => Ok(()),
    }
}

/// Writes the bytes of a removed file to its old name, durably, as another file: it must be opened and locked like any.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something is there by then; or the disk refuses.
pub(super) fn put_back(path: &Path, file: &File) -> io::Result<()> {
    let copy = beside(path, &format!(".restoring-{}", now_ms()));
    let copied = copy_to(&copy, file).and_then(|()| fs::hard_link(&copy, path));
    let removed = fs::remove_file(&copy);
    copied.and(removed)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn copy_to(copy: &Path, file: &File) -> io::Result<()> {
    const CHUNK_BYTES: usize = 1024 * 1024;
    let mut to = private_file::create_truncated(copy)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut chunk, at)?;
        if read == 0 {
            return to.sync_all();
        }
        to.write_all(&chunk[..read])?;
        at += read as u64;
    }
}

//! Appends whole lines to `lifecycle.log`, and turns it over where it is full.

use super::{LOG_BYTES_MAX, LOGS_KEPT_MAX, log_path};
use crate::io::atomic::sync_folder;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::Path,
};

/// Makes the journal's folder (0700) where it is missing.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Appends `lines`, each with its `\n`. All of them are in the file afterwards, or none is.
pub(super) fn append(folder: &Path, lines: &[u8]) -> io::Result<()> {
    let mut log = open(folder)?;
    let mut length = log.metadata()?.len();
    if length > 0 && length + lines.len() as u64 > LOG_BYTES_MAX {
        log.sync_data()?; // the last chance: from now on `sync` means the next file
        drop(log);
        turn_over(folder)?;
        log = open(folder)?;
        length = log.metadata()?.len();
    }
    let written = ends_torn(&log, length).and_then(|torn| {
        if torn {
            log.write_all(b"\n")?;
        }
        log.write_all(lines)
    });
    // A part of the lines would be there twice after the next try. Where even this is refused, readers drop what
    // they have seen (by `seq`).
    written.inspect_err(|_| drop(log.set_len(length)))
}

/// Makes what was appended durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(log_path(folder, 0)) {
        Ok(log) => log.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn open(folder: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(log_path(folder, 0));
    match open() {
        // The folder was removed under us.
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_folder(folder).and_then(|()| open()),
        opened => opened,
    }
}

/// Whether the file ends within a line: a power cut, or a full disk, left a part of it.
fn ends_torn(log: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    log.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

/// Renames from the oldest on, so that a crash in between leaves a gap in the numbers and no lost file.
fn turn_over(folder: &Path) -> io::Result<()> {
    for age in (0..LOGS_KEPT_MAX).rev() {
        match fs::rename(log_path(folder, age), log_path(folder, age + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_folder(folder)
}

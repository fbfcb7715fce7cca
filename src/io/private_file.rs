//! Files that are ours alone: 0600, never through a link.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Opens a file for writing from its start, made 0600 where it is missing.
///
/// # Errors
/// What the kernel says; a link is refused.
pub fn create_truncated(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Writes a whole file that may be lost with the machine.
///
/// # Errors
/// What the kernel says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_truncated(path)?.write_all(bytes)
}

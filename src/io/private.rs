//! Files that are ours alone: 0600, never through a link; and the state root.

use super::private_dir;
use coalmine_actors::error::FleetError;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
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

/// Makes the state root, or checks it. An empty folder of ours that others may enter is made private; one that
/// holds something is somebody's, and stays as it is.
///
/// # Errors
/// It can not be made, or is not private.
pub fn root(path: &Path) -> Result<(), FleetError> {
    let empty = std::fs::read_dir(path).is_ok_and(|mut files| files.next().is_none());
    let ours = path.metadata().is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw());
    if empty && ours {
        let private = PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(path, private).map_err(|source| FleetError::io("make private", path, source))?;
    }
    private_dir::ensure(path)
}

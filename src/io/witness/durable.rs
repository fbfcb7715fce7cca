//! Makes names in a folder survive a power cut.

use std::{fs::File, io, path::Path};

/// Waits until the names in `folder` are on disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

//! Reads `memory-provider.json`, afresh each time: the provider replaces it whenever it likes.

use coalmine_actors::provisioner::slot::{SLOT_BYTES_MAX, SlotFile, Stamp, too_large};
use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Blocks, but never for a file that is none: a pipe there has no writer, perhaps.
pub(super) fn read(path: &Path) -> SlotFile {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    match opened.and_then(|file| Ok((file.metadata()?, file))) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => match path.symlink_metadata() {
            Ok(link) => SlotFile::Unusable("it is a link to nothing".into(), stamp(&link)),
            Err(_) => SlotFile::Missing,
        },
        Err(error) => SlotFile::Unusable(format!("it can not be read: {error}"), Stamp::default()),
        Ok((meta, _)) if !meta.is_file() => SlotFile::Unusable("it is not a regular file".into(), stamp(&meta)),
        Ok((meta, file)) => whole(&file, stamp(&meta)),
    }
}

fn whole(file: &File, stamp: Stamp) -> SlotFile {
    let mut bytes = Vec::new();
    match file.take(SLOT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes) {
        Err(error) => SlotFile::Unusable(format!("it can not be read: {error}"), stamp),
        Ok(_) if bytes.len() > SLOT_BYTES_MAX => SlotFile::Unusable(too_large(stamp.bytes), stamp),
        Ok(_) => SlotFile::Found(bytes, stamp),
    }
}

fn stamp(meta: &Metadata) -> Stamp {
    let written_ns = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    Stamp { inode: meta.ino(), written_ns, bytes: meta.len() }
}

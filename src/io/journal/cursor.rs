//! How far exits.log has become events: which file, how much of it, and up to what time.

use crate::io::atomic;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// So much before the cursor is compared: the end of a line, which names a life that no other line names.
const BEFORE_BYTES: u64 = 128;

/// A place in exits.log, and in whatever file replaces it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// The format's version, 1.
    version: u32,
    /// The file's inode; a replacement has another.
    pub(super) inode: u64,
    /// Bytes of it that were imported: up to the end of a line.
    pub(super) offset: u64,
    /// The end of what was imported, [`BEFORE_BYTES`] of it or all: an inode is soon given to another file.
    pub(super) before: String,
    /// The latest time that an imported line named. In a replacement, lines up to this time are old ones.
    pub(super) last_ts: Option<Timestamp>,
}

/// Where it is kept.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("exits.imported")
}

impl Cursor {
    /// Whether `file` is the one that this place is in, with all that stood before it.
    pub(super) fn is_in(&self, file: &File, meta: &Metadata) -> io::Result<bool> {
        Ok(meta.ino() == self.inode && meta.len() >= self.offset && text_before(file, self.offset)? == self.before)
    }

    /// Remembers what stands before this place.
    pub(super) fn settle(&mut self, file: &File) -> io::Result<()> {
        self.before = text_before(file, self.offset)?;
        Ok(())
    }

    /// Reads it. One that is missing or damaged is the start: lines that come twice beat lines that never come.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "damaged; exits.log is imported from its start");
                Self::default()
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes it, durably.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string(&Self { version: 1, ..self.clone() })?;
        text.push('\n');
        atomic::replace(path, text.as_bytes())
    }
}

fn text_before(file: &File, offset: u64) -> io::Result<String> {
    let start = offset.saturating_sub(BEFORE_BYTES);
    let mut bytes = vec![0; usize::try_from(offset - start).unwrap_or_default()];
    file.read_exact_at(&mut bytes, start)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

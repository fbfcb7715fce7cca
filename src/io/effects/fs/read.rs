//! Reading a file below a granted root.

use super::roots::{Place, kind_of};
use coalmine_actors::effects::error::EffectError;
use rustix::fs::{FileType, OFlags};
use std::{
    fs::File,
    io::{self, Read},
};

/// Largest file that is read or written as one text, bytes.
pub(super) const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Place<'_> {
    /// The text of a regular file.
    ///
    /// # Errors
    /// Not there, led out of the root, no regular file, larger than `TEXT_BYTES_MAX`, not UTF-8.
    pub fn read(&self) -> Result<String, EffectError> {
        let (file, size) = self.open_file()?;
        let too_large = || EffectError::limit("contents", TEXT_BYTES_MAX);
        if size > TEXT_BYTES_MAX {
            return Err(too_large());
        }
        // One more than it says, to see its end at once; files of /proc say nothing.
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
        // It may grow meanwhile.
        file.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > TEXT_BYTES_MAX {
            return Err(too_large());
        }
        String::from_utf8(bytes).map_err(|_binary| EffectError::bad("path", "what the file holds is not UTF-8 text"))
    }

    /// Opens a regular file to read it, and says how large it is. It never waits: neither for the writer of a FIFO nor
    /// for a device.
    pub(in crate::io::effects) fn open_file(&self) -> Result<(File, u64), EffectError> {
        let (file, stat) = self.open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        regular(kind_of(&stat))?;
        Ok((file.into(), u64::try_from(stat.st_size).unwrap_or_default()))
    }
}

/// Refuses what is no regular file.
pub(super) fn regular(kind: FileType) -> Result<(), EffectError> {
    match kind {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(EffectError::Io { kind: io::ErrorKind::IsADirectory }),
        _ => Err(EffectError::bad("path", "it is no regular file")),
    }
}

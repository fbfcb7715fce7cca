//! Appending below a granted root: the file of a session's own log.

use super::{
    roots::{Place, refusal},
    write::{FILE_MODE, replaceable},
};
use coalmine_actors::effects::{error::EffectError, port::Sink};
use rustix::fs::{Mode, OFlags, openat};
use std::{
    fs::File,
    io::{self, Write},
};

/// Largest log, bytes: lines that do not fit are refused.
const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A file that lines are appended to.
pub(in crate::io::effects) struct LogFile(File);

impl Place<'_> {
    /// Opens the file, or makes it, to append to it.
    ///
    /// # Errors
    /// A link, a file with another hard link, or no regular file is there; led out of the root.
    pub(super) fn append(&self) -> Result<LogFile, EffectError> {
        let Some((folder, name)) = self.entry()? else {
            return Err(EffectError::Io { kind: io::ErrorKind::IsADirectory });
        };
        // Exchanged after this look it is made anew or refused: never followed, and never waited for.
        let create =
            if replaceable(&folder, &name)?.is_some() { OFlags::empty() } else { OFlags::CREATE | OFlags::EXCL };
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mode = if create.is_empty() { Mode::empty() } else { Mode::from_raw_mode(FILE_MODE) };
        let file = openat(&folder, &name, flags | create | OFlags::CLOEXEC, mode).map_err(refusal)?;
        Ok(LogFile(file.into()))
    }
}

impl Sink for LogFile {
    fn line(&self, line: &str) -> Result<(), EffectError> {
        if self.0.metadata()?.len() + line.len() as u64 >= LOG_BYTES_MAX {
            return Err(EffectError::limit("log", LOG_BYTES_MAX));
        }
        // One write: lines of several sessions stay whole.
        Ok((&self.0).write_all(format!("{line}\n").as_bytes())?)
    }
}

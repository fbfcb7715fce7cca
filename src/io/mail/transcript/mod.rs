//! Reads the transcripts of one peer's program: what was written to them since the last look, and no more of it than is
//! bounded. What a program's files hold is nobody's word but its own: it decides nothing but that a message was read.
//!
//! `walk.rs` finds the files; which bytes are read and which lines count is decided in `actors/src/mail/tail.rs` and
//! `transcript.rs`.

#[cfg(test)]
mod tests;
mod walk;

use crate::io::blocking;
use coalmine_actors::{
    error::FleetError,
    mail::{Entries, Transcript, envelope::Opening, tail::Tail},
    ports::Answer,
};
use globset::{Glob, GlobMatcher};
use jiff::Timestamp;
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
    io::{Errno, pread},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use walk::{FileId, Found};

/// Longest line that is read, its end included, bytes: the longest message that JSON can make of one is far below.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read in one look, but for the last line; what is left comes with the next one.
const LOOK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The adapter of the port [`Entries`] for a folder.
#[derive(Debug)]
pub struct Transcripts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    files: GlobMatcher,
    transcript: Transcript,
    /// Of those files that the last look found. Held by one look at a time.
    tails: Mutex<HashMap<FileId, Tail>>,
}

impl Transcripts {
    /// Those below this folder, which need not exist.
    ///
    /// # Errors
    /// The pattern of their names is none.
    pub fn new(folder: PathBuf, transcript: Transcript) -> Result<Self, globset::Error> {
        let files = Glob::new(&transcript.files)?.compile_matcher();
        Ok(Self(Arc::new(Shared { folder, files, transcript, tails: Mutex::default() })))
    }
}

impl Entries for Transcripts {
    fn look(&self, since: Timestamp) -> Answer<Vec<Opening>> {
        let shared = Arc::clone(&self.0);
        blocking::answer(move || shared.look(since))
    }
}

impl Shared {
    /// Blocks.
    fn look(&self, since: Timestamp) -> Result<Vec<Opening>, FleetError> {
        let failed = |path: PathBuf, errno: Errno| FleetError::io("look for messages in", path, errno.into());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // The folder itself may be reached by a link: it is the definition's own word.
        let root = openat(CWD, &self.folder, flags, Mode::empty());
        let root = root.map_err(|errno| failed(self.folder.clone(), errno))?;
        let found = walk::newest(&root, &self.files, since).map_err(|errno| failed(self.folder.clone(), errno))?;
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        tails.retain(|id, _| found.iter().any(|file| file.id == *id));
        let mut look = Look { buffer: vec![0; LINE_BYTES_MAX], left: LOOK_BYTES_MAX, entered: Vec::new() };
        let mut trouble = None;
        for file in found {
            if let Err(errno) = self.read(&root, &file, &mut tails, &mut look) {
                trouble = Some(failed(self.folder.join(&file.path), errno));
            }
        }
        // What was read is not read again: it counts, whatever else could not be.
        trouble.filter(|_| look.entered.is_empty()).map_or(Ok(look.entered), Err)
    }

    /// Reads what is new in one file.
    fn read(
        &self,
        root: &OwnedFd,
        file: &Found,
        tails: &mut HashMap<FileId, Tail>,
        look: &mut Look,
    ) -> Result<(), Errno> {
        // Something else has taken its place: it is found, or not, by the next look.
        let Some((open, len)) = walk::open(root, file)? else { return Ok(()) };
        let tail = tails.entry(file.id).or_insert_with(|| Tail::of(len));
        while look.left > 0 {
            let count = pread(&open, &mut look.buffer, tail.offset(len))?;
            let is_full = count == look.buffer.len();
            for line in tail.take(&look.buffer[..count], is_full) {
                look.entered.extend(self.transcript.entered(line));
            }
            look.left = look.left.saturating_sub(count);
            if !is_full {
                break;
            }
        }
        Ok(())
    }
}

/// What one look has.
struct Look {
    buffer: Vec<u8>,
    /// Bytes that it may still read.
    left: usize,
    /// What it has found.
    entered: Vec<Opening>,
}

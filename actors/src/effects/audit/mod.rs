//! The audit log: one line before an effect and one after it, each one write, so that it survives any kill.
//!
//! ```text
//! enter ─▶ number it ─▶ one write(2) ─▶ books ─┬─ room
//!                                              └─ full: turned over, a checkpoint first in the new file
//! within a second: fdatasync     at once: before what goes on without us     within a minute: a checkpoint
//! ```

pub mod books;
pub mod entry;
#[cfg(test)]
mod tests;

use super::{budget::Usage, error::EffectError};
use crate::{names::Personality, ports::Clock, repeats::Repeats};
use books::Books;
use entry::{Entry, Record, Verdict};
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// Whether a file takes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It does.
    Left,
    /// It is to be turned over.
    Full,
}

/// `effects/audit.log`. Every method blocks for as long as the page cache does.
pub trait AuditFile: Send + Sync + 'static {
    /// Opens it to be appended to, made where it is missing, and ends a line that was torn.
    fn open(&self) -> io::Result<()>;
    /// All of a file that was turned over `age` times; nothing where there is none.
    fn read(&self, age: usize) -> io::Result<Option<Vec<u8>>>;
    /// Appends a line in one write: all of it is there afterwards, or nothing.
    fn append(&self, line: &[u8]) -> io::Result<Room>;
    /// Puts the file aside and begins a new one.
    fn turn_over(&self) -> io::Result<()>;
    /// Makes durable what was appended.
    fn sync(&self) -> io::Result<()>;
    /// How many files are kept beside the newest one.
    fn kept_max(&self) -> usize;
}

/// The only writer of the audit log.
pub struct Audit {
    file: Arc<dyn AuditFile>,
    clock: Arc<dyn Clock>,
    /// Held while a line is written, which is where the kernel holds the file, too: lines stand in their order, and a
    /// checkpoint says what the lines before it say.
    written: Mutex<Written>,
    /// The last line that is durable.
    synced: AtomicU64,
    troubles: Repeats,
    /// Decisions since this began: allowed, denied, refused.
    counts: [AtomicU64; 3],
    /// Told of every line: it is not durable yet.
    pub(super) dirty: Notify,
    /// Told of every line: a start would have to read it.
    pub(super) grown: Notify,
}

/// What became of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// A rule allowed them.
    pub allowed: u64,
    /// A rule or the budget denied them.
    pub denied: u64,
    /// They were not understood, or came after their session's end.
    pub refused: u64,
}

fn place_of(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Allowed => 0,
        Verdict::Denied => 1,
        Verdict::Refused => 2,
    }
}

#[derive(Default)]
struct Written {
    is_open: bool,
    seq: u64,
    books: Books,
    /// The last line that a checkpoint knows of.
    checkpoint: u64,
    trouble: Option<String>,
}

impl Audit {
    /// The log in `file`; it is opened with its first use.
    pub fn new(file: Arc<dyn AuditFile>, clock: Arc<dyn Clock>) -> Self {
        Self {
            file,
            clock,
            written: Mutex::default(),
            synced: AtomicU64::new(0),
            troubles: Repeats::default(),
            counts: Default::default(),
            dirty: Notify::new(),
            grown: Notify::new(),
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens it and reads what is in it, if that has not been done.
    fn ready(&self, written: &mut Written) -> Result<(), EffectError> {
        if written.is_open {
            return Ok(());
        }
        let opened = self.file.open().and_then(|()| books::recover(|age| self.file.read(age), self.file.kept_max()));
        let (seq, mut books) = opened.map_err(|error| self.failed(written, &error))?;
        books.give_up_open();
        *written = Written { is_open: true, seq, books, checkpoint: seq, trouble: None };
        self.synced.store(seq, Ordering::Relaxed);
        Ok(())
    }

    /// Writes one line; its number. Blocks.
    ///
    /// # Errors
    /// [`EffectError::Unaudited`]: then nothing of it is in the file, and nothing may happen.
    pub fn enter(&self, entry: Entry<'_>) -> Result<u64, EffectError> {
        let mut written = self.written();
        self.ready(&mut written)?;
        let verdict = match &entry {
            Entry::Decision(decided) => Some(decided.about.verdict),
            _ => None,
        };
        let (seq, room) = self.append(&mut written, entry)?;
        if let Some(verdict) = verdict {
            self.counts[place_of(verdict)].fetch_add(1, Ordering::Relaxed);
        }
        if room == Room::Full {
            self.turn_over(&mut written);
        }
        drop(written);
        self.dirty.notify_one();
        self.grown.notify_one();
        Ok(seq)
    }

    /// What became of calls since this began.
    pub fn counts(&self) -> Counts {
        let count = |verdict| self.counts[place_of(verdict)].load(Ordering::Relaxed);
        Counts { allowed: count(Verdict::Allowed), denied: count(Verdict::Denied), refused: count(Verdict::Refused) }
    }

    fn append(&self, written: &mut Written, entry: Entry<'_>) -> Result<(u64, Room), EffectError> {
        let record = Record { ts: self.clock.now().wall, seq: written.seq + 1, entry };
        let room = self.file.append(&record.line()).map_err(|error| self.failed(written, &error))?;
        written.seq = record.seq;
        written.books.enter(record.seq, &record.entry);
        if written.trouble.take().is_some() {
            self.troubles.over();
        }
        Ok((record.seq, room))
    }

    /// The file that is full goes on to be written where this fails: it is no reason to stop.
    fn turn_over(&self, written: &mut Written) {
        let turned = self.file.turn_over().map_err(|error| self.failed(written, &error));
        if turned.is_ok() && self.write_checkpoint(written).is_err() {
            tracing::warn!(
                "the audit log was turned over without a checkpoint: the next start reads the older file too"
            );
        }
    }

    fn write_checkpoint(&self, written: &mut Written) -> Result<(), EffectError> {
        let entry = written.books.checkpoint();
        let (seq, _room) = self.append(written, entry)?;
        written.checkpoint = seq;
        Ok(())
    }

    fn failed(&self, written: &mut Written, error: &io::Error) -> EffectError {
        let why = error.to_string();
        if let Some(times) = self.troubles.failed() {
            tracing::warn!(%error, times, "the audit log can not be written: effects are refused");
        }
        written.trouble = Some(why.clone());
        EffectError::Unaudited { why }
    }

    /// Says what is used, where something changed since that was said last. Blocks.
    ///
    /// # Errors
    /// [`EffectError::Unaudited`].
    pub fn checkpoint(&self) -> Result<(), EffectError> {
        let mut written = self.written();
        if !written.is_open || written.checkpoint == written.seq {
            return Ok(());
        }
        self.write_checkpoint(&mut written)
    }

    /// Makes durable what was written up to the line `seq`, if it is not. Blocks.
    ///
    /// # Errors
    /// [`EffectError::Unaudited`].
    pub fn sync(&self, seq: u64) -> Result<(), EffectError> {
        if self.synced.load(Ordering::Relaxed) >= seq {
            return Ok(());
        }
        let written = self.last_seq();
        self.file.sync().map_err(|error| self.failed(&mut self.written(), &error))?;
        self.synced.fetch_max(written, Ordering::Relaxed);
        Ok(())
    }

    /// The number of the last line.
    pub fn last_seq(&self) -> u64 {
        self.written().seq
    }

    /// What a peer has used, by the log. Blocks.
    ///
    /// # Errors
    /// [`EffectError::Unaudited`]: what can not be read is not taken for nothing.
    pub fn used(&self, peer: &Personality) -> Result<Usage, EffectError> {
        let mut written = self.written();
        self.ready(&mut written)?;
        Ok(written.books.used(peer.as_str()))
    }

    /// Why it can not be written now.
    pub fn trouble(&self) -> Option<String> {
        self.written().trouble.clone()
    }
}

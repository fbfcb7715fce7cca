//! What the memory needs from the world: its file, and a cache to search in. `src/io/memory` implements both.

pub use super::batch::Batch;
use super::{index::Index, query::Ranked};
use crate::{
    error::FleetError,
    ports::{Answer, BoxFuture},
};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// The index that the actor writes and everybody reads. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<RwLock<Index>>);

impl From<Index> for Shelf {
    fn from(index: Index) -> Self {
        Self(Arc::new(RwLock::new(index)))
    }
}

impl Shelf {
    /// For a short look: whoever waits to write waits for it.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that was opened, locked and read.
#[derive(Debug)]
pub struct Opened {
    /// What it says.
    pub index: Index,
    /// Ends of it that were no whole line, over its life; each lies in a file of its own.
    pub torn: u64,
    /// The end that was moved away just now: where to, and how many bytes.
    pub torn_now: Option<(PathBuf, u64)>,
    /// It had been removed, and was put back from what the descriptor before this one held.
    pub restored: bool,
}

/// Why a write is not in the file, or may not be.
#[derive(Debug)]
pub enum AppendFailed {
    /// Nothing of it is in the file.
    Refused(FleetError),
    /// It may be durable or not. The descriptor is not to be used again: the file must be opened and read anew.
    Indeterminate(FleetError),
    /// The file is not what it was: a stranger wrote, or replaced it. Nothing was written.
    Moved(String),
    /// An append that it stands behind has failed. Nothing was written.
    Behind,
    /// Somebody had removed the file; its bytes are back in its place, as another file. Nothing was written.
    Restored,
}

/// A new content for the file.
#[derive(Debug)]
pub struct Replacement {
    /// The length that the file must have, bytes.
    pub expected: u64,
    /// The whole new content.
    pub kept: Vec<u8>,
    /// The lines that it leaves out.
    pub removed: Vec<u8>,
    /// Keep no copy of them, and remove the earlier ones.
    pub purge: bool,
}

/// `memory.jsonl`.
pub trait MemoryFile: Send + Sync + 'static {
    /// Opens the file (made where it is missing and nothing says that it held items), locks it, mends its end and
    /// reads it. What was open before is closed first.
    fn open(&self) -> Answer<Opened>;
    /// Appends a batch to a file that must have `at` bytes, and makes it durable where that is wanted. Its lines are
    /// taken once the file is free, and a failure is told to the batch before anything else is written. No lines at
    /// all are a look whether the file is in its place.
    fn append(&self, at: u64, batch: Batch, durable: bool) -> BoxFuture<Result<(), AppendFailed>>;
    /// Makes durable what was appended.
    fn sync(&self) -> BoxFuture<Result<(), AppendFailed>>;
    /// Replaces the whole file, atomically and durably; where the lines went that it leaves out.
    fn replace(&self, new: Replacement) -> Answer<Option<PathBuf>>;
    /// Keeps lines that are in the file no more, in a file of their own beside it; where.
    fn keep(&self, lines: Vec<u8>) -> Answer<PathBuf>;
    /// Tells of every removal of the file from now on, until it is dropped; comes back only where that can not be
    /// seen.
    fn removals(&self, _tell: Box<dyn Fn() + Send>) -> Answer<()> {
        Box::pin(std::future::pending())
    }
    /// The bytes that are on disk now.
    fn read(&self) -> Answer<Vec<u8>>;
    /// Lets the file go.
    fn close(&self) -> Answer<()>;
}

/// The cache that is searched. Losing it loses nothing.
pub trait MemorySearch: Send + Sync + 'static {
    /// Brings it up to what the memory holds.
    fn catch_up(&self, shelf: Shelf) -> Answer<()>;
    /// The lines that fit the words best, after catching up; some of them may be forgotten by now.
    fn search(&self, shelf: Shelf, words: String, limit: usize) -> Answer<Vec<Ranked>>;
    /// Removes it: what was purged must not lie there.
    fn discard(&self) -> Answer<()>;
}

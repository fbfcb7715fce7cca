//! Lines on their way to the disk, which may grow until the writer takes them.
//!
//! While the disk makes one batch durable the next one gathers; the writer takes it the moment it is free, without
//! asking the actor, so the disk never waits for the actor's turn. Batches that stand one behind the other share a
//! [`Lane`]: where one fails, none of those behind it is written, whatever the file's length is by then.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Records in one write.
const BATCH_RECORDS_MAX: usize = 16_384;
/// A write is closed once it holds this many bytes.
const BATCH_BYTES_FULL: usize = 8 * 1024 * 1024;

/// Batches of which each rests on the one before it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane(Arc<AtomicBool>);

/// The lines of one write. Clones share them.
#[derive(Debug, Clone)]
pub struct Batch {
    lane: Lane,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug)]
enum Lines {
    Growing { bytes: Vec<u8>, records: usize },
    Taken(Arc<Vec<u8>>),
}

impl Batch {
    /// No lines yet.
    pub(super) fn new(lane: &Lane) -> Self {
        let lines = Lines::Growing { bytes: Vec::new(), records: 0 };
        Self { lane: lane.clone(), lines: Arc::new(Mutex::new(lines)) }
    }

    /// Lines that nothing stands before; for a writer that is tried without the memory.
    pub fn alone(bytes: Vec<u8>) -> Self {
        let batch = Self::new(&Lane::default());
        batch.push(&bytes);
        batch
    }

    /// Adds a record's line; false where the writer has the batch already, or it is full.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        match &mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner) {
            Lines::Growing { bytes, records } if bytes.len() < BATCH_BYTES_FULL && *records < BATCH_RECORDS_MAX => {
                bytes.extend_from_slice(line);
                *records += 1;
                true
            }
            Lines::Growing { .. } | Lines::Taken(_) => false,
        }
    }

    /// The lines, which grow no more; nothing where a batch before this one has failed.
    pub fn take(&self) -> Option<Arc<Vec<u8>>> {
        (!self.lane.0.load(Ordering::Acquire)).then(|| self.close())
    }

    /// Keeps those behind it from being written. To be called before the next one is taken.
    pub fn fail(&self) {
        self.lane.0.store(true, Ordering::Release);
    }

    /// The lines, which grow no more.
    pub(super) fn close(&self) -> Arc<Vec<u8>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Lines::Growing { bytes, .. } = &mut *lines {
            *lines = Lines::Taken(Arc::new(std::mem::take(bytes)));
        }
        match &*lines {
            Lines::Taken(bytes) => Arc::clone(bytes),
            Lines::Growing { .. } => unreachable!("it was taken just now"),
        }
    }
}

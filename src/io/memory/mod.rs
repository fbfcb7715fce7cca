//! `memory.jsonl` on disk: opened, locked, appended to, replaced; and the cache that is searched.
//!
//! ```text
//! memory.jsonl                    the memory; one writer, held by flock
//! memory.jsonl.torn-<ms>          an end that was no whole line
//! memory.jsonl.<ms>.bak           lines that a compaction left out
//! memory-index.sqlite             the cache: see fts.rs
//! ```
//!
//! The descriptor is the memory: the lock, the length and the bytes hang on it, whatever becomes of the name. Before
//! each write it is held against the name.

mod append;
mod fts;
mod open;
mod read;
mod replace;
mod restore;
mod traces;
mod watch;

pub use fts::FtsCache;
pub use read::{read_bytes, read_unlocked};
pub use traces::torn_count;

use super::{blocking, lock, witness::clock, worker::Worker};
use append::Lost;
use coalmine_actors::{
    error::FleetError,
    memory::port::{AppendFailed, Batch, MemoryFile, Opened, Replacement},
    ports::{Answer, BoxFuture},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Writes that may wait. The memory has two batches and one sync under way at most; a restarted actor may find
/// those of the one before it.
const WAITING_MAX: usize = 8;

/// How the file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// How long a lock that another process holds is waited for.
    pub patience: Duration,
    /// Write also where locks exclude nobody.
    pub allow_unlocked: bool,
    /// Begin anew where traces of a lost file are found.
    pub begin_anew: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { patience: lock::LINGER, allow_unlocked: false, begin_anew: false }
    }
}

/// The adapter of the port [`MemoryFile`] for one path.
#[derive(Debug)]
pub struct MemoryJsonl {
    shared: Arc<Shared>,
    writer: Worker,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// The cache beside it, asked what a missing file held.
    cache: PathBuf,
    options: OpenOptions,
    /// Held while the file is worked on: what a dead actor left behind ends before the next actor opens.
    held: Mutex<Held>,
}

/// The descriptor, and what hangs on it.
#[derive(Debug, Default)]
struct Held {
    file: Option<File>,
    /// What was open before, unlocked, until the next one is open: where the file is removed meanwhile, its bytes
    /// are nowhere else.
    former: Option<File>,
    /// A file that was replaced by a compaction; its lock outlives it a little, for a stranger that has opened the
    /// old file and not yet asked for its lock.
    replaced: Option<(File, u64)>, // since, milliseconds since boot
}

impl MemoryJsonl {
    /// The memory at `path`, which need not exist; its folder must. `cache` is the cache beside it.
    pub fn new(path: PathBuf, cache: PathBuf, options: OpenOptions) -> Self {
        let shared = Shared { path, cache, options, held: Mutex::default() };
        Self { shared: Arc::new(shared), writer: Worker::new("memory-writer", WAITING_MAX) }
    }

    fn write(
        &self,
        work: impl FnOnce(&mut Held, &Path) -> Result<(), AppendFailed> + Send + 'static,
    ) -> BoxFuture<Result<(), AppendFailed>> {
        let shared = Arc::clone(&self.shared);
        let begun = self.writer.run(move || {
            let mut held = shared.held();
            held.let_go_of_replaced();
            work(&mut held, &shared.path)
        });
        let begun = begun.map_err(|source| Lost::Refused(source).told(&self.shared.path));
        Box::pin(async move {
            let panicked = || FleetError::Internal("the memory's writer panicked".into());
            begun?.await.unwrap_or_else(|_lost| Err(AppendFailed::Indeterminate(panicked())))
        })
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Works on the file, and sets it down where nobody knows what is in it.
    fn write(&mut self, path: &Path, work: impl FnOnce(&File) -> Result<(), Lost>) -> Result<(), AppendFailed> {
        let Some(file) = &self.file else { return Err(AppendFailed::Moved("it is not open".into())) };
        let result = work(file);
        if matches!(result, Err(Lost::Indeterminate(_))) {
            // Asked again, the kernel would say that all is well.
            self.set_down();
        }
        result.map_err(|lost| lost.told(path))
    }

    /// Writes to the file no more.
    fn set_down(&mut self) {
        if let Some(file) = self.file.take() {
            // One that can not be unlocked would keep our own next descriptor out.
            self.former = lock::unlock(&file).ok().map(|()| file);
        }
        self.replaced = None;
    }

    fn let_go_of_replaced(&mut self) {
        self.replaced.take_if(|(_, since_ms)| clock::boot_ms() >= *since_ms + replace::OLD_LOCK_KEPT_MS);
    }
}

impl MemoryFile for MemoryJsonl {
    fn open(&self) -> Answer<Opened> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let mut held = shared.held();
            held.set_down();
            let (file, opened) = open::open(&shared.path, &shared.cache, shared.options, held.former.as_ref())?;
            *held = Held { file: Some(file), ..Held::default() };
            Ok(opened)
        })
    }

    fn append(&self, at: u64, batch: Batch, durable: bool) -> BoxFuture<Result<(), AppendFailed>> {
        self.write(move |held, path| {
            let lines = batch.take().ok_or(AppendFailed::Behind)?;
            let appended = held.write(path, |file| append::append(path, file, at, &lines, durable));
            // Told before the next one is taken: those behind it are not to be written.
            appended.inspect_err(|_| batch.fail())
        })
    }

    fn sync(&self) -> BoxFuture<Result<(), AppendFailed>> {
        self.write(|held, path| held.write(path, |file| file.sync_data().map_err(Lost::Indeterminate)))
    }

    fn replace(&self, new: Replacement) -> Answer<Option<PathBuf>> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let mut held = shared.held();
            let Some(file) = &held.file else { return Err(not_open()) };
            let (file, backup) = replace::replace(&shared.path, file, &new)?;
            let old = held.file.replace(file);
            held.replaced = old.map(|old| (old, clock::boot_ms()));
            Ok(backup)
        })
    }

    fn keep(&self, lines: Vec<u8>) -> Answer<PathBuf> {
        let path = self.shared.path.clone();
        blocking::answer(move || replace::keep(&path, &lines))
    }

    fn read(&self) -> Answer<Vec<u8>> {
        let path = self.shared.path.clone();
        blocking::answer(move || read::read_bytes(&path))
    }

    fn removals(&self, tell: Box<dyn Fn() + Send>) -> Answer<()> {
        Box::pin(watch::removals(self.shared.path.clone(), tell))
    }

    fn close(&self) -> Answer<()> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let mut held = shared.held();
            let Held { file, former, .. } = std::mem::take(&mut *held);
            let synced = file.as_ref().map_or(Ok(()), File::sync_data);
            let last = file.as_ref().or(former.as_ref());
            let there = last.map_or(Ok(()), |file| restore::if_removed(&shared.path, file));
            synced.and(there).map_err(|source| FleetError::io("sync", &shared.path, source))
        })
    }
}

fn not_open() -> FleetError {
    FleetError::Unavailable { store: "memory", why: "it is not open".into() }
}

/// The file's name with something behind it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Milliseconds since the epoch, for the names of files that are put aside.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;

//! A memory file in memory that can refuse, hang, and be written to by strangers.

use crate::{
    error::FleetError,
    memory::{
        index::Index,
        port::{AppendFailed, Batch, MemoryFile, Opened, Replacement},
    },
    ports::{Answer, BoxFuture},
};
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// The fake of [`MemoryFile`]. Clones share it.
#[derive(Clone)]
pub struct FakeMemoryFile {
    inner: Arc<Mutex<Inner>>,
    /// One append at a time, in their order.
    disk: Arc<tokio::sync::Mutex<()>>,
    /// While set, the append that has the disk does not come back.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    bytes: Vec<u8>,
    appends: usize,
    opens: usize,
    syncs: usize,
    refuse_open: Option<FleetError>,
    fates: VecDeque<AppendFailed>,
    panic: bool,
}

impl Inner {
    fn append(&mut self, at: u64, lines: &[u8]) -> Result<(), AppendFailed> {
        self.appends += 1;
        if let Some(failed) = self.fates.pop_front() {
            return Err(failed);
        }
        if self.bytes.len() as u64 != at {
            return Err(AppendFailed::Moved("another length".into()));
        }
        self.bytes.extend_from_slice(lines);
        Ok(())
    }
}

impl FakeMemoryFile {
    /// An empty file.
    #[allow(clippy::new_without_default, reason = "symmetry with the other fakes")]
    pub fn new() -> Self {
        Self { inner: Arc::default(), disk: Arc::default(), held: watch::Sender::new(false) }
    }

    /// The next append ends like this, and nothing is written.
    pub fn fail_append(&self, failed: AppendFailed) {
        self.lock().fates.push_back(failed);
    }

    /// Every opening fails, or succeeds again.
    pub fn refuse_open(&self, error: Option<FleetError>) {
        self.lock().refuse_open = error;
    }

    /// The next append panics in the actor that asks for it.
    pub fn panic(&self) {
        self.lock().panic = true;
    }

    /// Keeps appends at the disk until [`FakeMemoryFile::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets appends land.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Writes past the lock.
    pub fn write_foreign(&self, line: &str) {
        self.lock().bytes.extend_from_slice(line.as_bytes());
    }

    /// How many appends, openings and syncs there were.
    pub fn counts(&self) -> (usize, usize, usize) {
        let inner = self.lock();
        (inner.appends, inner.opens, inner.syncs)
    }

    /// What the file holds.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the lock")
    }
}

impl MemoryFile for FakeMemoryFile {
    fn open(&self) -> Answer<Opened> {
        let fake = self.clone();
        Box::pin(async move {
            let mut inner = fake.lock();
            inner.opens += 1;
            match &inner.refuse_open {
                Some(error) => Err(error.clone()),
                None => {
                    Ok(Opened { index: Index::load(inner.bytes.clone()), torn: 0, torn_now: None, restored: false })
                }
            }
        })
    }

    fn append(&self, at: u64, batch: Batch, _durable: bool) -> BoxFuture<Result<(), AppendFailed>> {
        let panics = std::mem::take(&mut self.lock().panic);
        assert!(!panics, "as ordered: append panics");
        let fake = self.clone();
        Box::pin(async move {
            let _one_after_another = fake.disk.lock().await;
            let lines = batch.take().ok_or(AppendFailed::Behind)?;
            let mut held = fake.held.subscribe();
            held.wait_for(|&held| !held).await.expect("the sender is in `fake`");
            let appended = fake.lock().append(at, &lines);
            if appended.is_err() {
                batch.fail();
            }
            appended
        })
    }

    fn sync(&self) -> BoxFuture<Result<(), AppendFailed>> {
        let fake = self.clone();
        Box::pin(async move {
            fake.lock().syncs += 1;
            Ok(())
        })
    }

    fn replace(&self, new: Replacement) -> Answer<Option<PathBuf>> {
        let fake = self.clone();
        Box::pin(async move {
            let mut inner = fake.lock();
            if inner.bytes.len() as u64 != new.expected {
                return Err(FleetError::io("replace", "/fake/memory.jsonl", io::Error::other("another length")));
            }
            inner.bytes = new.kept;
            Ok(None)
        })
    }

    fn keep(&self, _lines: Vec<u8>) -> Answer<PathBuf> {
        Box::pin(async { Ok("/fake/memory.jsonl.1.bak".into()) })
    }

    fn read(&self) -> Answer<Vec<u8>> {
        let fake = self.clone();
        Box::pin(async move { Ok(fake.lock().bytes.clone()) })
    }

    fn close(&self) -> Answer<()> {
        Box::pin(async { Ok(()) })
    }
}

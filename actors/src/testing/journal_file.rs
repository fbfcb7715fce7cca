//! A journal in memory that can refuse, hang, and be written to by strangers.

use crate::{
    error::FleetError,
    ports::{Answer, ForeignLines, JournalFile},
};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::{mpsc, watch};

/// The fake of [`JournalFile`]. Clones share it.
#[derive(Clone)]
pub struct FakeJournalFile {
    inner: Arc<Mutex<Inner>>,
    /// While set, appends stay in the air.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    appends: usize,
    syncs: usize,
    refuses: Option<io::ErrorKind>,
    opened_at: u64,
    imported: Vec<u64>,
    strangers: Option<mpsc::Sender<ForeignLines>>,
    /// Written while nobody looked.
    unread: Vec<ForeignLines>,
}

impl FakeJournalFile {
    /// An empty journal.
    #[allow(clippy::new_without_default, reason = "symmetry with the other fakes")]
    pub fn new() -> Self {
        Self::with_last_seq(0)
    }

    /// A journal that already holds events up to `seq`.
    pub fn with_last_seq(seq: u64) -> Self {
        let inner = Inner { opened_at: seq, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), held: watch::Sender::new(false) }
    }

    /// Makes every operation fail with `kind`, or succeed again.
    pub fn refuse(&self, kind: Option<io::ErrorKind>) {
        self.lock().refuses = kind;
    }

    /// Keeps appends in the air until [`FakeJournalFile::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets appends land.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// The lines in the file.
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// How many appends were tried.
    pub fn appends(&self) -> usize {
        self.lock().appends
    }

    /// How often the file was made durable.
    pub fn syncs(&self) -> usize {
        self.lock().syncs
    }

    /// The offsets that were noted as imported.
    pub fn imported(&self) -> Vec<u64> {
        self.lock().imported.clone()
    }

    /// Writes into exits.log, as canaries and hooks do.
    pub fn write_foreign(&self, lines: &[&str], up_to: u64) {
        let chunk = ForeignLines { lines: lines.iter().map(|&line| line.to_owned()).collect(), up_to };
        let mut inner = self.lock();
        match inner.strangers.clone() {
            Some(strangers) => strangers.try_send(chunk).expect("fewer chunks than the channel holds"),
            None => inner.unread.push(chunk),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the lock")
    }
}

impl Inner {
    fn check(&self, op: &'static str) -> Result<(), FleetError> {
        self.refuses.map_or(Ok(()), |kind| Err(FleetError::io(op, "/fake/lifecycle.log", kind.into())))
    }
}

impl JournalFile for FakeJournalFile {
    fn open(&self) -> Answer<u64> {
        let fake = self.clone();
        Box::pin(async move {
            let inner = fake.lock();
            inner.check("read").map(|()| inner.opened_at + inner.lines.len() as u64)
        })
    }

    fn append(&self, lines: String) -> Answer<()> {
        let fake = self.clone();
        Box::pin(async move {
            let mut held = fake.held.subscribe();
            held.wait_for(|&held| !held).await.expect("the sender is in `fake`");
            let mut inner = fake.lock();
            inner.appends += 1;
            inner.check("append to")?;
            inner.lines.extend(lines.lines().map(ToOwned::to_owned));
            Ok(())
        })
    }

    fn sync(&self) -> Answer<()> {
        let fake = self.clone();
        Box::pin(async move {
            let mut inner = fake.lock();
            inner.syncs += 1;
            inner.check("sync")
        })
    }

    fn foreign_lines(&self) -> mpsc::Receiver<ForeignLines> {
        let (strangers, receiver) = mpsc::channel(64);
        let mut inner = self.lock();
        for chunk in std::mem::take(&mut inner.unread) {
            strangers.try_send(chunk).expect("fewer chunks than the channel holds");
        }
        inner.strangers = Some(strangers);
        receiver
    }

    fn imported(&self, up_to: u64) -> Answer<()> {
        let fake = self.clone();
        Box::pin(async move {
            fake.lock().imported.push(up_to);
            Ok(())
        })
    }
}

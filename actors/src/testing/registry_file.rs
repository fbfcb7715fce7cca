//! A registry file in memory that can refuse and hang.

use crate::{
    error::FleetError,
    ports::{Answer, RegistryFile},
    registry::document::Document,
};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// The fake of [`RegistryFile`]. Clones share it.
#[derive(Clone)]
pub struct FakeRegistryFile {
    inner: Arc<Mutex<Inner>>,
    /// While set, saves stay in the air.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    document: Document,
    saves: usize,
    refuses: Option<io::ErrorKind>,
    /// The save that is refused, by its number.
    refuses_save: Option<usize>,
}

impl FakeRegistryFile {
    /// A file that holds `document`.
    pub fn new(document: Document) -> Self {
        let inner = Inner { document, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), held: watch::Sender::new(false) }
    }

    /// Makes every operation fail with `kind`, or succeed again.
    pub fn refuse(&self, kind: Option<io::ErrorKind>) {
        self.lock().refuses = kind;
    }

    /// Makes the save of this number, from 1, meet a full disk.
    pub fn refuse_save(&self, number: usize) {
        self.lock().refuses_save = Some(number);
    }

    /// Keeps saves in the air until [`FakeRegistryFile::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets saves land.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// What the file holds.
    pub fn document(&self) -> Document {
        self.lock().document.clone()
    }

    /// How many saves were tried.
    pub fn saves(&self) -> usize {
        self.lock().saves
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the lock")
    }
}

impl Inner {
    fn check(&self, op: &'static str) -> Result<(), FleetError> {
        self.refuses.map_or(Ok(()), |kind| Err(FleetError::io(op, "/fake/fleet.json", kind.into())))
    }
}

impl RegistryFile for FakeRegistryFile {
    fn load(&self) -> Answer<Document> {
        let fake = self.clone();
        Box::pin(async move {
            let inner = fake.lock();
            inner.check("read").map(|()| inner.document.clone())
        })
    }

    fn save(&self, document: Document) -> Answer<()> {
        let fake = self.clone();
        Box::pin(async move {
            let mut held = fake.held.subscribe();
            held.wait_for(|&held| !held).await.expect("the sender is in `fake`");
            let mut inner = fake.lock();
            inner.saves += 1;
            inner.check("write")?;
            if inner.refuses_save == Some(inner.saves) {
                return Err(FleetError::io("write", "/fake/fleet.json", io::ErrorKind::StorageFull.into()));
            }
            inner.document = document;
            Ok(())
        })
    }
}

//! `peers/<identity>/` in memory.

use super::{FakeRegistryFile, Op, Script};
use crate::{
    names::Identity,
    peer::file::PeerFile,
    ports::{Answer, PeerStore},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// The fake of [`PeerStore`]. Clones share it.
#[derive(Clone)]
pub struct FakePeerStore {
    pub(super) script: Script,
    /// Names the generations of what was removed.
    registry: FakeRegistryFile,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    files: HashMap<Identity, PeerFile>,
    /// What this store was given last, also where the file is gone.
    revisions: HashMap<Identity, u64>,
}

impl FakePeerStore {
    pub(super) fn new(script: Script, registry: FakeRegistryFile) -> Self {
        Self { script, registry, inner: Arc::default() }
    }

    /// What is on disk.
    pub fn file(&self, identity: &Identity) -> Option<PeerFile> {
        self.lock().files.get(identity).cloned()
    }

    /// Puts a file there, as an earlier daemon would have.
    pub fn put(&self, identity: &Identity, file: PeerFile) {
        self.lock().files.insert(identity.clone(), PeerFile { revision: 0, ..file });
    }

    pub(super) fn write(&self, identity: &Identity, file: PeerFile) {
        let mut inner = self.lock();
        let revision = inner.revisions.entry(identity.clone()).or_default();
        if file.revision > *revision {
            *revision = file.revision;
            inner.files.insert(identity.clone(), file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics while holding the lock")
    }
}

impl PeerStore for FakePeerStore {
    fn load(&self, identity: &Identity) -> Answer<PeerFile> {
        let (store, identity) = (self.clone(), identity.clone());
        let call = self.script.call(Op::Load, format!("load {identity}"));
        Box::pin(async move {
            call.await?;
            let inner = store.lock();
            let missing = || {
                let highest = store.registry.document().retired.get(&identity).copied().unwrap_or_default();
                PeerFile { highest, ..PeerFile::default() }
            };
            let file = inner.files.get(&identity).cloned().unwrap_or_else(missing);
            Ok(PeerFile { revision: inner.revisions.get(&identity).copied().unwrap_or_default(), ..file })
        })
    }

    fn save(&self, identity: &Identity, file: PeerFile) -> Answer<()> {
        let (store, identity) = (self.clone(), identity.clone());
        let call = self.script.call(Op::Save, format!("save {identity} r{}", file.revision));
        Box::pin(async move {
            call.await?;
            store.write(&identity, file);
            Ok(())
        })
    }

    fn purge(&self, identity: &Identity) -> Answer<()> {
        let (store, identity) = (self.clone(), identity.clone());
        let call = self.script.call(Op::Purge, format!("purge {identity}"));
        Box::pin(async move {
            call.await?;
            store.lock().files.remove(&identity);
            Ok(())
        })
    }
}

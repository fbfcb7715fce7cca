//! A store that is gone with the process.

use bytes::{Bytes, BytesMut};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentStore, Meta,
        store::{
            ByteRange, CHUNK_BYTES, CHUNKS_AHEAD, Expect, Lent, PAGE_MAX, Page, Reading, Sealed, Staging, Terms, Tidied,
        },
        tier::Persistence,
    },
    error::FleetError,
    ports::{Answer, Clock},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// The ephemeral [`AttachmentStore`]. Clones share it.
#[derive(Clone)]
pub struct InMemory {
    blobs: Arc<Mutex<BTreeMap<AttachmentId, (Meta, Bytes)>>>,
    terms: Terms,
}

impl InMemory {
    /// An empty one, for attachments of at most so many bytes.
    pub fn new(clock: Arc<dyn Clock>, bytes_max: u64) -> Self {
        Self { blobs: Arc::default(), terms: Terms { persistence: Persistence::Ephemeral, bytes_max, clock } }
    }

    fn blobs(&self) -> MutexGuard<'_, BTreeMap<AttachmentId, (Meta, Bytes)>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: AttachmentId) -> Result<(Meta, Bytes), FleetError> {
        self.blobs().get(&id).cloned().ok_or_else(|| AttachmentError::NotFound(id).into())
    }
}

impl AttachmentStore for InMemory {
    fn begin(&self, _expect: Expect) -> Answer<Box<dyn Staging>> {
        let heap = Heap { store: self.clone(), bytes: BytesMut::new(), sealed: None };
        Box::pin(async move { Ok(Box::new(heap) as Box<dyn Staging>) })
    }

    fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Answer<Reading> {
        let found = self.find(id);
        Box::pin(async move {
            let (meta, bytes) = found?;
            let all = ByteRange::all(meta.byte_len);
            let range = range.map_or(Ok(all), |range| range.within(meta.byte_len))?;
            let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            let mut part = bytes.slice(index(range.start)..index(range.end));
            let (send, chunks) = mpsc::channel(CHUNKS_AHEAD);
            tokio::spawn(async move {
                while !part.is_empty() {
                    let chunk = part.split_to(part.len().min(CHUNK_BYTES));
                    if send.send(Ok(chunk)).await.is_err() {
                        break; // nobody reads any more
                    }
                }
            });
            Ok(Reading::new(meta, range, chunks))
        })
    }

    fn stat(&self, id: AttachmentId) -> Answer<Meta> {
        let found = self.find(id);
        Box::pin(async move { Ok(found?.0) })
    }

    fn delete(&self, id: AttachmentId) -> Answer<bool> {
        let removed = self.blobs().remove(&id).is_some();
        Box::pin(async move { Ok(removed) })
    }

    fn list(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut items: Vec<_> = {
            let blobs = self.blobs();
            let behind = blobs.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
            behind.take(limit + 1).map(|(_, (meta, _))| meta.clone()).collect()
        };
        let more = items.len() > limit;
        items.truncate(limit);
        Box::pin(async move { Ok(Page { next: items.last().map(|meta| meta.id).filter(|_| more), items }) })
    }

    fn tidy(&self, _before_ms: i64, _remove: bool) -> Answer<Tidied> {
        Box::pin(async { Ok(Tidied::default()) })
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// Bytes on their way in.
struct Heap {
    store: InMemory,
    bytes: BytesMut,
    sealed: Option<(Meta, Bytes)>,
}

impl Staging for Heap {
    fn write(&mut self, chunk: Bytes) -> Lent<'_, ()> {
        self.bytes.extend_from_slice(&chunk);
        Box::pin(async { Ok(()) })
    }

    fn seal(&mut self) -> Lent<'_, Sealed> {
        let sealed = Sealed { id: AttachmentId::of(&self.bytes), byte_len: self.bytes.len() as u64 };
        Box::pin(async move { Ok(sealed) })
    }

    fn settle(&mut self, meta: Meta) -> Lent<'_, ()> {
        self.sealed = Some((meta, self.bytes.split().freeze()));
        Box::pin(async { Ok(()) })
    }

    fn publish(self: Box<Self>) -> Answer<()> {
        Box::pin(async move {
            if let Some((meta, bytes)) = self.sealed {
                self.store.blobs().entry(meta.id).or_insert((meta, bytes));
            }
            Ok(())
        })
    }
}

//! The embedded default: a file a blob, named by its id, durable when a put returns.
//!
//! `staging.rs` writes, `group.rs` syncs folders for many at once, `read.rs` reads and checks, `walk.rs` lists and
//! tidies, `folders.rs` is every name and every descriptor.

mod active;
mod folders;
mod group;
mod read;
mod record;
mod staging;
mod walk;

use crate::io::{
    blocking,
    fault::{FaultPoint, reached},
};
use active::Active;
use coalmine_actors::{
    attachments::{
        AttachmentId, AttachmentStore, Meta,
        store::{ByteRange, Expect, Page, Reading, Staging, Terms, Tidied},
        tier::Persistence,
    },
    error::FleetError,
    ports::{Answer, Clock},
};
use folders::Folders;
use group::Group;
use staging::DiskStaging;
use std::{io, path::Path, sync::Arc};

/// The durable [`AttachmentStore`] in a folder. Clones share it; one process at a time may use a folder.
#[derive(Clone)]
pub struct Disk {
    inner: Arc<Inner>,
    terms: Terms,
}

#[derive(Debug)]
struct Inner {
    folders: Folders,
    group: Group,
    active: Active,
}

impl Inner {
    fn io(&self, op: &'static str, source: io::Error) -> FleetError {
        FleetError::io(op, self.folders.root().join("staging"), source)
    }
}

impl Disk {
    /// The store in this folder, made where it is missing, for attachments of at most so many bytes. Blocks.
    ///
    /// # Errors
    /// The folder can not be made, or is not private.
    pub fn open(root: &Path, clock: Arc<dyn Clock>, bytes_max: u64) -> Result<Self, FleetError> {
        let inner = Inner { folders: Folders::open(root)?, group: Group::default(), active: Active::default() };
        let terms = Terms { persistence: Persistence::Durable, bytes_max, clock };
        Ok(Self { inner: Arc::new(inner), terms })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>) -> Result<T, FleetError> + Send + 'static,
    ) -> Answer<T> {
        let inner = Arc::clone(&self.inner);
        blocking::answer(move || work(&inner))
    }
}

impl AttachmentStore for Disk {
    fn begin(&self, expect: Expect) -> Answer<Box<dyn Staging>> {
        let staging = DiskStaging::new(Arc::clone(&self.inner), expect);
        Box::pin(async move { Ok(Box::new(staging) as Box<dyn Staging>) })
    }

    fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Answer<Reading> {
        self.run(move |inner| read::open(inner, id, range))
    }

    fn stat(&self, id: AttachmentId) -> Answer<Meta> {
        self.run(move |inner| inner.find(id).map(|(_, meta)| meta))
    }

    fn delete(&self, id: AttachmentId) -> Answer<bool> {
        self.run(move |inner| {
            delete(inner, id).map_err(|error| FleetError::io("remove", inner.folders.path(id), error))
        })
    }

    fn list(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        self.run(move |inner| walk::list(inner, after, limit))
    }

    fn tidy(&self, before_ms: i64, remove: bool) -> Answer<Tidied> {
        self.run(move |inner| walk::tidy(inner, before_ms, remove))
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// The bytes first: what is described and not there is not there.
fn delete(inner: &Inner, id: AttachmentId) -> io::Result<bool> {
    let existed = inner.folders.remove(id, &id.to_string())?;
    reached(FaultPoint::AttachmentUnlinked);
    inner.folders.remove(id, &record::name(id))?;
    inner.group.sync(&inner.folders, folders::shard_of(id))?;
    reached(FaultPoint::AttachmentRemoved);
    Ok(existed)
}

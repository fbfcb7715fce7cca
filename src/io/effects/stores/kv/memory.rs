//! A store's bytes in memory, with their length in sight of whoever limits it.

use redb::{StorageBackend, backends::InMemoryBackend};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// redb's own, and how long it is. Nobody else can have it open: it needs none of the locks of files.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bytes: InMemoryBackend,
    len: Arc<AtomicU64>,
}

impl Memory {
    /// Its length, also later on.
    pub(super) fn len(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.len)
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.set_len(len)?;
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes.write(offset, data)
    }
}

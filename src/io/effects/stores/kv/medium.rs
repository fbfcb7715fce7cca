//! Where a store's bytes are, with their length in sight of whoever limits it.

use redb::StorageBackend;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A backend of redb that says how long it is.
#[derive(Debug)]
pub(super) struct Medium<B> {
    bytes: B,
    len: Arc<AtomicU64>,
}

impl<B: StorageBackend> Medium<B> {
    /// Around `bytes`; and its length, from now on.
    pub(super) fn new(bytes: B) -> io::Result<(Self, Arc<AtomicU64>)> {
        let len = Arc::new(AtomicU64::new(bytes.len()?));
        Ok((Self { bytes, len: Arc::clone(&len) }, len))
    }
}

impl<B: StorageBackend> StorageBackend for Medium<B> {
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

    fn close(&self) -> io::Result<()> {
        self.bytes.close()
    }
}

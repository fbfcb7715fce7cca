//! The room for what waits to be written: so many records, so many bytes, and then no more. Mailboxes have no bound
//! of their own.

use crate::error::FleetError;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Records that may wait.
pub(super) const WAITING_RECORDS_MAX: usize = 100_000;
/// Bytes that may wait.
pub(super) const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    records: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            records: Arc::new(Semaphore::new(WAITING_RECORDS_MAX)),
            bytes: Arc::new(Semaphore::new(WAITING_BYTES_MAX)),
        }
    }
}

impl Room {
    /// Room for one record of this many bytes, given back when it is dropped; or a refusal at once.
    pub(super) fn take(&self, bytes: usize) -> Result<[OwnedSemaphorePermit; 2], FleetError> {
        let busy = |what: &str| FleetError::Busy { what: format!("{what} wait to be remembered") };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let records = Arc::clone(&self.records).try_acquire_owned();
        let records = records.map_err(|_full| busy(&format!("{WAITING_RECORDS_MAX} records")))?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(bytes);
        let bytes = bytes.map_err(|_full| busy(&format!("{WAITING_BYTES_MAX} bytes")))?;
        Ok([records, bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused_at_once_and_room_comes_back() {
        let room = Room::default();
        let large = room.take(WAITING_BYTES_MAX).unwrap();
        assert!(matches!(room.take(1), Err(FleetError::Busy { .. })));
        drop(large);
        let many: Vec<_> = (0..WAITING_RECORDS_MAX).map(|_| room.take(1).unwrap()).collect();
        assert!(matches!(room.take(1), Err(FleetError::Busy { .. })));
        drop(many);
        assert!(room.take(1).is_ok());
    }
}

//! What can be asked of the memory's actor, and what its own tasks report to it. Reads never come here: they look at
//! the shelf.

use super::{
    compact::{CompactOptions, Compacted},
    index::Index,
    ledger::{Ask, Done},
    port::{AppendFailed, Opened},
};
use crate::error::FleetError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A message to the memory.
#[derive(Debug)]
pub(super) enum MemoryMsg {
    /// Write this.
    Ask(Ask, Waiting),
    /// Write the file anew without what is forgotten.
    Compact(CompactOptions, oneshot::Sender<Result<Compacted, FleetError>>),
    /// Write what waits, then let the file go.
    Close(oneshot::Sender<()>),
    /// The file was opened, or not.
    Opened(Result<Opened, FleetError>),
    /// The batch of this number was appended, or not.
    Landed(u64, Result<(), AppendFailed>),
    /// What was written was made durable, or not.
    Synced(Result<(), AppendFailed>),
    /// The compaction is over; the new index where there is a new file.
    Compacted(Result<(Compacted, Option<Index>), FleetError>),
    /// Somebody has removed the file, or did a moment ago.
    Removed,
    /// The wait after a failure is over.
    Retry,
    /// The wait for the next sync is over.
    SyncDue,
    /// The file is let go.
    Closed,
}

/// Who waits for a record.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) reply: oneshot::Sender<Result<Done, FleetError>>,
    /// The room that it takes until it is answered: see `room.rs`.
    pub(super) _room: [OwnedSemaphorePermit; 2],
}

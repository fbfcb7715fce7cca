//! What can be asked of the journal, and what its own tasks report to it.

use super::event::Draft;
use crate::{
    error::FleetError,
    ports::{ForeignLines, Moment},
};
use ractor::RpcReplyPort;
use tokio::sync::oneshot;

/// A message to the journal.
#[derive(Debug)]
pub(super) enum JournalMsg {
    /// Note this; it happened then.
    Record(Draft, Moment),
    /// Lines of exits.log; the sender hands in the next ones once it hears back.
    Import(ForeignLines, oneshot::Sender<()>),
    /// Answer once everything that came before is in the file and durable.
    Flush(RpcReplyPort<()>),
    /// The file was opened, and this is its last place.
    Opened(Result<u64, FleetError>),
    /// The batch in the air was appended, or not.
    Written(Result<(), FleetError>),
    /// The wait after a failure is over.
    Retry,
    /// The wait for the next sync is over.
    SyncDue,
}

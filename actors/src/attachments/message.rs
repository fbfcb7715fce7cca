//! What can be asked of the attachments' actor, and what its own tasks report to it. Bytes never come here.

use super::{
    change::Changed,
    desk::{Input, Swept},
};
use crate::error::FleetError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A message to the attachments' actor.
#[derive(Debug)]
pub(super) enum AttachmentsMsg {
    /// Something for the desk.
    Desk(Input<Waiting, SweepReply>),
    /// The time for a sweep has come.
    SweepDue,
}

/// The way back to whoever sweeps.
pub(super) type SweepReply = oneshot::Sender<Result<Swept, FleetError>>;

/// Who waits for a change.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) reply: oneshot::Sender<Result<Changed, FleetError>>,
    /// The place that it takes until it is answered: mailboxes have no bound of their own.
    pub(super) _place: OwnedSemaphorePermit,
}

//! What can be asked of the mailroom's actor, and what its own tasks report to it.

use super::{desk::Input, id::MessageId, progress::Record, store::Changed};
use crate::{error::FleetError, names::Identity};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A message to the mailroom's actor.
#[derive(Debug)]
pub(super) enum MailMsg {
    /// Something for the desk.
    Desk(Input<Waiting>),
    /// The store could not be read: try again.
    Load,
    /// A message's time is over.
    Expired(MessageId),
    /// The courier with this message is back.
    Back(Identity, MessageId),
    /// An earlier mailroom, or daemon, left these submitted.
    Submitted(Vec<Record>),
    /// What was kept long enough is to go.
    SweepDue,
}

/// Who waits for a change.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Nothing where nobody does.
    pub(super) reply: Option<oneshot::Sender<Result<Changed, FleetError>>>,
    /// The place that it takes until it is answered: mailboxes have no bound of their own.
    pub(super) _place: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    /// Nobody.
    pub(super) fn nobody() -> Self {
        Self { reply: None, _place: None }
    }
}

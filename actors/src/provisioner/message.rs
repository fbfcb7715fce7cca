//! What can be asked of the provisioner's actor, and what its own visits report to it. Who looks at the slot or at a
//! sweep does not come here.

use super::{
    errand::Subject,
    occasion::{Direction, Occasion},
    outcome::RuntimeReport,
    schedule::Ticket,
    slot::Slot,
};
use crate::{error::FleetError, names::Personality};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A message to the provisioner.
#[derive(Debug)]
pub(super) enum ProvisionerMsg {
    /// Visit a peer: somebody waits for it with a birth or a removal.
    Run(Subject, Occasion, Joint),
    /// Visit all of these.
    Sweep(SweepRequest, oneshot::Sender<Result<u64, FleetError>>),
    /// Call a sweep off.
    Cancel(u64),
    /// Visit so many at once from now on.
    Parallel(usize),
    /// End what runs and begin nothing more; answer when nothing runs.
    Close(oneshot::Sender<()>),
    /// A visit is over.
    Ended(Ticket, Vec<RuntimeReport>),
}

/// Who waits for a visit.
#[derive(Debug)]
pub(super) struct Joint {
    pub(super) reply: oneshot::Sender<Vec<RuntimeReport>>,
    /// The room that it takes until it is answered.
    pub(super) _room: OwnedSemaphorePermit,
}

/// A sweep that the slot does not refuse.
#[derive(Debug)]
pub(super) struct SweepRequest {
    pub(super) direction: Direction,
    /// The one peer that it is about; nothing for all.
    pub(super) peer: Option<Personality>,
    pub(super) subjects: Vec<Subject>,
    /// As it was when the sweep was asked for: all of it goes by one declaration.
    pub(super) slot: Arc<Slot>,
}

impl SweepRequest {
    pub(super) fn occasion(&self) -> Occasion {
        match (self.direction, &self.peer) {
            (Direction::On, _) => Occasion::SweepOn,
            (Direction::Off, Some(_)) => Occasion::OffPeer,
            (Direction::Off, None) => Occasion::OffAll,
        }
    }
}

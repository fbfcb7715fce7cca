//! What the root of the tree can be asked.

use super::request::Removed;
use crate::{
    error::FleetError,
    names::Personality,
    provisioner::outcome::RuntimeReport,
    registry::{changes::Changes, document::PeerSpec},
};
use ractor::RpcReplyPort;

/// What the root of the tree can be asked.
pub enum FleetMsg {
    /// Answer once the registry was read and every peer has its actor.
    Booted(RpcReplyPort<Result<(), FleetError>>),
    /// Make a peer, or change one; answers with what is new.
    Create(Box<PeerSpec>, RpcReplyPort<Result<Born, FleetError>>),
    /// Remove a peer.
    Remove(Personality, RpcReplyPort<Result<Removed, FleetError>>),
    /// What holds for every peer has changed: follow it.
    Reload(RpcReplyPort<Result<(), FleetError>>),
    /// Read the registry again after it could not be read.
    Boot,
    /// The registry was read, and every peer has its actor.
    Loaded(Result<(), FleetError>),
}

/// What making a peer did.
#[derive(Debug, Clone, Default)]
pub struct Born {
    /// What is new in the registry.
    pub changes: Changes,
    /// What the memory provider did for the runtimes that are new.
    pub provision: Vec<RuntimeReport>,
}

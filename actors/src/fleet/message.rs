//! What the root of the tree can be asked.

use super::request::Removed;
use crate::{
    error::FleetError,
    names::Personality,
    registry::{changes::Changes, document::PeerSpec},
};
use ractor::RpcReplyPort;

/// What the root of the tree can be asked.
pub enum FleetMsg {
    /// Answer once the registry was read and every peer has its actor.
    Booted(RpcReplyPort<Result<(), FleetError>>),
    /// Make a peer, or change one; answers with what is new.
    Create(Box<PeerSpec>, RpcReplyPort<Result<Changes, FleetError>>),
    /// Remove a peer.
    Remove(Personality, RpcReplyPort<Result<Removed, FleetError>>),
    /// What holds for every peer has changed: follow it.
    Reload(RpcReplyPort<Result<(), FleetError>>),
    /// Read the registry again after it could not be read.
    Boot,
    /// The registry was read, and every peer has its actor.
    Loaded(Result<(), FleetError>),
}

//! What can be asked of the broker's actor. Calls of effects do not come here: a session carries its own.

use super::session::EffectSession;
use crate::{
    error::FleetError,
    names::{Identity, Personality},
};
use tokio::sync::oneshot;

/// A message to the broker.
#[derive(Debug)]
pub(super) enum BrokerMsg {
    /// Open a session.
    Open(Identity, oneshot::Sender<Result<EffectSession, FleetError>>),
    /// A peer is gone: its sessions end, and what it used is forgotten.
    Forget(Personality, oneshot::Sender<()>),
    /// Policies, or who has which, may have changed.
    Changed,
}

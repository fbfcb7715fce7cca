//! What can be asked of the registry, and what its own tasks report to it.

use super::{changes::Changes, document::Document, mutation::Mutation};
use crate::{admission::Admitted, error::FleetError};
use ractor::RpcReplyPort;
use std::sync::Arc;

/// The answer to a change: the document in which it is durable, and what it alone changed there.
pub(super) type Changed = Result<(Arc<Document>, Changes), FleetError>;

/// A message to the registry.
#[derive(Debug)]
pub(super) enum RegistryMsg {
    /// Make this change.
    Change(Admitted<Mutation>, RpcReplyPort<Changed>),
    /// The file was read, or not.
    Loaded(Result<Document, FleetError>),
    /// The document in the air is in the file, or not.
    Saved(Result<(), FleetError>),
    /// The wait after a failed reading is over.
    Retry,
}

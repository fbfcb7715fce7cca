//! What a peer can be asked, and what it is told.

use super::{
    beginning::Wanted,
    file::PeerFile,
    input::{Accepted, Input},
};
use crate::{
    error::FleetError,
    names::Generation,
    ports::{Found, Process},
};
use ractor::RpcReplyPort;

/// The answer to a request: accepted or refused, at once. What becomes of it is seen in the peer's view.
pub type Reply = RpcReplyPort<Result<Accepted, FleetError>>;

/// What a peer can be asked, and what it is told.
pub enum PeerMsg {
    /// Be up.
    Start(Reply),
    /// Be up, unless somebody stopped it.
    Wake(Wanted, Reply),
    /// Be down.
    Stop(&'static str, Reply),
    /// Begin a new life.
    Restart(Reply),
    /// Begin a new life afresh.
    Refresh(Reply),
    /// End: the task of this life, where one is named, is done.
    Done(Option<Generation>, Reply),
    /// Forget the deaths.
    Reset(Reply),
    /// End, and answer with the highest generation as soon as nothing is under way: the peer is being removed, and
    /// is not started again.
    Retire(RpcReplyPort<Result<Generation, FleetError>>),
    /// Answer as soon as its file was read and its lives were found again: its view tells the truth from then on.
    Known(RpcReplyPort<()>),
    /// What this peer is has changed; its next decision follows it.
    Configured,
    /// Something happened.
    Happened(Input),
    /// The server was started, or not.
    Server(Generation, Result<Box<dyn Process>, FleetError>),
    /// The canary was started, or not.
    Canary(Generation, Result<Box<dyn Process>, FleetError>),
    /// A life was looked for again.
    Found(Generation, Found),
    /// Its file was read, and its lives were looked for.
    Booted(Result<(PeerFile, Vec<(Generation, Found)>), FleetError>),
    /// An action panicked and will never be reported: fail, and let the successor find what it did.
    Lost,
    /// Read the file again after it could not be read.
    Boot,
}

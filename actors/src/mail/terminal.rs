//! What the mailroom needs of terminals, and of the peers behind them.

use super::{
    composer::{Sight, Typing},
    id::MessageId,
    transcript::Entries,
};
use crate::{
    error::FleetError,
    names::Identity,
    peer::{beginning::Wanted, input::Accepted},
    ports::{Answer, LifeKey},
    view::PeerView,
};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio::sync::watch;

/// Peers' terminals. Each call may fail because the life is over.
pub trait Terminals: Send + Sync + 'static {
    /// Hears what is written to this life's terminal from now on.
    ///
    /// # Errors
    /// It can not be heard.
    fn listen(&self, life: &LifeKey) -> Result<Box<dyn Ear>, FleetError>;
    /// Looks at it.
    fn look(&self, life: &LifeKey, typing: Arc<Typing>) -> Answer<Sight>;
    /// Pastes a text, unless it was pasted for this message already: the terminal's server sees to that. After an error
    /// it may have been pasted; a look says so.
    fn paste(&self, life: &LifeKey, id: MessageId, text: String) -> Answer<()>;
    /// Presses keys; for a message it is marked that they were. After an error they may have been; a look says so.
    fn press(&self, life: &LifeKey, keys: Vec<String>, id: Option<MessageId>) -> Answer<()>;
}

/// Hears when something is written to a terminal.
pub trait Ear: Send {
    /// Resolves when something was written since the last time. Cancel-safe.
    fn heard(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Peers, as those who have something for them see them.
pub trait Recipients: Send + Sync + 'static {
    /// What it looks like, from now on; nothing while no actor answers for it.
    fn view(&self, identity: &Identity) -> Option<watch::Receiver<PeerView>>;
    /// Whether there is such a peer; also where that can not be said.
    fn exists(&self, identity: &Identity) -> bool;
    /// How something is typed into it; nothing where it has no composer.
    fn typing(&self, identity: &Identity) -> Option<Arc<Typing>>;
    /// What its program writes down of what it was told, from now on; nothing where its runtime does not say where.
    fn entries(&self, identity: &Identity) -> Option<Arc<dyn Entries>>;
    /// Wants it up, unless somebody stopped it: [`FleetError::WrongPhase`] has the verb that would change that. Whether
    /// it goes on with its last session depends on why it is wanted.
    fn wake(&self, identity: &Identity, wanted: Wanted) -> Answer<Accepted>;
    /// A message on this topic is about to be typed into this life.
    fn given(&self, life: &LifeKey, topic: Option<String>);
    /// Something was delivered to this life.
    fn delivered(&self, life: &LifeKey);
    /// The present life of this peer sent a message.
    fn replied(&self, identity: &Identity);
}

//! Who asks a fleet for something, as far as that is proved.

use super::handle::FleetHandle;
use coalmine_actors::{
    attachments::Session,
    error::FleetError,
    mail::{MailError, Sender},
    names::Identity,
};

/// A peer whose session proves it by its token, or the operator.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As messages and memories name it.
    pub sender: Sender,
    /// Whose attachments it has.
    pub session: Session,
    /// Which peer; nothing for the operator.
    pub peer: Option<Identity>,
}

impl Caller {
    /// Refuses a peer that would act as another one; the operator may act as any.
    ///
    /// # Errors
    /// [`MailError::NotAttested`].
    pub fn may_be(&self, identity: &Identity) -> Result<(), FleetError> {
        match &self.peer {
            Some(peer) if peer != identity => Err(MailError::NotAttested { claimed: identity.to_string() }.into()),
            _ => Ok(()),
        }
    }
}

impl FleetHandle {
    /// Who asks: the peer whose present life has this token, else the operator.
    ///
    /// # Errors
    /// As [`FleetHandle::sender`].
    pub fn caller(&self, token: Option<&str>) -> Result<Caller, FleetError> {
        let (sender, session) = self.sender(token)?;
        let peer = token.map(|_| sender.name.parse()).transpose()?;
        Ok(Caller { sender, session, peer })
    }
}

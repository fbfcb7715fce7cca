//! How a peer's actor comes to know what it stands for: it reads the file and looks for every life in it, before
//! anything is decided. What it is asked meanwhile waits.

use super::{
    actor::{PeerActor, PeerMemory},
    file::{Desired, PeerFile},
    input::Input,
    message::PeerMsg,
    perform::Landing,
    phase::PeerState,
};
use crate::{
    backoff::backoff,
    error::FleetError,
    names::Generation,
    ports::{Found, LifeKey},
    view::PhaseName,
};
use ractor::{ActorProcessingErr, ActorRef};

impl PeerActor {
    /// Reads the file and looks for every life in it, before anything is decided.
    pub(super) fn boot(&self, myself: &ActorRef<PeerMsg>, memory: &mut PeerMemory) {
        if memory.state.is_some() || std::mem::replace(&mut memory.reading, true) {
            return;
        }
        let (ports, identity) = (self.ports.clone(), self.identity.clone());
        let (flights, landing) = (self.flights.clone(), Landing::new(myself));
        tokio::spawn(async move {
            flights.landed().await;
            let booted = match ports.store.load(&identity).await {
                Ok(file) => {
                    let mut found = Vec::with_capacity(file.lives.len());
                    for life in &file.lives {
                        let key = LifeKey { identity: identity.clone(), generation: life.generation };
                        found.push((life.generation, ports.servers.find(&key, life).await));
                    }
                    Ok((file, found))
                }
                Err(error) => Err(error),
            };
            landing.report(PeerMsg::Booted(booted));
        });
    }

    /// The world refuses the file: what waits is refused, and it is read again later, by itself or for who asks. What
    /// lives of this peer is not known, so nothing is done about it.
    pub(super) fn unavailable(&self, myself: &ActorRef<PeerMsg>, memory: &mut PeerMemory, error: &FleetError) {
        let why = error.chain();
        // Once for each reason: it is read again for everybody who asks.
        if self.view.borrow().detail != why {
            tracing::warn!(identity = %self.identity, error = why, "state unreadable");
        }
        let waiting = std::mem::take(&mut memory.waiting);
        memory.waiting = waiting.into_iter().filter_map(|message| refuse(message, error)).collect();
        memory.reading = false;
        memory.boot_failures = memory.boot_failures.saturating_add(1);
        let wait = backoff(memory.boot_failures);
        let next_try = self.ports.clock.now().wall + wait;
        self.view.send_modify(|view| {
            (view.phase, view.detail, view.next_try) = (PhaseName::Blocked, why, Some(next_try));
        });
        myself.send_after(wait, || PeerMsg::Boot);
    }

    pub(super) async fn booted(
        &self,
        myself: &ActorRef<PeerMsg>,
        memory: &mut PeerMemory,
        file: PeerFile,
        found: Vec<(Generation, Found)>,
    ) -> Result<(), ActorProcessingErr> {
        let file = PeerFile { highest: file.highest.max(self.config().retired), ..file };
        let wanted_up = file.desired == Desired::Up;
        // Whoever waits for what an earlier actor accepted still sees what becomes of it.
        let wish = self.view.borrow().wish.clone();
        memory.state = Some(PeerState { wish, ..PeerState::resting(file, self.ports.clock.now().boot_ms) });
        for (generation, found) in found {
            self.found(myself, memory, generation, found).await?;
        }
        let idle = memory.state.as_ref().is_some_and(PeerState::at_rest);
        if wanted_up && idle {
            self.turn(myself, memory, Input::TakeUp, None);
        }
        self.publish(memory);
        // Before whatever is in the mailbox: they came first.
        for message in std::mem::take(&mut memory.waiting) {
            self.decide(myself, memory, message);
        }
        Ok(())
    }
}

/// Answers a request that can not be served, so that its caller does not wait for the deadline; gives back what
/// is no request.
fn refuse(message: PeerMsg, error: &FleetError) -> Option<PeerMsg> {
    match message {
        PeerMsg::Start(reply)
        | PeerMsg::Wake(_, reply)
        | PeerMsg::Stop(_, reply)
        | PeerMsg::Restart(reply)
        | PeerMsg::Refresh(reply)
        | PeerMsg::Done(_, reply)
        | PeerMsg::Reset(reply) => {
            let _ = reply.send(Err(error.clone()));
            None
        }
        PeerMsg::Retire(reply) => {
            let _ = reply.send(Err(error.clone()));
            None
        }
        // Its port closes, which says that there is nothing to wait for now.
        PeerMsg::Known(_) => None,
        other => Some(other),
    }
}

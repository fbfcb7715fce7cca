//! What can be done to the registry, each as a function from one document to the next. Pure.
//!
//! ```text
//! reserve ─▶ newborn (hidden) ─ announce ─▶ settled ─ leaving ─▶ leaving ─ forget ─▶ gone; its generations retired
//! ```
//!
//! Every step may be asked for twice: the second time it changes nothing.

use super::{
    changes::Changes,
    document::{Document, PeerSpec, RegistryPhase},
    nearest::nearest,
    upsert::upsert,
};
use crate::{
    error::FleetError,
    names::{Generation, Identity, Personality},
};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// Takes the name for a new peer, or merges into the one that has it.
    Reserve(Box<PeerSpec>),
    /// A newborn is whole now.
    Announce(Personality),
    /// Its removal has begun.
    Leaving(Personality),
    /// These generations were given out, whatever becomes of the peer.
    Retire(Vec<(Identity, Generation)>),
    /// It is gone; these were the last generations of its identities.
    Forget(Personality, Vec<(Identity, Generation)>),
}

impl Mutation {
    /// The document after this change.
    ///
    /// # Errors
    /// What forbids it.
    pub fn apply(&self, document: &Document) -> Result<Document, FleetError> {
        let mut next = document.clone();
        match self {
            Self::Reserve(wanted) => upsert(&mut next, wanted)?,
            Self::Announce(name) => announce(&mut next, name)?,
            Self::Leaving(name) => peer_mut(&mut next, name)?.phase = Some(RegistryPhase::Leaving),
            Self::Retire(retired) => retire(&mut next, retired),
            Self::Forget(name, retired) => {
                next.peers.retain(|peer| peer.personality != *name);
                retire(&mut next, retired);
            }
        }
        Ok(next)
    }
}

impl Mutation {
    /// What it changed of the peer that it is about.
    pub fn changes(&self, before: &Document, after: &Document) -> Changes {
        match self {
            Self::Reserve(wanted) => Changes::of(&wanted.personality, before, after),
            Self::Announce(_) | Self::Leaving(_) | Self::Retire(_) | Self::Forget(..) => Changes::default(),
        }
    }
}

fn announce(document: &mut Document, name: &Personality) -> Result<(), FleetError> {
    let peer = peer_mut(document, name)?;
    if peer.phase == Some(RegistryPhase::Leaving) {
        return Err(FleetError::WrongPhase {
            identity: peer.default_identity(),
            phase: "being removed".into(),
            hint: format!("wait until it is gone, then `coalmine create {name}`"),
        });
    }
    peer.phase = None;
    Ok(())
}

/// The marks only ever rise: a namesake's lives must not repeat a number.
fn retire(document: &mut Document, retired: &[(Identity, Generation)]) {
    for (identity, generation) in retired {
        let mark = document.retired.entry(identity.clone()).or_default();
        *mark = (*mark).max(*generation);
    }
}

fn peer_mut<'a>(document: &'a mut Document, name: &Personality) -> Result<&'a mut PeerSpec, FleetError> {
    let Some(at) = document.peers.iter().position(|peer| peer.personality == *name) else {
        let names = document.peers.iter().map(|peer| peer.personality.as_str());
        return Err(FleetError::UnknownPeer { name: name.to_string(), nearest: nearest(name.as_str(), names) });
    };
    Ok(&mut document.peers[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::upsert::tests::spec;

    fn name(text: &str) -> Personality {
        text.parse().unwrap()
    }

    fn reserve(name: &str) -> Mutation {
        Mutation::Reserve(Box::new(spec(name, "/b")))
    }

    fn run(mutations: &[Mutation]) -> Result<Document, FleetError> {
        mutations.iter().try_fold(Document::default(), |document, mutation| mutation.apply(&document))
    }

    #[test]
    fn a_peer_is_born_hidden_and_leaves_its_generation_behind() {
        let bob = reserve("bob");
        let document = run(std::slice::from_ref(&bob)).unwrap();
        assert_eq!(document.peers[0].phase, Some(RegistryPhase::Newborn));
        let document = run(&[bob.clone(), Mutation::Announce(name("bob"))]).unwrap();
        assert_eq!(document.peers[0].phase, None);
        let identity: Identity = "claude-bob".parse().unwrap();
        let forget = |generation| Mutation::Forget(name("bob"), vec![(identity.clone(), Generation(generation))]);
        let document = run(&[bob.clone(), Mutation::Leaving(name("bob")), forget(7), forget(3)]).unwrap();
        assert!(document.peers.is_empty());
        assert_eq!(document.retired[&identity], Generation(7), "a mark never falls");
        assert_eq!(run(&[bob.clone(), forget(7), bob]).unwrap().retired[&identity], Generation(7));
    }

    #[test]
    fn every_step_twice_is_the_same_as_once() {
        let bob = name("bob");
        for step in [
            reserve("bob"),
            Mutation::Announce(bob.clone()),
            Mutation::Leaving(bob.clone()),
            Mutation::Retire(vec![("claude-bob".parse().unwrap(), Generation(2))]),
            Mutation::Forget(bob, vec![("claude-bob".parse().unwrap(), Generation(2))]),
        ] {
            let once = run(&[reserve("bob"), step.clone()]).unwrap();
            assert_eq!(step.apply(&once).unwrap(), once);
        }
    }

    #[test]
    fn a_peer_that_is_not_there_is_named_with_its_nearest() {
        let error = run(&[reserve("bob"), Mutation::Announce(name("bobb"))]).unwrap_err();
        let FleetError::UnknownPeer { nearest, .. } = error else { panic!("{error}") };
        assert_eq!(nearest, ["bob"]);
    }

    #[test]
    fn a_leaving_peer_can_not_be_announced() {
        let bob = name("bob");
        let steps = [reserve("bob"), Mutation::Leaving(bob.clone()), Mutation::Announce(bob)];
        assert_eq!(run(&steps).unwrap_err().code(), "wrong-phase");
    }
}

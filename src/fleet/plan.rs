//! What declared peers would change: the same checks and the same merge as `create`, carried out on a copy.

use super::{admit, handle::FleetHandle};
use crate::{api::wire::ErrorBody, io::effects::Policies};
use coalmine_actors::{
    error::FleetError,
    fleet::request::CreatePeer,
    names::Identity,
    peer::config::FleetRules,
    registry::{changes::differing, document::Document, upsert::upsert},
    view::{PeerView, PhaseName},
};
use serde::{Deserialize, Serialize};

/// What would be done, and who is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One step for each declared peer, in the order of the declaration.
    pub steps: Vec<Step>,
    /// Peers of the fleet that are not declared; nothing is done with them.
    pub not_declared: Vec<String>,
}

/// What would be done with one declared peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, as it is declared.
    pub name: String,
    /// Which identity is meant; nothing where the declaration is refused.
    pub identity: Option<Identity>,
    /// What would become of its record.
    pub change: Change,
    /// Which parts of its record change.
    pub parts: Vec<String>,
    /// Whether it would be started: it is declared so, and rests.
    pub start: bool,
    /// Why it can not be made as it is declared.
    pub refused: Option<ErrorBody>,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// There is none yet.
    Create,
    /// Parts of it become others, from the peer's next life on.
    Change,
    /// It is as declared.
    Keep,
    /// The declaration can not be followed.
    Refuse,
}

impl FleetHandle {
    /// What making all of `declared` would change; nothing is changed. Blocks on the folders and programs that are
    /// looked at.
    pub fn plan(&self, declared: Vec<CreatePeer>) -> Plan {
        let rules = self.inner().rules.borrow().clone();
        plan(&self.inner().registry.snapshot(), &self.list(), declared, &rules, &self.policies())
    }
}

/// The plan for a fleet that has these records and these peers.
pub(crate) fn plan(
    document: &Document,
    peers: &[PeerView],
    declared: Vec<CreatePeer>,
    rules: &FleetRules,
    policies: &Policies,
) -> Plan {
    let mut document = document.clone();
    document.peers.retain(|spec| !spec.is_newborn()); // nothing of one is inherited
    let names = document.peers.iter().map(|spec| spec.personality.to_string());
    let not_declared = names.filter(|name| declared.iter().all(|peer| peer.name != *name)).collect();
    let steps = declared.into_iter().map(|wish| {
        let name = wish.name.clone();
        step(&document, peers, wish, rules, policies).unwrap_or_else(|why| refused(name, &why))
    });
    Plan { steps: steps.collect(), not_declared }
}

fn step(
    document: &Document,
    peers: &[PeerView],
    wish: CreatePeer,
    rules: &FleetRules,
    policies: &Policies,
) -> Result<Step, FleetError> {
    let (name, wants_start) = (wish.name.clone(), wish.start);
    let (spec, identity) = admit::spec(wish, rules, policies)?;
    let mut after = document.clone();
    upsert(&mut after, &spec)?;
    let (before, after) = (document.peer(&spec.personality), after.peer(&spec.personality));
    let parts = before.zip(after).map_or_else(Vec::new, |(before, after)| differing(before, after));
    let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
    let change = match before {
        None => Change::Create,
        Some(_) if parts.is_empty() => Change::Keep,
        Some(_) => Change::Change,
    };
    let phase = peers.iter().find(|peer| peer.identity == identity).map(|peer| peer.phase);
    // Only a reset leads out of a quarantine, and what is on its way up needs no start.
    let rests = matches!(phase, None | Some(PhaseName::Asleep | PhaseName::Stopped));
    Ok(Step { name, identity: Some(identity), change, parts, start: wants_start && rests, refused: None })
}

fn refused(name: String, why: &FleetError) -> Step {
    Step { name, identity: None, change: Change::Refuse, parts: Vec::new(), start: false, refused: Some(why.into()) }
}

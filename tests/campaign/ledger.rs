//! What was done to a fleet, and so what its files must say afterwards.

use super::schedule::{PEERS, Verb};
use coalmine::{actors::ports::LifeKey, api::client::ClientError};
use std::collections::{BTreeMap, HashSet};

/// The end of a server that was killed from outside.
#[derive(Debug, Clone, Copy)]
pub struct Killed {
    /// Nobody had meant to end this life: there must be a record. Otherwise there may be one.
    pub owed: bool,
    /// The daemon that watched, where one did: if it is still there in the end, it must have told the status.
    pub seen_by: Option<u32>,
}

/// What one peer should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Up,
    Down,
    Gone,
}

/// One peer's requests.
#[derive(Debug, Default)]
struct Requests {
    under_way: usize,
    /// Some of those that are under way, or were together with one, overlap: who can say which came last?
    overlap: bool,
    /// A request was lost with its daemon: what it meant may happen, or not.
    lost: bool,
    /// Some request of this schedule was, or may be, an end.
    ends: bool,
    wish: Option<Wish>,
}

/// Everything that was done.
#[derive(Debug, Default)]
pub struct Ledger {
    pub killed: BTreeMap<(String, u64), Killed>,
    /// Lives whose program was killed.
    exited: HashSet<LifeKey>,
    peers: [Requests; PEERS.len()],
    /// Every request, for people.
    pub said: Vec<String>,
}

fn key(life: &LifeKey) -> (String, u64) {
    (life.identity.to_string(), life.generation.0)
}

impl Ledger {
    fn peer(&self, life: &LifeKey) -> &Requests {
        let name = life.identity.personality().as_str();
        &self.peers[PEERS.iter().position(|peer| *peer == name).expect("only these peers are made")]
    }

    pub fn asked(&mut self, peer: usize, verb: Verb) {
        let requests = &mut self.peers[peer];
        requests.overlap |= requests.under_way > 0;
        requests.under_way += 1;
        requests.ends |= matches!(verb, Verb::Stop | Verb::Restart | Verb::Remove);
        requests.wish = None;
    }

    pub fn answered(&mut self, peer: usize, verb: Verb, answer: Result<(), ClientError>) {
        self.said.push(format!(
            "{verb:?} {}: {}",
            PEERS[peer],
            match &answer {
                Ok(()) => "done".to_owned(),
                Err(error) => error.to_string(),
            }
        ));
        let requests = &mut self.peers[peer];
        requests.under_way -= 1;
        let alone = !requests.overlap;
        requests.overlap &= requests.under_way > 0;
        match answer {
            Ok(()) if alone && !requests.lost => {
                requests.wish = Some(match verb {
                    Verb::Create | Verb::Start | Verb::Restart => Wish::Up,
                    Verb::Stop => Wish::Down,
                    Verb::Remove => Wish::Gone,
                });
            }
            Ok(()) => requests.wish = None,
            Err(ClientError::Refused(body)) if body.code == "unknown-peer" => {}
            Err(ClientError::Unreachable { .. }) => {}
            Err(_) => requests.lost = true,
        }
    }

    pub fn server_killed(&mut self, life: &LifeKey, seen_by: Option<u32>) {
        let requests = self.peer(life);
        let meant = requests.ends && (requests.under_way > 0 || requests.lost);
        let owed = !meant && !self.exited.contains(life);
        self.killed.entry(key(life)).or_insert(Killed { owed, seen_by });
    }

    /// This daemon did not see everything.
    pub fn blinded(&mut self, daemon: u32) {
        for killed in self.killed.values_mut().filter(|killed| killed.seen_by == Some(daemon)) {
            killed.seen_by = None;
        }
    }

    pub fn program_killed(&mut self, life: &LifeKey) {
        self.exited.insert(life.clone());
    }

    /// Whether there is a reason why this life may have ended.
    pub fn may_have_ended(&self, life: &LifeKey) -> bool {
        self.killed.contains_key(&key(life)) || self.exited.contains(life) || self.peer(life).ends
    }

    pub fn wish(&self, peer: usize) -> Option<Wish> {
        self.peers[peer].wish.filter(|_| self.peers[peer].under_way == 0 && !self.peers[peer].lost)
    }

    pub fn under_way(&self) -> bool {
        self.peers.iter().any(|peer| peer.under_way > 0)
    }
}

//! Put, commit, release and sweep of one blob in every order, with a crash anywhere: a scheduler of our own over the
//! pure desk, the pure rules, and a disk that is one bit.
//!
//! Every step that could be taken next is a choice; a depth-first walk takes all of them. What a step may not do is
//! look into the future: a transaction and an unlink each take effect at one instant that the scheduler picks.

use crate::attachments::{
    book::Book,
    change::{BlobState, Change, Changed, Quotas, Scope},
    claim::Claim,
    desk::{Desk, Effect, Input},
    id::AttachmentId,
    media::MediaType,
    meta::CreateMeta,
};
use std::{collections::HashSet, sync::Arc};

/// What a caller wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Want {
    Put(usize),
    Commit(usize),
    Release(usize),
    Sweep,
}

/// What is under way outside of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Flight {
    Transaction(Arc<Vec<Change>>),
    Unlink(u64, Vec<AttachmentId>),
    Publish(usize),
}

/// How far a put is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Put {
    Unasked,
    Intended,
    Succeeded,
    Failed,
}

/// Who is answered: a put's intent, its landing, or nobody that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Intent(usize),
    Landing(usize),
    Nobody,
}

/// The rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// Puts do not wait for a sweep of the same blob.
    PutsWaitForNobody,
    /// A sweep does not leave out what nobody has published yet.
    SweepsTrustNobody,
    /// The bytes come before the intent.
    IntentComesLast,
}

/// A world, as it is after a list of choices: replayed from the start, so that nothing has to be cloned.
struct World {
    desk: Desk<Reply, ()>,
    book: Book,
    on_disk: bool,
    flights: Vec<Flight>,
    puts: Vec<Put>,
    released: Vec<bool>,
    wants: Vec<Want>,
    broken: Broken,
}

fn id() -> AttachmentId {
    AttachmentId::of(b"the bytes")
}

fn claim(owner: usize) -> Claim {
    Claim { session: "s".parse().unwrap(), id: id(), owner: format!("o{owner}").parse().unwrap() }
}

impl World {
    fn new(wants: &[Want], broken: Broken) -> Self {
        let owners = 3;
        Self {
            desk: Desk::default(),
            book: Book::default(),
            on_disk: false,
            flights: Vec::new(),
            puts: vec![Put::Unasked; owners],
            released: vec![false; owners],
            wants: wants.to_vec(),
            broken,
        }
    }

    /// Choices now: wants of somebody who is ready for them, then whatever is under way, then a crash.
    fn choices(&self) -> usize {
        self.ready().len() + self.flights.len()
    }

    /// One caller's wants come in their order; different callers' in any.
    fn ready(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        let mut ready = Vec::new();
        for (at, want) in self.wants.iter().enumerate() {
            let (caller, able) = match *want {
                Want::Put(owner) => (owner, true),
                Want::Commit(owner) | Want::Release(owner) => {
                    (owner, matches!(self.puts[owner], Put::Succeeded | Put::Failed))
                }
                Want::Sweep => (usize::MAX, true),
            };
            if seen.insert(caller) && able {
                ready.push(at);
            }
        }
        ready
    }

    fn choose(&mut self, choice: usize) {
        let ready = self.ready();
        if let Some(at) = ready.get(choice) {
            let want = self.wants.remove(*at);
            self.begin(want);
        } else {
            let flight = self.flights.remove(choice - ready.len());
            self.land(flight);
        }
    }

    fn begin(&mut self, want: Want) {
        match want {
            Want::Put(owner) => {
                let meta = CreateMeta::default().into_meta(id(), 9, MediaType::Bytes, 0);
                let change =
                    Change::Intend { claim: claim(owner), meta: Box::new(meta), at_ms: 0, quotas: Quotas::default() };
                if self.broken == Broken::IntentComesLast {
                    self.on_disk = true;
                }
                if self.broken == Broken::PutsWaitForNobody {
                    // Past the desk's gate: written as any other change.
                    self.step(Input::Ask(change, Reply::Intent(owner)));
                } else {
                    self.step(Input::Intend(change, Reply::Intent(owner)));
                }
            }
            Want::Commit(owner) => {
                let Claim { session, id, owner } = claim(owner);
                self.step(Input::Ask(Change::Commit { session, owner, ids: vec![id], at_ms: 1 }, Reply::Nobody));
            }
            Want::Release(owner) => {
                self.released[owner] = true;
                let Claim { session, owner, .. } = claim(owner);
                self.step(Input::Ask(Change::Release(Scope::Owner(session, owner)), Reply::Nobody));
            }
            Want::Sweep => self.step(Input::Sweep(vec![id()], true, ())),
        }
    }

    fn land(&mut self, flight: Flight) {
        match flight {
            Flight::Transaction(changes) => {
                let answers = changes.iter().map(|change| self.apply(change.clone())).collect();
                self.step(Input::Applied(Ok(answers)));
            }
            Flight::Unlink(sweep, ids) => {
                self.on_disk = false;
                self.step(Input::Unlinked(sweep, ids));
            }
            Flight::Publish(owner) => {
                self.on_disk = true;
                self.step(Input::Landed(claim(owner), Reply::Landing(owner)));
            }
        }
    }

    fn apply(&mut self, change: Change) -> Changed {
        if let (Broken::SweepsTrustNobody, Change::Condemn(ids)) = (self.broken, &change) {
            // As if an intent without bytes protected nothing.
            let committed = self.book.refs().values().any(|row| row.committed_at_ms.is_some());
            if !committed {
                return Changed::Condemned(ids.iter().map(|id| (*id, 9)).collect());
            }
        }
        self.book.apply(change)
    }

    fn step(&mut self, input: Input<Reply, ()>) {
        for effect in self.desk.step(input) {
            match effect {
                Effect::Apply(changes) => self.flights.push(Flight::Transaction(changes)),
                Effect::Unlink(sweep, ids) => self.flights.push(Flight::Unlink(sweep, ids)),
                Effect::Answer(Reply::Intent(owner), Ok(Changed::Intended { have, .. })) => {
                    self.puts[owner] = Put::Intended;
                    if have && self.on_disk {
                        self.step(Input::Landed(claim(owner), Reply::Landing(owner)));
                    } else {
                        self.flights.push(Flight::Publish(owner));
                    }
                }
                Effect::Answer(Reply::Landing(owner), result) => {
                    self.puts[owner] = if result.is_ok() { Put::Succeeded } else { Put::Failed };
                }
                Effect::Answer(..) | Effect::Swept(..) | Effect::DueSoon => {}
            }
        }
    }

    /// What must hold at every moment: bytes that somebody was told are stored are there, as long as he refers to
    /// them; and whatever is on the disk is in the manifest.
    fn check(&self, path: &[usize]) -> Result<(), String> {
        for (owner, put) in self.puts.iter().enumerate() {
            if *put == Put::Succeeded && !self.released[owner] && !self.on_disk {
                return Err(format!("the bytes of put {owner} are lost after {path:?}"));
            }
        }
        if self.on_disk && !self.book.blobs().contains_key(&id()) {
            return Err(format!("bytes that no row names after {path:?}"));
        }
        Ok(())
    }

    /// The process dies here: the desk and all that is under way are gone. The next one finishes what it finds, and
    /// sweeps twice.
    fn crash_and_recover(&mut self, path: &[usize]) -> Result<(), String> {
        self.check(path)?;
        self.desk = Desk::default();
        self.flights.clear();
        let state = self.book.blobs().get(&id()).map(|row| row.state);
        match state {
            Some(BlobState::Condemned) => self.step(Input::Sweep(vec![id()], true, ())),
            Some(BlobState::Staged) if self.on_disk => self.step(Input::Ask(Change::Landed(id()), Reply::Nobody)),
            _ => {}
        }
        self.drain();
        for _ in 0..2 {
            self.step(Input::Sweep(vec![id()], true, ()));
            self.drain();
        }
        self.check(path)?;
        if self.on_disk != self.book.is_referred(id()) && self.on_disk {
            return Err(format!("an orphan survives two sweeps after a crash behind {path:?}"));
        }
        Ok(())
    }

    fn drain(&mut self) {
        while !self.flights.is_empty() {
            let flight = self.flights.remove(0);
            self.land(flight);
        }
    }
}

fn replay(wants: &[Want], broken: Broken, path: &[usize]) -> World {
    let mut world = World::new(wants, broken);
    for choice in path {
        world.choose(*choice);
    }
    world
}

/// Walks every order; how many there were, or the first one that breaks a rule.
fn explore(wants: &[Want], broken: Broken) -> Result<u64, String> {
    let mut orders = 0;
    let mut paths = vec![Vec::new()];
    while let Some(path) = paths.pop() {
        let world = replay(wants, broken, &path);
        world.check(&path)?;
        replay(wants, broken, &path).crash_and_recover(&path)?;
        let choices = world.choices();
        if choices == 0 {
            orders += 1;
        }
        for choice in 0..choices {
            let mut next = path.clone();
            next.push(choice);
            paths.push(next);
        }
    }
    Ok(orders)
}

const RACES: [&[Want]; 5] = [
    &[Want::Put(0), Want::Sweep],
    &[Want::Put(0), Want::Release(0), Want::Put(1), Want::Sweep],
    &[Want::Put(0), Want::Commit(0), Want::Sweep, Want::Sweep],
    &[Want::Put(0), Want::Commit(0), Want::Release(0), Want::Put(1), Want::Sweep],
    &[Want::Put(0), Want::Release(0), Want::Put(1), Want::Commit(1), Want::Sweep],
];

#[test]
fn no_order_of_put_commit_release_and_sweep_loses_bytes_or_leaves_an_orphan_also_with_a_crash() {
    let orders: u64 = RACES.iter().map(|wants| explore(wants, Broken::Nothing).unwrap()).sum();
    assert!(orders > 1_000, "only {orders} orders");
}

#[test]
fn each_rule_that_is_broken_on_purpose_is_found_out() {
    for broken in [Broken::PutsWaitForNobody, Broken::SweepsTrustNobody, Broken::IntentComesLast] {
        let found = RACES.iter().find_map(|wants| explore(wants, broken).err());
        assert!(found.is_some(), "{broken:?} breaks nothing that is looked at");
    }
}

//! What the actor writes into the manifest and when, and who waits for whom: the pure half of it.
//!
//! ```text
//!  one blob     put:    Intend ─▶ (the bytes are published) ─▶ Landed, or Failed ─▶ Abandon
//!               sweep:  Condemn ─▶ (the bytes are unlinked) ─▶ Gone
//! ```
//!
//! Puts of one blob may run side by side; a sweep of it has it alone. A sweep that finds a put under way leaves the
//! blob out; a put that finds a sweep waits until it is over, and then writes again. So nothing is unlinked that
//! somebody has just published.
//!
//! One transaction is in the air at a time; what comes meanwhile is the next one. Changes that nobody waits for
//! (`Landed`, `Lost`, `Abandon`) go with the next transaction that somebody does wait for: after a crash they are
//! found out again by a look at the bytes.

use super::{
    change::{Change, Changed, Scope},
    claim::Claim,
    error::AttachmentError,
    id::AttachmentId,
};
use crate::error::FleetError;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Changes in one transaction.
pub const BATCH_CHANGES_MAX: usize = 1_024;
/// Changes that may wait for one that somebody waits for.
const LAZY_CHANGES_MAX: usize = 1_024;

/// What can happen; `R` is the way back to whoever asked, `S` to whoever sweeps.
#[derive(Debug)]
pub enum Input<R, S> {
    /// Somebody means to store bytes.
    Intend(Change, R),
    /// The bytes of a put are published.
    Landed(Claim, R),
    /// They are not, and its claim was new.
    Failed(Claim, bool),
    /// Bytes are not there any more, or not what they should be.
    Lost(AttachmentId),
    /// Any other change.
    Ask(Change, R),
    /// These are to go where nobody refers to them; without `bool` they are only marked.
    Sweep(Vec<AttachmentId>, bool, S),
    /// The transaction in the air is written, or not.
    Applied(Result<Vec<Changed>, FleetError>),
    /// The bytes that this sweep could unlink.
    Unlinked(u64, Vec<AttachmentId>),
    /// What nobody waits for has waited long enough.
    Due,
}

/// What is to be done about it.
#[derive(Debug)]
pub enum Effect<R, S> {
    /// Write these in one transaction.
    Apply(Arc<Vec<Change>>),
    /// Unlink the bytes of these for this sweep.
    Unlink(u64, Vec<AttachmentId>),
    /// Tell whoever asked.
    Answer(R, Result<Changed, FleetError>),
    /// Tell whoever sweeps.
    Swept(S, Result<Swept, FleetError>),
    /// Come back with [`Input::Due`] after a while.
    DueSoon,
}

/// What one window of a sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs that were condemned.
    pub condemned: u64,
    /// Blobs that are gone.
    pub gone: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Who hears of a change.
#[derive(Debug)]
enum Then<R> {
    Tell(R),
    Intended(Claim, R),
    Nobody,
    Condemned(u64),
    Gone(u64),
}

/// A transaction, and who hears of each change in it.
type InAir<R> = (Arc<Vec<Change>>, Vec<Then<R>>);

/// A put under way.
#[derive(Debug)]
struct Put {
    claim: Claim,
    /// Its reference was released before it landed.
    released: bool,
    /// Another put has landed by the same claim: it is not this one's to take back.
    shared: bool,
}

/// A window of a sweep under way.
#[derive(Debug)]
struct Sweep<S> {
    reply: S,
    delete: bool,
    /// Those that it has alone, and their lengths once they are condemned.
    alone: HashMap<AttachmentId, u64>,
    swept: Swept,
}

/// See the module.
#[derive(Debug)]
pub struct Desk<R, S> {
    queue: VecDeque<(Change, Then<R>)>,
    in_air: Option<InAir<R>>,
    puts: HashMap<AttachmentId, Vec<Put>>,
    /// Blobs that a sweep has alone, and the puts that wait for it.
    swept: HashMap<AttachmentId, Vec<(Change, R)>>,
    sweeps: HashMap<u64, Sweep<S>>,
    last_sweep: u64,
    /// Changes in the queue that somebody waits for.
    awaited: usize,
    due_is_coming: bool,
}

impl<R, S> Default for Desk<R, S> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            in_air: None,
            puts: HashMap::new(),
            swept: HashMap::new(),
            sweeps: HashMap::new(),
            last_sweep: 0,
            awaited: 0,
            due_is_coming: false,
        }
    }
}

impl<R, S> Desk<R, S> {
    /// Takes in what happened; what is to be done, in order.
    pub fn step(&mut self, input: Input<R, S>) -> Vec<Effect<R, S>> {
        let mut effects = Vec::new();
        let mut due = false;
        match input {
            Input::Intend(change, reply) => self.intend(change, reply),
            Input::Landed(claim, reply) => {
                let result = self.landed(claim);
                effects.push(Effect::Answer(reply, result));
            }
            Input::Failed(claim, was_new) => self.failed(claim, was_new),
            Input::Lost(id) => self.push(Change::Lost(id), Then::Nobody),
            Input::Ask(change, reply) => {
                self.note_released(&change);
                self.push(change, Then::Tell(reply));
            }
            Input::Sweep(ids, delete, reply) => self.sweep(ids, delete, reply, &mut effects),
            Input::Applied(result) => self.applied(result, &mut effects),
            Input::Unlinked(sweep, gone) => self.unlinked(sweep, gone, &mut effects),
            Input::Due => {
                self.due_is_coming = false;
                due = true;
            }
        }
        self.go_on(due, &mut effects);
        effects
    }

    /// Changes that are not in the manifest yet.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.in_air.as_ref().map_or(0, |(changes, _)| changes.len())
    }

    fn push(&mut self, change: Change, then: Then<R>) {
        self.awaited += usize::from(!matches!(then, Then::Nobody));
        self.queue.push_back((change, then));
    }

    fn go_on(&mut self, due: bool, effects: &mut Vec<Effect<R, S>>) {
        if self.in_air.is_some() || self.queue.is_empty() {
            return;
        }
        if self.awaited == 0 && !due && self.queue.len() < LAZY_CHANGES_MAX {
            if !std::mem::replace(&mut self.due_is_coming, true) {
                effects.push(Effect::DueSoon);
            }
            return;
        }
        let batch = self.queue.drain(..self.queue.len().min(BATCH_CHANGES_MAX));
        let (changes, thens): (Vec<_>, Vec<_>) = batch.unzip();
        self.awaited -= thens.iter().filter(|then| !matches!(then, Then::Nobody)).count();
        let changes = Arc::new(changes);
        effects.push(Effect::Apply(Arc::clone(&changes)));
        self.in_air = Some((changes, thens));
    }

    fn intend(&mut self, change: Change, reply: R) {
        let Change::Intend { claim, .. } = &change else { return };
        let claim = claim.clone();
        if let Some(waiting) = self.swept.get_mut(&claim.id) {
            waiting.push((change, reply));
            return;
        }
        let put = Put { claim: claim.clone(), released: false, shared: false };
        self.puts.entry(claim.id).or_default().push(put);
        self.push(change, Then::Intended(claim, reply));
    }

    /// Takes a put off the list. One that is not there began before this actor did.
    fn take_put(&mut self, claim: &Claim) -> Option<Put> {
        let puts = self.puts.get_mut(&claim.id)?;
        let at = puts.iter().position(|put| put.claim == *claim)?;
        let put = puts.swap_remove(at);
        if puts.is_empty() {
            self.puts.remove(&claim.id);
        }
        Some(put)
    }

    fn landed(&mut self, claim: Claim) -> Result<Changed, FleetError> {
        let released = self.take_put(&claim).is_some_and(|put| put.released);
        self.push(Change::Landed(claim.id), Then::Nobody);
        if released {
            return Err(AttachmentError::UnknownBlob { id: claim.id }.into());
        }
        let others = self.puts.get_mut(&claim.id).into_iter().flatten();
        others.filter(|put| put.claim == claim).for_each(|put| put.shared = true);
        Ok(Changed::Done)
    }

    fn failed(&mut self, claim: Claim, was_new: bool) {
        let shared = self.take_put(&claim).is_some_and(|put| put.shared);
        let another = self.puts.get(&claim.id).is_some_and(|puts| puts.iter().any(|put| put.claim == claim));
        if was_new && !shared && !another {
            self.push(Change::Abandon(claim), Then::Nobody);
        }
    }

    /// A put whose reference ends before it has landed must not be told that all is well.
    fn note_released(&mut self, change: &Change) {
        let ends: Box<dyn Fn(&Claim) -> bool> = match change {
            Change::Release(scope) => Box::new(|claim| Scope::covers(scope, claim)),
            Change::DropStale(intents) => Box::new(|claim| intents.iter().any(|intent| intent.claim() == *claim)),
            _ => return,
        };
        self.puts.values_mut().flatten().filter(|put| ends(&put.claim)).for_each(|put| put.released = true);
    }

    fn sweep(&mut self, ids: Vec<AttachmentId>, delete: bool, reply: S, effects: &mut Vec<Effect<R, S>>) {
        let alone: HashMap<_, _> = ids
            .into_iter()
            .filter(|id| !self.puts.contains_key(id) && !self.swept.contains_key(id))
            .map(|id| (id, 0))
            .collect();
        if alone.is_empty() {
            effects.push(Effect::Swept(reply, Ok(Swept::default())));
            return;
        }
        let ids: Vec<_> = alone.keys().copied().collect();
        for id in &ids {
            self.swept.insert(*id, Vec::new());
        }
        self.last_sweep += 1;
        self.sweeps.insert(self.last_sweep, Sweep { reply, delete, alone, swept: Swept::default() });
        self.push(Change::Condemn(ids), Then::Condemned(self.last_sweep));
    }

    fn applied(&mut self, result: Result<Vec<Changed>, FleetError>, effects: &mut Vec<Effect<R, S>>) {
        let Some((changes, thens)) = self.in_air.take() else { return };
        match result {
            Ok(answers) => {
                for (then, changed) in thens.into_iter().zip(answers) {
                    self.wrote(then, changed, effects);
                }
            }
            Err(error) => {
                let mut lazy = Vec::new();
                for (change, then) in changes.iter().zip(thens) {
                    match then {
                        // Nobody can be told, so it waits for better times; before what came meanwhile.
                        Then::Nobody => lazy.push((change.clone(), Then::Nobody)),
                        then => self.not_written(then, &error, effects),
                    }
                }
                lazy.into_iter().rev().for_each(|job| self.queue.push_front(job));
            }
        }
    }

    fn wrote(&mut self, then: Then<R>, changed: Changed, effects: &mut Vec<Effect<R, S>>) {
        match then {
            Then::Nobody => {}
            Then::Tell(reply) => effects.push(Effect::Answer(reply, told(changed))),
            Then::Intended(claim, reply) => {
                if matches!(changed, Changed::Refused(_)) {
                    self.take_put(&claim);
                }
                effects.push(Effect::Answer(reply, told(changed)));
            }
            Then::Condemned(number) => {
                let condemned = if let Changed::Condemned(condemned) = changed { condemned } else { Vec::new() };
                self.condemned(number, condemned, effects);
            }
            Then::Gone(number) => self.end_sweep(number, None, effects),
        }
    }

    fn not_written(&mut self, then: Then<R>, error: &FleetError, effects: &mut Vec<Effect<R, S>>) {
        match then {
            Then::Nobody => {}
            Then::Tell(reply) => effects.push(Effect::Answer(reply, Err(error.clone()))),
            Then::Intended(claim, reply) => {
                self.take_put(&claim);
                let hint = match error {
                    FleetError::Unavailable { .. } => "try again when the manifest can be written".into(),
                    lasting => lasting.hint(),
                };
                let failed = AttachmentError::ManifestRecordFailed { reason: error.chain(), hint };
                effects.push(Effect::Answer(reply, Err(failed.into())));
            }
            Then::Condemned(number) | Then::Gone(number) => self.end_sweep(number, Some(error.clone()), effects),
        }
    }

    /// Lets go of what is referred to after all, and unlinks the rest.
    fn condemned(&mut self, number: u64, condemned: Vec<(AttachmentId, u64)>, effects: &mut Vec<Effect<R, S>>) {
        let Some(sweep) = self.sweeps.get_mut(&number) else { return };
        let condemned: HashMap<_, _> = condemned.into_iter().collect();
        sweep.swept.condemned = condemned.len() as u64;
        let before = std::mem::replace(&mut sweep.alone, condemned.clone());
        let goes_on = sweep.delete && !condemned.is_empty();
        before.into_keys().filter(|id| !condemned.contains_key(id)).for_each(|id| self.let_go(id));
        if goes_on {
            effects.push(Effect::Unlink(number, condemned.into_keys().collect()));
        } else {
            self.end_sweep(number, None, effects);
        }
    }

    fn unlinked(&mut self, number: u64, gone: Vec<AttachmentId>, effects: &mut Vec<Effect<R, S>>) {
        let Some(sweep) = self.sweeps.get_mut(&number) else { return };
        sweep.swept.gone = gone.len() as u64;
        sweep.swept.bytes = gone.iter().filter_map(|id| sweep.alone.get(id)).sum();
        if gone.is_empty() {
            self.end_sweep(number, None, effects);
        } else {
            self.push(Change::Gone(gone), Then::Gone(number));
        }
    }

    fn end_sweep(&mut self, number: u64, error: Option<FleetError>, effects: &mut Vec<Effect<R, S>>) {
        let Some(sweep) = self.sweeps.remove(&number) else { return };
        sweep.alone.into_keys().for_each(|id| self.let_go(id));
        effects.push(Effect::Swept(sweep.reply, error.map_or(Ok(sweep.swept), Err)));
    }

    /// The sweep is over for this one: puts that waited go on.
    fn let_go(&mut self, id: AttachmentId) {
        for (change, reply) in self.swept.remove(&id).into_iter().flatten() {
            self.intend(change, reply);
        }
    }
}

fn told(changed: Changed) -> Result<Changed, FleetError> {
    match changed {
        Changed::Refused(error) => Err(error.into()),
        changed => Ok(changed),
    }
}

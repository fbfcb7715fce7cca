//! Who waits for whom, and what is written when: the pure half of the mailroom.
//!
//! One transaction is in the air at a time; what comes meanwhile is the next one. A recipient's messages are delivered
//! in the order in which they were accepted, one at a time: the first of its queue is *out* with a courier until it is
//! over.

use super::{
    error::MailError,
    id::MessageId,
    progress::{Progress, Record, State},
    store::{Change, Changed},
    view::Waits,
};
use crate::{error::FleetError, names::Identity};
use jiff::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Changes in one transaction.
pub const BATCH_CHANGES_MAX: usize = 512;
/// Messages that may wait for one recipient.
pub const QUEUE_MESSAGES_MAX: usize = 1_000;

/// What can happen; `R` is the way back to whoever asked.
#[derive(Debug)]
pub enum Input<R> {
    /// Messages that an earlier mailroom left undelivered, in order. Nothing is written before.
    Loaded(Vec<Record>),
    /// The store can not be read now.
    NotLoaded(FleetError),
    /// Somebody wants this written.
    Ask(Change, R),
    /// The transaction in the air is written, or not.
    Applied(Result<Vec<Changed>, FleetError>),
    /// A courier has given up without a word: it failed.
    Lost(Identity, MessageId),
}

/// What is to be done about it.
#[derive(Debug)]
pub enum Effect<R> {
    /// Write these in one transaction.
    Apply(Arc<Vec<Change>>),
    /// Tell whoever asked.
    Answer(R, Result<Changed, FleetError>),
    /// Tell whoever follows this message where it stands.
    Stands(MessageId, Progress),
    /// It is over.
    Over(Box<Record>),
    /// Send a courier with it.
    Send(Box<Record>),
    /// The courier with this one is to come back: it is over.
    Recall(Identity),
    /// So much waits for this peer now; nothing where nothing does.
    Waits(Identity, Option<Waits>),
    /// It expires at this instant.
    ExpireAt(MessageId, Timestamp),
}

/// What waits for one recipient; the first is out.
type Queue = VecDeque<Record>;

/// A transaction, and who waits for each change in it.
type InAir<R> = (Arc<Vec<Change>>, Vec<R>);

/// See the module.
#[derive(Debug)]
pub struct Desk<R> {
    queues: HashMap<Identity, Queue>,
    /// Whose each undelivered message is.
    recipients: HashMap<MessageId, Identity>,
    waiting: VecDeque<(Change, R)>,
    in_air: Option<InAir<R>>,
    loaded: bool,
}

impl<R> Default for Desk<R> {
    fn default() -> Self {
        let (queues, recipients) = (HashMap::new(), HashMap::new());
        Self { queues, recipients, waiting: VecDeque::new(), in_air: None, loaded: false }
    }
}

impl<R> Desk<R> {
    /// Takes in what happened; what is to be done, in order.
    pub fn step(&mut self, input: Input<R>) -> Vec<Effect<R>> {
        let mut effects = Vec::new();
        match input {
            Input::Loaded(records) => {
                self.loaded = true;
                records.into_iter().for_each(|record| self.enqueue(record, &mut effects));
            }
            Input::NotLoaded(error) => {
                let refused = self.waiting.drain(..).map(|(_, reply)| Effect::Answer(reply, Err(error.clone())));
                effects.extend(refused);
            }
            Input::Ask(change, reply) => match self.refuses(&change) {
                Some(error) => effects.push(Effect::Answer(reply, Err(error.into()))),
                None => self.waiting.push_back((change, reply)),
            },
            Input::Applied(result) => self.applied(result, &mut effects),
            Input::Lost(identity, id) => {
                let first = self.first(&identity).filter(|first| first.message.id == id);
                effects.extend(first.cloned().map(|first| Effect::Send(Box::new(first))));
            }
        }
        self.go_on(&mut effects);
        effects
    }

    /// Messages that wait for this recipient, the one that is out among them.
    pub fn waiting_for(&self, identity: &Identity) -> usize {
        self.queues.get(identity).map_or(0, VecDeque::len)
    }

    /// Whether this message is the one that is out for this recipient.
    pub fn is_first(&self, identity: &Identity, id: MessageId) -> bool {
        self.first(identity).is_some_and(|first| first.message.id == id)
    }

    fn first(&self, identity: &Identity) -> Option<&Record> {
        self.queues.get(identity).and_then(VecDeque::front)
    }

    fn refuses(&self, change: &Change) -> Option<MailError> {
        let Change::Insert(record) = change else { return None };
        let recipient = &record.message.to;
        let over = record.progress.state != State::Refused && self.waiting_for(recipient) >= QUEUE_MESSAGES_MAX;
        over.then(|| MailError::QueueFull { recipient: recipient.to_string(), limit: QUEUE_MESSAGES_MAX })
    }

    fn go_on(&mut self, effects: &mut Vec<Effect<R>>) {
        if !self.loaded || self.in_air.is_some() || self.waiting.is_empty() {
            return;
        }
        let batch = self.waiting.drain(..self.waiting.len().min(BATCH_CHANGES_MAX));
        let (changes, replies): (Vec<_>, Vec<_>) = batch.unzip();
        let changes = Arc::new(changes);
        effects.push(Effect::Apply(Arc::clone(&changes)));
        self.in_air = Some((changes, replies));
    }

    fn applied(&mut self, result: Result<Vec<Changed>, FleetError>, effects: &mut Vec<Effect<R>>) {
        let Some((changes, replies)) = self.in_air.take() else { return };
        let answers = match result {
            Ok(answers) => answers,
            Err(error) => {
                effects.extend(replies.into_iter().map(|reply| Effect::Answer(reply, Err(error.clone()))));
                return;
            }
        };
        for ((change, changed), reply) in changes.iter().zip(answers).zip(replies) {
            match (change, &changed) {
                (Change::Insert(record), Changed::Inserted) => {
                    effects.push(Effect::Answer(reply, Ok(Changed::Inserted)));
                    self.enqueue(record.as_ref().clone(), effects);
                    continue;
                }
                (Change::Admit(record, _), Changed::Stands(progress)) => {
                    let record = Record { message: record.message.clone(), progress: progress.clone() };
                    effects.push(Effect::Answer(reply, Ok(changed)));
                    self.enqueue(record, effects);
                    continue;
                }
                (Change::Step { id, .. }, Changed::Stands(progress)) => {
                    effects.push(Effect::Stands(*id, progress.clone()));
                    self.stands(*id, progress, effects);
                }
                // A transaction that seemed to fail was written all the same: it is over, and nobody knew.
                (Change::Step { id, .. }, Changed::Refused(error)) if is_over(error) => {
                    drop(self.take(*id, effects));
                }
                _ => {}
            }
            let answer = match changed {
                Changed::Refused(error) => Err(error.into()),
                changed => Ok(changed),
            };
            effects.push(Effect::Answer(reply, answer));
        }
    }

    /// A message's place in the queue is that of its acceptance.
    fn enqueue(&mut self, record: Record, effects: &mut Vec<Effect<R>>) {
        if !record.progress.state.is_open() {
            return;
        }
        let (id, to) = (record.message.id, record.message.to.clone());
        if let Some(at) = record.message.expires_at {
            effects.push(Effect::ExpireAt(id, at));
        }
        self.recipients.insert(id, to.clone());
        let queue = self.queues.entry(to.clone()).or_default();
        if queue.is_empty() {
            effects.push(Effect::Send(Box::new(record.clone())));
        }
        queue.push_back(record);
        effects.push(self.waits(to));
    }

    fn waits(&self, identity: Identity) -> Effect<R> {
        let waits = self.queues.get(&identity).and_then(|queue| {
            // They stand in the order in which they were accepted.
            Some(Waits { count: queue.len() as u64, since: queue.front()?.progress.queued_at })
        });
        Effect::Waits(identity, waits)
    }

    fn stands(&mut self, id: MessageId, progress: &Progress, effects: &mut Vec<Effect<R>>) {
        if !progress.state.is_open() {
            let mut after = Vec::new();
            if let Some(record) = self.take(id, &mut after) {
                effects.push(Effect::Over(Box::new(Record { progress: progress.clone(), ..record })));
            }
            effects.append(&mut after);
            return;
        }
        let queue = self.recipients.get(&id).and_then(|identity| self.queues.get_mut(identity));
        if let Some(record) = queue.into_iter().flatten().find(|record| record.message.id == id) {
            record.progress = progress.clone();
        }
    }

    /// Takes a message that is over out of its queue. Was it the first, the next one goes out.
    fn take(&mut self, id: MessageId, effects: &mut Vec<Effect<R>>) -> Option<Record> {
        let identity = self.recipients.remove(&id)?;
        let queue = self.queues.get_mut(&identity)?;
        let place = queue.iter().position(|record| record.message.id == id)?;
        let record = queue.remove(place);
        if place == 0 {
            effects.push(Effect::Recall(identity.clone()));
            match queue.front() {
                Some(next) => effects.push(Effect::Send(Box::new(next.clone()))),
                None => drop(self.queues.remove(&identity)),
            }
        }
        effects.push(self.waits(identity));
        record
    }
}

/// Whether a step was refused because its message is over, or not kept any more.
fn is_over(error: &MailError) -> bool {
    match error {
        MailError::NotFound(_) => true,
        MailError::WrongState { state, .. } => !state.is_open() && *state != State::Accepting,
        _ => false,
    }
}

#[cfg(test)]
mod tests;

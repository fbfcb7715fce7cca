//! What the memory writes and when: the pure half of the actor.
//!
//! ```text
//!              Opened              somebody asked: a batch takes off, see flight.rs
//!  Opening ─────────────▶ Serving ───────────────▶ a batch landed: apply, answer
//!    ▲  │ NotOpened        ▲  │ ▲                     │
//!    │  ▼                  │  │ └── Refused ──────────┤ those behind it wait again
//!    │ Unavailable         │  │                       │
//!    │  │  ▲               │  └─ Compacting ─┐        │
//!    │  │  └───────────────┼── Indeterminate, or Moved again
//!    │  └─ Retry ─┐        └─────────────────┘        │
//!    └────────────┴──────── Moved ────────────────────┘        Close, once nothing is aboard ─▶ Closed
//! ```
//!
//! One batch is at the disk and becomes durable by one sync, while the next one gathers behind it. Unlike the journal
//! it refuses while the file is unavailable: somebody waits for the answer.

use super::{
    batch::Batch,
    error::MemoryError,
    flight::{Aboard, Flight},
    index::{Index, Standing},
    item::{CheckedItem, ID_MAX},
    port::AppendFailed,
    write,
};
use crate::{backoff::backoff, error::FleetError, outage::Outage};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;

/// When a record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the disk has confirmed it.
    #[default]
    Commit,
    /// When the kernel has it; the disk is asked this often.
    Interval(Duration),
    /// When the kernel has it; the disk gets it when the kernel likes.
    Os,
}

/// Something to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Remember this.
    Add(CheckedItem),
    /// Forget the item of this id.
    Forget(u64),
}

/// Something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The id of the new line.
    pub id: u64,
    /// Whether it outlives the machine.
    pub durable: bool,
}

/// What can happen; `R` is the way back to whoever asked.
#[derive(Debug)]
pub enum Input<R> {
    /// The file is open and read; it has this many bytes.
    Opened(u64),
    /// Somebody asks.
    Ask(Ask, R),
    /// The batch of this number is in the file, or is not, or may not be.
    Landed(u64, Result<(), AppendFailed>),
    /// The file could not be opened.
    NotOpened(FleetError),
    /// Somebody wants the file compacted.
    Compact,
    /// The compaction is over; the file has this many bytes now.
    Compacted(u64),
    /// The compaction changed nothing.
    NotCompacted,
    /// The wait after a failure is over.
    Retry,
    /// The wait for the next sync is over.
    SyncDue,
    /// That sync failed.
    NotSynced(AppendFailed),
    /// Somebody has removed the file, or did a moment ago.
    Removed,
    /// No more.
    Close,
}

/// What is to be done about it.
#[derive(Debug)]
pub enum Effect<R> {
    /// Open the file.
    Open,
    /// Append this batch to a file of this length, and come back with [`Input::Landed`] and its number.
    Append {
        /// Its number, never used twice.
        number: u64,
        /// The length, bytes.
        at: u64,
        /// The lines; they may grow until the writer takes them.
        batch: Batch,
    },
    /// These lines are in the file: take them into the index.
    Apply(Arc<Vec<u8>>),
    /// Tell whoever asked.
    Answer(R, Result<Done, FleetError>),
    /// Compact the file, which rests until the end of it.
    Compact,
    /// Nothing is compacted.
    RefuseCompact(FleetError),
    /// Come back with [`Input::Retry`].
    RetryIn(Duration),
    /// Come back with [`Input::SyncDue`].
    SyncIn(Duration),
    /// Make durable what was written.
    Sync,
    /// Let the file go.
    Close,
}

/// How far it is.
#[derive(Debug)]
enum Phase {
    Opening,
    /// Batches fly in this phase alone.
    Serving,
    Compacting,
    Unavailable {
        retry_at: Instant,
    },
    Closed,
}

/// A failure that was not followed by a success yet.
#[derive(Debug)]
struct Trouble {
    reason: String,
    /// How often in a row.
    failures: u32,
}

/// Everything that the writing side knows.
#[derive(Debug)]
pub struct Ledger<R> {
    phase: Phase,
    durability: Durability,
    /// The file's length, bytes, without what is aboard.
    length: u64,
    flight: Flight<R>,
    waiting: VecDeque<(Ask, R)>,
    trouble: Option<Trouble>,
    compact_wanted: bool,
    close_wanted: bool,
    /// The file may be gone: a write of nothing finds out.
    look_wanted: bool,
    /// A sync is on its way for what was written last.
    sync_due: bool,
}

impl<R> Ledger<R> {
    /// A memory that is not open yet; the first thing to do is [`Effect::Open`].
    pub fn new(durability: Durability) -> Self {
        Self {
            phase: Phase::Opening,
            durability,
            length: 0,
            flight: Flight::new(),
            waiting: VecDeque::new(),
            trouble: None,
            compact_wanted: false,
            close_wanted: false,
            look_wanted: false,
            sync_due: false,
        }
    }

    /// Whether each batch is made durable before it is answered.
    pub fn commits(&self) -> bool {
        self.durability == Durability::Commit
    }

    /// Records that are not in the file yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.flight.records()
    }

    /// Why nothing can be written now, or why the last write failed.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.reason.as_str())
    }

    /// The same, with the next try.
    pub fn outage(&self) -> Option<Outage> {
        self.trouble().map(|why| Outage { why: why.to_owned(), retry_at: self.retry_at() })
    }

    /// When the next try is due, while none is under way.
    pub fn retry_at(&self) -> Option<Instant> {
        if let Phase::Unavailable { retry_at } = self.phase { Some(retry_at) } else { None }
    }

    /// Takes in what happened and says what to do. Once that is done, [`Ledger::go_on`].
    pub fn step(&mut self, input: Input<R>, now: Instant) -> Vec<Effect<R>> {
        let mut effects = Vec::new();
        match input {
            Input::Opened(length) => {
                self.length = length;
                self.trouble = None;
                self.phase = Phase::Serving;
            }
            Input::Ask(ask, reply) => self.ask(ask, reply, &mut effects),
            Input::Landed(number, result) => self.landed(number, result, now, &mut effects),
            Input::NotOpened(error) => self.unavailable(error.chain(), Some(&error), now, &mut effects),
            Input::Compact => match self.refusal() {
                None => self.compact_wanted = true,
                Some(error) => effects.push(Effect::RefuseCompact(error)),
            },
            Input::Compacted(length) => {
                self.length = length;
                self.phase = Phase::Serving;
            }
            Input::NotCompacted => self.phase = Phase::Serving,
            Input::Retry if matches!(self.phase, Phase::Unavailable { .. }) => {
                self.phase = Phase::Opening;
                effects.push(Effect::Open);
            }
            Input::Retry => {}
            Input::SyncDue => {
                self.sync_due = false;
                effects.push(Effect::Sync);
            }
            // A batch in the air meets the same descriptor, and hears it itself.
            Input::NotSynced(failed) if self.is_idle() => self.failed(Vec::new(), failed, now, &mut effects),
            Input::NotSynced(_) => {}
            Input::Removed => self.look_wanted = true,
            Input::Close => self.close_wanted = true,
        }
        effects
    }

    /// The next thing to do where the way is free. `index` has everything that was applied.
    pub fn go_on(&mut self, index: &Index, now_ms: i64) -> Vec<Effect<R>> {
        let mut effects = Vec::new();
        // Nothing more takes off while something else waits for its turn: where many write all the time, the file
        // would never rest.
        if self.is_idle() && std::mem::take(&mut self.look_wanted) {
            let (number, batch) = self.flight.look();
            effects.push(Effect::Append { number, at: self.length, batch });
        }
        if self.is_idle() && std::mem::take(&mut self.compact_wanted) {
            self.phase = Phase::Compacting;
            effects.push(Effect::Compact);
        }
        if matches!(self.phase, Phase::Serving) && !self.look_wanted && !self.compact_wanted {
            self.write_waiting(index, now_ms, &mut effects);
        }
        let at_rest = self.is_idle() || matches!(self.phase, Phase::Unavailable { .. });
        if self.close_wanted && at_rest {
            self.phase = Phase::Closed;
            effects.push(Effect::Close);
        }
        effects
    }

    /// Nothing is under way.
    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Serving) && self.flight.is_empty()
    }

    /// Why nothing is taken on now.
    fn refusal(&self) -> Option<FleetError> {
        match &self.phase {
            Phase::Unavailable { .. } => Some(self.unavailable_error()),
            Phase::Closed => Some(FleetError::ShuttingDown),
            _ if self.close_wanted => Some(FleetError::ShuttingDown),
            _ => None,
        }
    }

    fn unavailable_error(&self) -> FleetError {
        FleetError::Unavailable { store: "memory", why: self.trouble().unwrap_or("it is being opened").to_owned() }
    }

    fn ask(&mut self, ask: Ask, reply: R, effects: &mut Vec<Effect<R>>) {
        match self.refusal() {
            None => self.waiting.push_back((ask, reply)),
            Some(error) => effects.push(Effect::Answer(reply, Err(error))),
        }
    }

    fn landed(&mut self, number: u64, result: Result<(), AppendFailed>, now: Instant, effects: &mut Vec<Effect<R>>) {
        self.flight.landed(number, result);
        while let Some((aboard, result)) = self.flight.next_landed() {
            match result {
                Ok(()) => self.written(aboard, effects),
                Err(failed) => self.failed(aboard.asked, failed, now, effects),
            }
        }
    }

    fn written(&mut self, aboard: Aboard<R>, effects: &mut Vec<Effect<R>>) {
        let lines = aboard.batch.close();
        self.trouble = None;
        self.length += lines.len() as u64;
        // In the index before anybody is told: whoever hears of an id finds it.
        effects.push(Effect::Apply(lines));
        let durable = self.commits();
        effects.extend(aboard.asked.into_iter().map(|(_, reply, id)| Effect::Answer(reply, Ok(Done { id, durable }))));
        if let Durability::Interval(after) = self.durability
            && !self.sync_due
        {
            self.sync_due = true;
            effects.push(Effect::SyncIn(after));
        }
    }

    fn failed(&mut self, batch: Vec<(Ask, R, u64)>, failed: AppendFailed, now: Instant, effects: &mut Vec<Effect<R>>) {
        self.flight.ground().rev().for_each(|behind| self.waiting.push_front(behind));
        match failed {
            // The next one tries again: the disk may have room by then.
            AppendFailed::Refused(error) => {
                self.trouble = Some(Trouble { reason: error.chain(), failures: self.failures() });
                effects.extend(batch.into_iter().map(|(_, reply, _)| Effect::Answer(reply, Err(error.clone()))));
            }
            AppendFailed::Indeterminate(error) => {
                let why = error.chain();
                for (_, reply, _) in batch {
                    effects.push(Effect::Answer(reply, Err(MemoryError::Indeterminate { why: why.clone() }.into())));
                }
                self.unavailable(why, None, now, effects);
            }
            // Nothing was written, so nothing is lost by writing it after the file was read anew.
            AppendFailed::Moved(_) | AppendFailed::Restored | AppendFailed::Behind => {
                let why = match failed {
                    AppendFailed::Moved(why) => why,
                    AppendFailed::Restored => "it was removed, and is back".into(),
                    _ => "a write before it failed".into(),
                };
                batch.into_iter().rev().for_each(|(ask, reply, _)| self.waiting.push_front((ask, reply)));
                if self.failures() == 1 {
                    self.trouble = Some(Trouble { reason: why, failures: 1 });
                    self.phase = Phase::Opening;
                    effects.push(Effect::Open);
                } else {
                    self.unavailable(why, None, now, effects);
                }
            }
        }
    }

    /// How often it has failed in a row, this time included.
    fn failures(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.failures).saturating_add(1)
    }

    /// Everybody who waits is told why: `error`, where there is one that says it best.
    fn unavailable(&mut self, reason: String, error: Option<&FleetError>, now: Instant, effects: &mut Vec<Effect<R>>) {
        let failures = self.failures();
        let wait = backoff(failures);
        self.trouble = Some(Trouble { reason, failures });
        self.phase = Phase::Unavailable { retry_at: now + wait };
        effects.push(Effect::RetryIn(wait));
        let error = error.cloned().unwrap_or_else(|| self.unavailable_error());
        effects.extend(self.waiting.drain(..).map(|(_, reply)| Effect::Answer(reply, Err(error.clone()))));
        if std::mem::take(&mut self.compact_wanted) {
            effects.push(Effect::RefuseCompact(error));
        }
    }

    /// Takes aboard what waits, as far as there is room; what makes no sense is answered at once.
    fn write_waiting(&mut self, index: &Index, now_ms: i64, effects: &mut Vec<Effect<R>>) {
        let mut line = Vec::new();
        while let Some((ask, reply)) = self.waiting.pop_front() {
            let id = self.flight.last_id().map_or_else(|| index.next_id(), |last| last + 1);
            let may = if id > ID_MAX { Err(MemoryError::IdsSpent) } else { self.may(&ask, index) };
            if let Err(error) = may {
                effects.push(Effect::Answer(reply, Err(error.into())));
                continue;
            }
            line.clear();
            match &ask {
                Ask::Add(item) => write::item(&mut line, id, now_ms, item),
                Ask::Forget(target) => write::tombstone(&mut line, id, now_ms, *target),
            }
            let at = self.length + self.flight.bytes();
            match self.flight.board(&line, (ask, reply, id)) {
                Ok(None) => {}
                Ok(Some((number, batch))) => effects.push(Effect::Append { number, at, batch }),
                Err(waits) => {
                    self.waiting.push_front(waits);
                    break;
                }
            }
        }
    }

    /// Whether this can be written.
    fn may(&self, ask: &Ask, index: &Index) -> Result<(), MemoryError> {
        let &Ask::Forget(id) = ask else { return Ok(()) };
        match index.standing(id) {
            Standing::Active if !self.flight.forgets(id) => Ok(()),
            Standing::Active | Standing::Forgotten => Err(MemoryError::Forgotten { id }),
            Standing::Tombstone(target) => Err(MemoryError::IsTombstone { id, target }),
            Standing::Unknown => Err(MemoryError::NoItem { id }),
        }
    }
}

//! What the memory writes and when: the pure half of the actor.
//!
//! ```text
//!              Opened           somebody asked
//!  Opening ─────────────▶ Idle ─────────────────▶ Writing ─┐ Written: apply, answer,
//!    ▲  │ Failed           ▲ ▲ ▲                    │  ▲   │ write what came meanwhile
//!    │  ▼                  │ │ └── Refused ─────────┤  └───┘
//!    │ Unavailable         │ │                      │
//!    │  │  ▲               │ └─ Compacted ─ Compacting ◀─ Idle, where somebody asked for it
//!    │  │  └─ Indeterminate, or Moved again ────────┤
//!    │  └─ Retry ─┐                                 │
//!    └────────────┴──────── Moved ──────────────────┘        Close, once idle ─▶ Closed
//! ```
//!
//! One batch is in the air at a time and becomes durable by one sync; what comes meanwhile is the next one. An id is
//! given when a batch is formed and counts only once the batch is written. Unlike the journal it refuses while the
//! file is unavailable: somebody waits for the answer.

use super::{
    error::MemoryError,
    index::{Index, Standing},
    item::{CheckedItem, ID_MAX},
    port::AppendFailed,
    write,
};
use crate::{backoff::backoff, error::FleetError, outage::Outage};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Records in one write.
pub const BATCH_RECORDS_MAX: usize = 16_384;
/// A write is closed once it holds this many bytes.
pub const BATCH_BYTES_FULL: usize = 8 * 1024 * 1024;

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
    /// The batch in the air is in the file.
    Written,
    /// It is not, or may not be.
    Failed(AppendFailed),
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
    /// Append these lines to a file of this length; with none, look whether it is in its place.
    Append(u64, Arc<Vec<u8>>),
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
enum Phase<R> {
    Opening,
    Idle,
    Writing(Batch<R>),
    Compacting,
    Unavailable { retry_at: Instant },
    Closed,
}

/// What one write holds.
#[derive(Debug)]
struct Batch<R> {
    lines: Arc<Vec<u8>>,
    /// Who asked for what, and the id that it got.
    asked: Vec<(Ask, R, u64)>,
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
    phase: Phase<R>,
    durability: Durability,
    /// The file's length, bytes.
    length: u64,
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
        self.waiting.len() + if let Phase::Writing(batch) = &self.phase { batch.asked.len() } else { 0 }
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
                self.phase = Phase::Idle;
            }
            Input::Ask(ask, reply) => self.ask(ask, reply, &mut effects),
            Input::Written => self.written(&mut effects),
            Input::Failed(failed) => self.failed(failed, now, &mut effects),
            Input::NotOpened(error) => self.unavailable(error.chain(), Some(&error), now, &mut effects),
            Input::Compact => match self.refusal() {
                None => self.compact_wanted = true,
                Some(error) => effects.push(Effect::RefuseCompact(error)),
            },
            Input::Compacted(length) => {
                self.length = length;
                self.phase = Phase::Idle;
            }
            Input::NotCompacted => self.phase = Phase::Idle,
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
            Input::NotSynced(failed) if matches!(self.phase, Phase::Idle) => self.failed(failed, now, &mut effects),
            Input::NotSynced(_) => {}
            Input::Removed => self.look_wanted = true,
            Input::Close => self.close_wanted = true,
        }
        effects
    }

    /// The next thing to do where the way is free. `index` has everything that was applied.
    pub fn go_on(&mut self, index: &Index, now_ms: i64) -> Vec<Effect<R>> {
        let mut effects = Vec::new();
        // Writing comes last: where many write all the time, there is always something that waits.
        if matches!(self.phase, Phase::Idle) && std::mem::take(&mut self.look_wanted) {
            let lines = Arc::default();
            effects.push(Effect::Append(self.length, Arc::clone(&lines)));
            self.phase = Phase::Writing(Batch { lines, asked: Vec::new() });
        }
        if matches!(self.phase, Phase::Idle) && std::mem::take(&mut self.compact_wanted) {
            self.phase = Phase::Compacting;
            effects.push(Effect::Compact);
        }
        if matches!(self.phase, Phase::Idle) && !self.waiting.is_empty() {
            self.write_next(index, now_ms, &mut effects);
        }
        let at_rest = matches!(self.phase, Phase::Idle | Phase::Unavailable { .. });
        if self.close_wanted && at_rest {
            self.phase = Phase::Closed;
            effects.push(Effect::Close);
        }
        effects
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

    fn written(&mut self, effects: &mut Vec<Effect<R>>) {
        let Phase::Writing(batch) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        self.trouble = None;
        self.length += batch.lines.len() as u64;
        // In the index before anybody is told: whoever hears of an id finds it.
        effects.push(Effect::Apply(batch.lines));
        let durable = self.commits();
        effects.extend(batch.asked.into_iter().map(|(_, reply, id)| Effect::Answer(reply, Ok(Done { id, durable }))));
        if let Durability::Interval(after) = self.durability
            && !self.sync_due
        {
            self.sync_due = true;
            effects.push(Effect::SyncIn(after));
        }
    }

    fn failed(&mut self, failed: AppendFailed, now: Instant, effects: &mut Vec<Effect<R>>) {
        let batch = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Writing(batch) => batch.asked,
            _ => Vec::new(),
        };
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
            AppendFailed::Moved(_) | AppendFailed::Restored => {
                let why = match failed {
                    AppendFailed::Moved(why) => why,
                    _ => "it was removed, and is back".into(),
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

    /// Forms the next batch; what makes no sense is answered at once.
    fn write_next(&mut self, index: &Index, now_ms: i64, effects: &mut Vec<Effect<R>>) {
        let mut lines = Vec::new();
        let mut asked = Vec::new();
        let mut id = index.next_id();
        let mut forgotten = HashSet::new();
        while asked.len() < BATCH_RECORDS_MAX && lines.len() < BATCH_BYTES_FULL {
            let Some((ask, reply)) = self.waiting.pop_front() else { break };
            let may = if id > ID_MAX { Err(MemoryError::IdsSpent) } else { may(&ask, index, &mut forgotten) };
            if let Err(error) = may {
                effects.push(Effect::Answer(reply, Err(error.into())));
                continue;
            }
            match &ask {
                Ask::Add(item) => write::item(&mut lines, id, now_ms, item),
                Ask::Forget(target) => write::tombstone(&mut lines, id, now_ms, *target),
            }
            asked.push((ask, reply, id));
            id += 1;
        }
        if !asked.is_empty() {
            let lines = Arc::new(lines);
            effects.push(Effect::Append(self.length, Arc::clone(&lines)));
            self.phase = Phase::Writing(Batch { lines, asked });
        }
    }
}

/// Whether this can be written. `forgotten` is what this batch forgets already.
fn may(ask: &Ask, index: &Index, forgotten: &mut HashSet<u64>) -> Result<(), MemoryError> {
    let &Ask::Forget(id) = ask else { return Ok(()) };
    match index.standing(id) {
        Standing::Active if forgotten.insert(id) => Ok(()),
        Standing::Active | Standing::Forgotten => Err(MemoryError::Forgotten { id }),
        Standing::Tombstone(target) => Err(MemoryError::IsTombstone { id, target }),
        Standing::Unknown => Err(MemoryError::NoItem { id }),
    }
}

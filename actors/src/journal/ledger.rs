//! What the journal has to write and when: the pure half of the actor.
//!
//! ```text
//!              Opened               something to write
//!  Opening ─────────────▶ Idle ─────────────────────────▶ Writing ──┐ Written: publish, and
//!   ▲ │                    ▲                               ▲ │ ▲    │ write what came meanwhile
//!   │ │ OpenFailed         └───────────────────────────────│─┤ └────┘
//!   │ ▼                       Written, nothing waits       │ │ WriteFailed
//!  Unavailable ◀───────────────────────────────────────────│─┘
//!     │  └──────────────── Retry ──────────────────────────┘
//!     └─── Retry, where it was never opened
//! ```
//!
//! One batch is in the air at a time; what comes meanwhile is the next one, so the number of writes follows the
//! disk and not the number of events. A place (`seq`) is given when a batch is formed and counts only once the
//! batch is written: a batch that failed goes back to the head of the queue as if it had never been formed.

use super::event::{self, Draft};
use crate::{backoff::backoff, outage::Outage, view::Event};
use jiff::Timestamp;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Events kept in memory while they can not be written; past it the oldest are dropped and counted.
pub const WAITING_EVENTS_MAX: usize = 10_000;
/// Events in one write.
pub const BATCH_EVENTS_MAX: usize = 1_024;
/// A write is closed once it holds this many bytes.
pub const BATCH_BYTES_FULL: usize = 1024 * 1024;
/// What was written is made durable this long after, together with what came meanwhile.
pub const SYNC_AFTER: Duration = Duration::from_secs(1);

/// What can happen to the journal.
#[derive(Debug)]
pub enum Input {
    /// The file is open; this is its last place, 0 where it is empty.
    Opened(u64),
    /// Somebody has something to note.
    Record(Timestamp, Draft),
    /// This many events were lost before they came here; the last one at that time.
    Lost(u64, Timestamp),
    /// Lines of exits.log, the last one ending at that offset. The next ones come after [`Effect::Imported`].
    Import(Vec<(Timestamp, Draft)>, u64),
    /// The batch in the air is in the file.
    Written,
    /// The file could not be opened, or the batch not be written, for this reason.
    Failed(String),
    /// The wait after a failure is over.
    Retry,
    /// The wait for the next sync is over.
    SyncDue,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open the file.
    Open,
    /// Append these lines.
    Append(String),
    /// These events are in the file now: let everybody know.
    Publish(Vec<Arc<Event>>),
    /// The lines of exits.log up to this offset are in the file.
    Imported(u64),
    /// Come back with [`Input::Retry`].
    RetryIn(Duration),
    /// Come back with [`Input::SyncDue`].
    SyncIn(Duration),
    /// Make durable what was written.
    Sync,
}

/// How far the writing is.
#[derive(Debug)]
enum Phase {
    /// The last place is not known yet; everything waits.
    Opening,
    /// All is written.
    Idle,
    /// This batch is in the air.
    Writing(Batch),
    /// The file refused; everything waits.
    Unavailable { retry_at: Instant },
}

/// Who wanted an entry noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Fleet,
    /// A line of exits.log. It is never dropped: its file waits for the word that it was imported.
    Foreign {
        /// Set in the last line of an import: its end, bytes.
        up_to: Option<u64>,
    },
}

#[derive(Debug)]
struct Entry {
    ts: Timestamp,
    draft: Draft,
    origin: Origin,
}

/// Events that had no room.
#[derive(Debug, Clone, Copy)]
struct Lost {
    n: u64,
    /// When the last of them happened.
    ts: Timestamp,
}

impl Lost {
    fn into_event(self, seq: u64) -> Event {
        Draft::new("journal-lost").with("n", self.n).into_event(self.ts, seq)
    }
}

/// What one write holds.
#[derive(Debug)]
struct Batch {
    /// The first line, where events were lost before the others.
    lost: Option<Lost>,
    events: Vec<(Event, Origin)>,
}

/// A failure that was not followed by a success yet.
#[derive(Debug)]
struct Trouble {
    reason: String,
    failures: u32,
}

/// Everything that the journal knows.
#[derive(Debug)]
pub struct Ledger {
    phase: Phase,
    /// The last place that is in the file; nothing before the file was opened.
    last_seq: Option<u64>,
    waiting: VecDeque<Entry>,
    lost: Option<Lost>,
    trouble: Option<Trouble>,
    /// A sync is on its way for what was written last.
    sync_due: bool,
}

impl Ledger {
    /// A journal that is not open yet; the first thing to do is [`Effect::Open`].
    #[allow(clippy::new_without_default, reason = "the start of a story is no default value")]
    pub fn new() -> Self {
        Self {
            phase: Phase::Opening,
            last_seq: None,
            waiting: VecDeque::new(),
            lost: None,
            trouble: None,
            sync_due: false,
        }
    }

    /// The last place in the file, 0 in an empty or unopened one.
    pub fn last_seq(&self) -> u64 {
        self.last_seq.unwrap_or(0)
    }

    /// Events that are not in the file yet.
    pub fn waiting(&self) -> usize {
        let in_the_air = if let Phase::Writing(batch) = &self.phase { batch.events.len() } else { 0 };
        self.waiting.len() + in_the_air
    }

    /// Events that would be lost if the journal ended now. A batch in the air lands without us, and foreign
    /// lines come again.
    pub fn at_stake(&self) -> u64 {
        let ours = self.waiting.iter().filter(|entry| entry.origin == Origin::Fleet).count();
        self.lost.map_or(0, |lost| lost.n) + ours as u64
    }

    /// Why nothing can be written now.
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

    /// Whether everything that came is in the file.
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Takes in what happened and says what to do.
    pub fn step(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Opened(last_seq) => {
                self.last_seq = Some(last_seq);
                self.trouble = None;
                self.phase = Phase::Idle;
            }
            Input::Record(ts, draft) => self.push(Entry { ts, draft, origin: Origin::Fleet }),
            Input::Lost(n, ts) => self.lose(Lost { n, ts }),
            Input::Import(lines, up_to) => self.import(lines, up_to, &mut effects),
            Input::Written => self.written(&mut effects),
            Input::Failed(reason) => self.failed(reason, now, &mut effects),
            Input::Retry => self.retry(&mut effects),
            Input::SyncDue => {
                self.sync_due = false;
                effects.push(Effect::Sync);
            }
        }
        self.write_next(&mut effects);
        effects
    }

    fn push(&mut self, entry: Entry) {
        self.waiting.push_back(entry);
        self.trim();
    }

    fn lose(&mut self, more: Lost) {
        let before = self.lost.map_or(0, |lost| lost.n);
        self.lost = Some(Lost { n: before + more.n, ts: more.ts });
    }

    /// Drops the oldest events past the limit. Foreign lines stay: only one import is here at a time.
    fn trim(&mut self) {
        while self.waiting.len() > WAITING_EVENTS_MAX {
            let Some(oldest) = self.waiting.iter().position(|entry| entry.origin == Origin::Fleet) else { return };
            if let Some(entry) = self.waiting.remove(oldest) {
                self.lose(Lost { n: 1, ts: entry.ts });
            }
        }
    }

    fn import(&mut self, lines: Vec<(Timestamp, Draft)>, up_to: u64, effects: &mut Vec<Effect>) {
        let Some(last) = lines.len().checked_sub(1) else {
            effects.push(Effect::Imported(up_to));
            return;
        };
        for (at, (ts, draft)) in lines.into_iter().enumerate() {
            let up_to = (at == last).then_some(up_to);
            self.push(Entry { ts, draft, origin: Origin::Foreign { up_to } });
        }
    }

    fn written(&mut self, effects: &mut Vec<Effect>) {
        let Phase::Writing(batch) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        self.trouble = None;
        let first = self.last_seq() + 1;
        let lost = batch.lost.map(|lost| Arc::new(lost.into_event(first)));
        let imported = batch.events.iter().rev().find_map(|(_, origin)| match origin {
            Origin::Foreign { up_to } => *up_to,
            Origin::Fleet => None,
        });
        let events: Vec<_> =
            lost.into_iter().chain(batch.events.into_iter().map(|(event, _)| Arc::new(event))).collect();
        self.last_seq = events.last().map(|event| event.seq).or(self.last_seq);
        effects.push(Effect::Publish(events));
        effects.extend(imported.map(Effect::Imported));
        if !self.sync_due {
            self.sync_due = true;
            effects.push(Effect::SyncIn(SYNC_AFTER));
        }
    }

    fn failed(&mut self, reason: String, now: Instant, effects: &mut Vec<Effect>) {
        let failures = self.trouble.as_ref().map_or(0, |trouble| trouble.failures).saturating_add(1);
        let wait = backoff(failures);
        self.trouble = Some(Trouble { reason, failures });
        if let Phase::Writing(batch) = std::mem::replace(&mut self.phase, Phase::Unavailable { retry_at: now + wait }) {
            self.put_back(batch);
        }
        effects.push(Effect::RetryIn(wait));
    }

    fn put_back(&mut self, batch: Batch) {
        for (Event { ts, ev, fields, .. }, origin) in batch.events.into_iter().rev() {
            self.waiting.push_front(Entry { ts, draft: Draft { ev, fields }, origin });
        }
        if let Some(older) = batch.lost {
            let newer = self.lost.take();
            self.lost = Some(Lost { n: older.n + newer.map_or(0, |lost| lost.n), ..newer.unwrap_or(older) });
        }
        self.trim();
    }

    fn retry(&mut self, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Unavailable { .. }) {
            return;
        }
        if self.last_seq.is_some() {
            self.phase = Phase::Idle;
        } else {
            self.phase = Phase::Opening;
            effects.push(Effect::Open);
        }
    }

    /// Forms the next batch where the way is free and something waits.
    fn write_next(&mut self, effects: &mut Vec<Effect>) {
        let Some(last_seq) = self.last_seq.filter(|_| matches!(self.phase, Phase::Idle)) else { return };
        if self.waiting.is_empty() && self.lost.is_none() {
            return;
        }
        let mut lines = String::new();
        let mut seq = last_seq;
        let lost = self.lost.take();
        if let Some(lost) = lost {
            seq += 1;
            push_line(&mut lines, &lost.into_event(seq));
        }
        let mut events = Vec::new();
        while events.len() < BATCH_EVENTS_MAX && lines.len() < BATCH_BYTES_FULL {
            let Some(Entry { ts, draft, origin }) = self.waiting.pop_front() else { break };
            seq += 1;
            let event = draft.into_event(ts, seq);
            push_line(&mut lines, &event);
            events.push((event, origin));
        }
        self.phase = Phase::Writing(Batch { lost, events });
        effects.push(Effect::Append(lines));
    }
}

fn push_line(lines: &mut String, event: &Event) {
    lines.push_str(&event::render(event));
    lines.push('\n');
}

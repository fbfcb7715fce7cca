//! What everybody else holds of the memory.
//!
//! A write is a message to the actor and is answered once it is kept. A read looks at the shelf, on the caller's own
//! task: it waits for no mailbox and no disk.

use super::{
    compact::{CompactOptions, Compacted},
    error::MemoryError,
    item::{Item, NewItem},
    keeper::KeptStore,
    ledger::{Ask, Done, Durability},
    message::{MemoryMsg, Waiting},
    port::{MemoryFile, MemorySearch, Shelf},
    query::{Hit, Listing, Page, Query},
    room::Room,
    verify::{MemoryStats, Verified, verify},
};
use crate::{
    error::FleetError,
    journal::{Draft, JournalHandle},
    keeper::Keeper,
    outage::Outage,
    ports::Clock,
};
use ractor::{Actor, ActorCell, ActorRef};
use serde::{Deserialize, Serialize};
use std::{
    ops::ControlFlow,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::{broadcast, oneshot, watch};

/// Changes that a follower may be behind before it misses some.
pub const FOLLOWERS_LAG_CHANGES_MAX: usize = 4_096;
/// Most hits of a search.
pub const HITS_MAX: usize = 1_000;
/// Lines that one call of [`Memory::export`] gives, bytes, unless a single one is longer.
pub const EXPORT_BYTES_MAX: usize = 1024 * 1024;
/// Records of one call of [`Memory::add_all`] that wait at once: all of them would not fit the room.
const TOGETHER_MAX: usize = 4_096;

/// What a memory is made of.
pub struct MemoryParts {
    /// The file.
    pub file: Arc<dyn MemoryFile>,
    /// The cache that is searched; without one, nothing is found.
    pub search: Option<Arc<dyn MemorySearch>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where to note what happens to the file.
    pub journal: Option<JournalHandle>,
    /// When a record counts as kept.
    pub durability: Durability,
    /// Whether the cache follows every change, or only catches up when somebody searches.
    pub index_eagerly: bool,
}

/// The memory as it is now.
#[derive(Debug, Clone, Default)]
pub struct MemoryStatus {
    /// It was open once, so that there is something to read.
    pub opened: bool,
    /// Records that are not in the file yet.
    pub waiting: usize,
    /// Ends of the file that were no whole line.
    pub torn: u64,
    /// Why nothing can be written now, or why the last write failed.
    pub unavailable: Option<Outage>,
    /// Why it could not be opened.
    pub error: Option<FleetError>,
}

/// Something that is kept now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// Its id.
    pub id: u64,
    /// Whether it outlives the machine.
    pub durable: bool,
}

/// Something that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// An item is there.
    Added {
        /// Its id.
        id: u64,
    },
    /// An item is gone.
    Forgotten {
        /// Its id.
        id: u64,
    },
}

/// The memory. Clones share it, and it outlives its actor: a restarted one takes its place. With the last clone the
/// actor ends and the file is let go: one that nobody can ask must not wait for a lock, or hold it.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
    _life: Arc<Life>,
}

/// Ends the keeper, and with it the actor, when it is dropped.
struct Life(ActorCell);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

/// What handles and the actor share.
pub(super) struct Shared {
    pub(super) file: Arc<dyn MemoryFile>,
    pub(super) search: Option<Arc<dyn MemorySearch>>,
    pub(super) clock: Arc<dyn Clock>,
    journal: Option<JournalHandle>,
    pub(super) index_eagerly: bool,
    pub(super) shelf: Shelf,
    room: Room,
    /// The actor that serves now; nothing before the first one.
    actor: RwLock<Option<ActorRef<MemoryMsg>>>,
    pub(super) status: watch::Sender<MemoryStatus>,
    pub(super) changes: broadcast::Sender<Change>,
}

impl Shared {
    pub(super) fn serve(&self, actor: ActorRef<MemoryMsg>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    pub(super) fn note(&self, draft: Draft) {
        if let Some(journal) = &self.journal {
            journal.record(draft);
        }
    }

    pub(super) fn opened(&self, torn: u64) {
        self.status.send_modify(|status| {
            status.opened = true;
            status.torn = torn;
            status.error = None;
        });
    }

    /// It can not be opened. Noted once for each reason.
    pub(super) fn failed(&self, error: FleetError) {
        let why = error.chain();
        let news = self.status.borrow().unavailable.as_ref().is_none_or(|before| before.why != why);
        if news {
            tracing::warn!(error = why, "the memory is unavailable");
            self.note(Draft::new("memory-unavailable").with("why", &why));
        }
        self.status.send_modify(|status| {
            status.unavailable = Some(Outage { why, retry_at: None });
            status.error = Some(error);
        });
    }

    fn cast(&self, message: MemoryMsg) -> Result<(), FleetError> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.as_ref().and_then(|actor| actor.cast(message).ok()).ok_or_else(restarting)
    }
}

fn restarting() -> FleetError {
    FleetError::Unavailable { store: "memory", why: "its actor is being restarted".into() }
}

impl Memory {
    /// Starts a memory, linked to `supervisor` where there is one. It opens its file by itself.
    ///
    /// # Errors
    /// The supervisor is stopping.
    pub async fn start(parts: MemoryParts, supervisor: Option<ActorCell>) -> Result<Self, FleetError> {
        let MemoryParts { file, search, clock, journal, durability, index_eagerly } = parts;
        let shared = Arc::new(Shared {
            file,
            search,
            clock,
            journal,
            index_eagerly,
            shelf: Shelf::default(),
            room: Room::default(),
            actor: RwLock::new(None),
            status: watch::Sender::new(MemoryStatus::default()),
            changes: broadcast::Sender::new(FOLLOWERS_LAG_CHANGES_MAX),
        });
        let keeper = Keeper(KeptStore { durability, shared: Arc::clone(&shared) });
        let started = match supervisor {
            Some(supervisor) => Actor::spawn_linked(None, keeper, (), supervisor).await,
            None => Actor::spawn(None, keeper, ()).await,
        };
        let (keeper, _join) =
            started.map_err(|error| FleetError::Internal(format!("the memory did not start: {error}")))?;
        Ok(Self { shared, _life: Arc::new(Life(keeper.get_cell())) })
    }

    /// Remembers something; answers once it is kept as the durability says.
    ///
    /// # Errors
    /// Over a limit, no room, unavailable, or the disk refuses.
    pub async fn add(&self, item: NewItem) -> Result<Added, FleetError> {
        let item = item.check()?;
        let weight = item.weight();
        let Done { id, durable } = answered(self.ask(Ask::Add(item), weight)?).await?;
        Ok(Added { id, durable })
    }

    /// Remembers many things, in their order; each has an answer of its own.
    pub async fn add_all(&self, items: Vec<NewItem>) -> Vec<Result<Added, FleetError>> {
        let mut answers = Vec::with_capacity(items.len());
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let asked: Vec<_> = items
                .by_ref()
                .take(TOGETHER_MAX)
                .map(|item| {
                    let item = item.check()?;
                    let weight = item.weight();
                    self.ask(Ask::Add(item), weight)
                })
                .collect();
            for asked in asked {
                let answer = match asked {
                    Ok(asked) => answered(asked).await,
                    Err(error) => Err(error),
                };
                answers.push(answer.map(|Done { id, durable }| Added { id, durable }));
            }
        }
        answers
    }

    /// Forgets an item; the answer holds the id of the mark.
    ///
    /// # Errors
    /// No such item, forgotten before, unavailable, or the disk refuses.
    pub async fn forget(&self, id: u64) -> Result<Added, FleetError> {
        const WEIGHT_BYTES: usize = 128;
        let Done { id, durable } = answered(self.ask(Ask::Forget(id), WEIGHT_BYTES)?).await?;
        Ok(Added { id, durable })
    }

    /// The item of this id; two, where a stranger gave it out twice.
    ///
    /// # Errors
    /// No such item, or forgotten; never opened.
    pub async fn get(&self, id: u64) -> Result<Vec<Item>, FleetError> {
        self.readable().await?;
        Ok(super::query::get(&self.shared.shelf.read(), id)?)
    }

    /// One page of items, the newest first.
    ///
    /// # Errors
    /// Never opened.
    pub async fn list(&self, query: Query) -> Result<Page, FleetError> {
        self.readable().await?;
        let mut listing = Listing::new(query);
        loop {
            let looked = listing.look(&self.shared.shelf.read());
            match looked {
                ControlFlow::Break(page) => return Ok(page),
                // Between two slices whoever writes has its turn.
                ControlFlow::Continue(()) => tokio::task::yield_now().await,
            }
        }
    }

    /// The items that fit the words best.
    ///
    /// # Errors
    /// A query without words; never opened; the cache can not be made.
    pub async fn search(&self, words: &str, limit: usize) -> Result<Vec<Hit>, FleetError> {
        self.readable().await?;
        let Some(search) = &self.shared.search else { return Ok(Vec::new()) };
        let limit = limit.clamp(1, HITS_MAX);
        let found = search.search(self.shared.shelf.clone(), words.to_owned(), limit).await?;
        let index = self.shared.shelf.read();
        let hits = found.into_iter().filter_map(|ranked| {
            let item = index.at(ranked.at)?;
            Some(Hit { score: ranked.score, item })
        });
        Ok(hits.collect())
    }

    /// How much there is.
    ///
    /// # Errors
    /// Never opened.
    pub async fn stats(&self) -> Result<MemoryStats, FleetError> {
        self.readable().await?;
        Ok(self.stats_now())
    }

    /// The same as far as it is known, without waiting for anything.
    pub fn stats_now(&self) -> MemoryStats {
        MemoryStats::of(&self.shared.shelf.read(), self.shared.status.borrow().torn)
    }

    /// The memory as it is now; waits for nobody.
    pub fn status(&self) -> MemoryStatus {
        self.shared.status.borrow().clone()
    }

    /// Looks at every byte of the file on disk.
    ///
    /// # Errors
    /// The file can not be read.
    pub async fn verify(&self) -> Result<Verified, FleetError> {
        let bytes = self.shared.file.read().await?;
        let torn = self.shared.status.borrow().torn;
        let looked = tokio::task::spawn_blocking(move || verify(bytes, torn)).await;
        looked.map_err(|panic| FleetError::Internal(panic.to_string()))
    }

    /// Writes the file anew without what is forgotten.
    ///
    /// # Errors
    /// Unavailable, busy with another one, or the disk refuses: then the file is as it was.
    pub async fn compact(&self, options: CompactOptions) -> Result<Compacted, FleetError> {
        let (reply, answer) = oneshot::channel();
        self.shared.cast(MemoryMsg::Compact(options, reply))?;
        answer.await.map_err(|_ended| restarting())?
    }

    /// Lines of active items with an id above `after`, by id, and where to go on; nothing there at the end.
    ///
    /// # Errors
    /// Never opened.
    pub async fn export(&self, after: u64) -> Result<(String, Option<u64>), FleetError> {
        self.readable().await?;
        Ok(super::query::export(&self.shared.shelf.read(), after, EXPORT_BYTES_MAX))
    }

    /// Everything that changes from now on. A follower that is more than [`FOLLOWERS_LAG_CHANGES_MAX`] behind is
    /// told how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Writes what waits and lets the file go; nothing can be written afterwards.
    ///
    /// # Errors
    /// [`FleetError::TimedOut`] after `deadline`.
    pub async fn close(&self, deadline: Duration) -> Result<(), FleetError> {
        let (reply, closed) = oneshot::channel();
        if self.shared.cast(MemoryMsg::Close(reply)).is_err() {
            return Ok(()); // it has ended already
        }
        let late = |_| FleetError::TimedOut { what: "writing the memory".into(), after: deadline };
        let _ended_meanwhile = tokio::time::timeout(deadline, closed).await.map_err(late)?;
        Ok(())
    }

    /// Waits until there is something to read, or a reason why there is not.
    async fn readable(&self) -> Result<(), FleetError> {
        let mut status = self.shared.status.subscribe();
        let known = status.wait_for(|status| status.opened || status.error.is_some()).await;
        let status = known.map_err(|_gone| FleetError::ShuttingDown)?;
        match (&status.error, status.opened) {
            (Some(error), false) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn ask(&self, ask: Ask, bytes: usize) -> Result<oneshot::Receiver<Result<Done, FleetError>>, FleetError> {
        let room = self.shared.room.take(bytes)?;
        let (reply, answer) = oneshot::channel();
        self.shared.cast(MemoryMsg::Ask(ask, Waiting { reply, _room: room }))?;
        Ok(answer)
    }
}

/// What became of something that was asked.
async fn answered(asked: oneshot::Receiver<Result<Done, FleetError>>) -> Result<Done, FleetError> {
    // An actor that fails drops what it was asked: it may have been written, or not.
    let lost = |_ended| MemoryError::Indeterminate { why: "the memory's actor failed meanwhile".into() };
    asked.await.map_err(lost)?
}

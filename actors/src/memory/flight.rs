//! What is on its way to the disk: the batch that the writer has, and the one behind it that still grows.
//!
//! An id is given as a record boards and counts only once its batch is written. A batch that fails grounds those
//! behind it: none of them was written, and their records wait again.

use super::{
    batch::{Batch, Lane},
    ledger::Ask,
    port::AppendFailed,
};
use std::collections::{HashSet, VecDeque};

/// One at the disk, one that gathers meanwhile.
const BATCHES_MAX: usize = 2;

/// The batches on their way, the oldest first; `R` is the way back to whoever asked.
#[derive(Debug)]
pub(super) struct Flight<R> {
    lane: Lane,
    batches: VecDeque<Aboard<R>>,
    /// What they forget.
    forgetting: HashSet<u64>,
    /// The number of the next batch: never used twice, so that a late word of one that was grounded is known.
    next: u64,
}

/// One batch, and who is aboard.
#[derive(Debug)]
pub(super) struct Aboard<R> {
    number: u64,
    pub(super) batch: Batch,
    /// Who asked for what, and the id that it got; nobody where it is only a look.
    pub(super) asked: Vec<(Ask, R, u64)>,
    bytes: u64,
    result: Option<Result<(), AppendFailed>>,
}

impl<R> Flight<R> {
    pub(super) fn new() -> Self {
        Self { lane: Lane::default(), batches: VecDeque::new(), forgetting: HashSet::new(), next: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Records aboard.
    pub(super) fn records(&self) -> usize {
        self.batches.iter().map(|aboard| aboard.asked.len()).sum()
    }

    /// Bytes that the file grows by.
    pub(super) fn bytes(&self) -> u64 {
        self.batches.iter().map(|aboard| aboard.bytes).sum()
    }

    /// The id that was given last.
    pub(super) fn last_id(&self) -> Option<u64> {
        self.batches.back()?.asked.last().map(|(_, _, id)| *id)
    }

    /// Whether one that is aboard forgets this id.
    pub(super) fn forgets(&self, id: u64) -> bool {
        self.forgetting.contains(&id)
    }

    /// Sends a batch of nothing: a look whether the file is in its place. Nobody boards until it is back.
    pub(super) fn look(&mut self) -> (u64, Batch) {
        self.send()
    }

    /// Takes a record aboard. A batch that must be handed to the writer now is given back; where there is no room
    /// before the next one lands, the record.
    pub(super) fn board(&mut self, line: &[u8], asked: (Ask, R, u64)) -> Result<Option<(u64, Batch)>, (Ask, R)> {
        let looking = self.batches.back().is_some_and(|aboard| aboard.asked.is_empty());
        let grows = !looking && self.batches.back().is_some_and(|aboard| aboard.batch.push(line));
        if looking || (!grows && self.batches.len() == BATCHES_MAX) {
            let (ask, reply, _) = asked;
            return Err((ask, reply));
        }
        let sent = (!grows).then(|| self.send());
        if let Some((_, batch)) = &sent {
            let boarded = batch.push(line);
            debug_assert!(boarded, "nobody has it yet");
        }
        if let Ask::Forget(id) = asked.0 {
            self.forgetting.insert(id);
        }
        let aboard = self.batches.back_mut().expect("one grows, or was sent just now");
        aboard.bytes += line.len() as u64;
        aboard.asked.push(asked);
        Ok(sent)
    }

    /// Takes in how a batch ended; one that was grounded is nobody's.
    pub(super) fn landed(&mut self, number: u64, result: Result<(), AppendFailed>) {
        if let Some(aboard) = self.batches.iter_mut().find(|aboard| aboard.number == number) {
            aboard.result = Some(result);
        }
    }

    /// The oldest batch, once it has ended.
    pub(super) fn next_landed(&mut self) -> Option<(Aboard<R>, Result<(), AppendFailed>)> {
        let result = self.batches.front_mut()?.result.take()?;
        let aboard = self.batches.pop_front()?;
        for (ask, _, _) in &aboard.asked {
            if let Ask::Forget(id) = ask {
                self.forgetting.remove(id);
            }
        }
        Some((aboard, result))
    }

    /// Calls back what is on its way behind a batch that failed: nothing of it was or will be written.
    pub(super) fn ground(&mut self) -> impl DoubleEndedIterator<Item = (Ask, R)> + use<R> {
        self.lane = Lane::default();
        self.forgetting.clear();
        let batches = std::mem::take(&mut self.batches);
        batches.into_iter().flat_map(|aboard| aboard.asked).map(|(ask, reply, _)| (ask, reply))
    }

    fn send(&mut self) -> (u64, Batch) {
        let (number, batch) = (self.next, Batch::new(&self.lane));
        self.next += 1;
        let sent = batch.clone();
        self.batches.push_back(Aboard { number, batch, asked: Vec::new(), bytes: 0, result: None });
        (number, sent)
    }
}

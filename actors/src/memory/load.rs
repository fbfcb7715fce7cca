//! Reads lines into entries, on all cores where there are many: the parts of a file know nothing of each other.

use super::{
    index::{BadLine, Entry, Tombstone},
    line::{self, Bad, Head, Line},
    scan::{self, Piece},
};
use std::{num::NonZero, thread};

/// Bad lines that are remembered one by one; what is more is counted.
pub(super) const BAD_LISTED_MAX: usize = 1_000;
/// Below this a file is read on one thread, bytes.
const PARALLEL_BYTES_MIN: usize = 4 * 1024 * 1024;
/// Most threads that read a file.
const THREADS_MAX: usize = 8;

/// What one part of the file holds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) tombstones: Vec<Tombstone>,
    pub(super) bad: Vec<BadLine>,
    pub(super) bad_count: u64,
    pub(super) max_id: u64,
}

impl Found {
    /// What these lines hold; they begin at `at` in the file.
    pub(super) fn of(bytes: &[u8], at: u64) -> Self {
        let mut found = Self::default();
        let mut bad = Vec::new();
        scan::walk(bytes, at, &mut |piece| {
            if let Some(why) = found.take(&piece) {
                bad.push((piece.at, piece.len, why));
                if bad.len() >= BAD_LISTED_MAX {
                    found.note_bad(bytes, at, &mut bad);
                }
            }
        });
        found.note_bad(bytes, at, &mut bad);
        found
    }

    /// Takes a line in; why, where it is bad.
    fn take(&mut self, piece: &Piece) -> Option<Bad> {
        let Piece { at, len, ref what } = *piece;
        match what {
            Ok(Line::Item(Head { id, ts_ms, kind })) => {
                self.max_id = self.max_id.max(*id);
                self.entries.push(Entry { id: *id, ts_ms: *ts_ms, at, len, kind: *kind, gone: false });
            }
            Ok(Line::Tombstone { id, target }) => {
                self.max_id = self.max_id.max(*id);
                self.tombstones.push(Tombstone { id: *id, target: *target, at, len });
            }
            Ok(Line::NoId | Line::Blank) => {}
            Err(why) => return Some(why.clone()),
        }
        None
    }

    fn note_bad(&mut self, bytes: &[u8], start: u64, bad: &mut Vec<(u64, u32, Bad)>) {
        for (at, len, why) in bad.drain(..) {
            let from = usize::try_from(at - start).unwrap_or(usize::MAX);
            let id = bytes.get(from..).and_then(|line| line::salvaged_id(&line[..(len as usize).min(line.len())]));
            self.max_id = self.max_id.max(id.unwrap_or(0));
            self.bad_count += 1;
            if self.bad.len() < BAD_LISTED_MAX {
                self.bad.push(BadLine { at, len, id, why });
            }
        }
    }
}

/// Scans the file in as many parts as there are cores, cut between lines.
pub(super) fn all(bytes: &[u8]) -> Vec<Found> {
    if bytes.len() < PARALLEL_BYTES_MIN {
        return vec![Found::of(bytes, 0)];
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = bytes.len() / cores.min(THREADS_MAX) + 1;
    let mut parts = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let end = bytes.len().min(from + share);
        let to = memchr::memchr(b'\n', &bytes[end..]).map_or(bytes.len(), |line_end| end + line_end + 1);
        parts.push((from, to));
        from = to;
    }
    thread::scope(|scope| {
        let running: Vec<_> =
            parts.into_iter().map(|(from, to)| scope.spawn(move || Found::of(&bytes[from..to], from as u64))).collect();
        running.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

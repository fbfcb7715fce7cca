//! What is to be said of a file: how much it holds, and every line that is not as it should be.

use super::{index::Index, line, scan};
use serde::{Deserialize, Serialize};

/// Findings of one sort that are listed one by one; what is more is counted.
pub const LISTED_MAX: usize = 1_000;

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStats {
    /// Items that are remembered.
    pub active: u64,
    /// Items that were forgotten and are still in the file.
    pub forgotten: u64,
    /// The file's length, bytes.
    pub bytes: u64,
    /// Ends of the file that were no whole line and lie in files of their own.
    pub torn: u64,
    /// Lines that are none.
    pub bad_lines: u64,
    /// The id that comes next.
    pub next_id: u64,
}

impl MemoryStats {
    /// What an index says; `torn` is counted elsewhere.
    pub fn of(index: &Index, torn: u64) -> Self {
        Self {
            active: index.active() as u64,
            forgotten: index.forgotten() as u64,
            bytes: index.text().len(),
            torn,
            bad_lines: index.bad_count(),
            next_id: index.next_id(),
        }
    }
}

/// Everything that a look at the whole file finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How much there is.
    #[serde(flatten)]
    pub stats: MemoryStats,
    /// Bytes after the last whole line.
    pub torn_bytes: u64,
    /// Lines that are none, in order.
    pub bad: Vec<BadAt>,
    /// Ids that more than one line has.
    pub doubles: Vec<u64>,
    /// Every line that carries a crc was checked; these many carry none.
    pub unsealed: u64,
}

impl Verified {
    /// Whether there is nothing to say.
    pub fn is_clean(&self) -> bool {
        self.stats.bad_lines == 0 && self.doubles.is_empty() && self.torn_bytes == 0
    }
}

/// Where a bad line is, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadAt {
    /// Its number, from 1.
    pub line: u64,
    /// Where it begins, bytes.
    pub offset: u64,
    /// The id that it seems to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What is wrong.
    pub why: String,
}

/// Looks at a whole file.
pub fn verify(bytes: Vec<u8>, torn_files: u64) -> Verified {
    let torn_bytes = (bytes.len() - scan::torn_at(&bytes)) as u64;
    let index = Index::load(bytes);
    let mut numbers = LineNumbers { index: &index, piece_at: 0, line: 1 };
    let bad = index.bad().iter().take(LISTED_MAX).map(|bad| BadAt {
        line: numbers.of(bad.at),
        offset: bad.at,
        id: bad.id,
        why: bad.why.to_string(),
    });
    let bad = bad.collect();
    let mut doubles: Vec<u64> =
        index.entries().windows(2).filter(|pair| pair[0].id == pair[1].id).map(|pair| pair[1].id).collect();
    doubles.dedup();
    doubles.truncate(LISTED_MAX);
    let unsealed = index.entries().iter().map(|entry| (entry.at, entry.len));
    let unsealed = unsealed.chain(index.tombstones().iter().map(|tombstone| (tombstone.at, tombstone.len)));
    let unsealed =
        unsealed.filter(|&(at, len)| line::seal(line::bare(index.line(at, len))) == line::Seal::None).count();
    Verified { stats: MemoryStats::of(&index, torn_files), torn_bytes, bad, doubles, unsealed: unsealed as u64 }
}

/// Counts lines up to rising offsets.
struct LineNumbers<'a> {
    index: &'a Index,
    piece_at: u64,
    line: u64,
}

impl LineNumbers<'_> {
    fn of(&mut self, at: u64) -> u64 {
        // One piece: the file was just loaded.
        if let Some((_, bytes)) = self.index.text().pieces().next() {
            let range = usize::try_from(self.piece_at).ok().zip(usize::try_from(at).ok());
            let passed = range.and_then(|(from, to)| bytes.get(from..to)).unwrap_or_default();
            self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
            self.piece_at = at;
        }
        self.line
    }
}

//! What a file is after it was compacted: the header, the active items and what nobody understood, byte for byte.
//!
//! A line that is not understood is kept: it may be the only copy of something, and compaction is no repair. The line
//! with the highest id is kept whatever it is, because every reader takes the next id from there.

use super::{error::MemoryError, foreign, index::Index, line::Line, scan, time, write};
use memchr::memchr;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How to compact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompactOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Forget for good: no backup, and earlier backups go too.
    pub purge: bool,
}

/// What compaction did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Items that are kept.
    pub kept: u64,
    /// Lines that were removed: forgotten items and tombstones.
    pub removed: u64,
    /// The file's length before, bytes.
    pub bytes_before: u64,
    /// The file's length after, bytes.
    pub bytes_after: u64,
    /// Where the removed lines went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<std::path::PathBuf>,
    /// Whether anything was done.
    pub done: bool,
}

/// A new file, and what it leaves out.
#[derive(Debug)]
pub struct Plan {
    /// The whole new file.
    pub kept: Vec<u8>,
    /// The lines that are not in it.
    pub removed: Vec<u8>,
    /// Items in the new file.
    pub items: u64,
    /// Lines that are left out.
    pub lines_removed: u64,
    /// The index of the new file.
    pub index: Index,
}

/// Makes the new file of `index`, and holds it against the old one.
///
/// # Errors
/// The two would not hold the same items.
pub fn plan(index: &Index, now_ms: i64) -> Result<Plan, MemoryError> {
    let gone: HashSet<u64> = index.entries().iter().filter(|entry| entry.gone).map(|entry| entry.at).collect();
    let last_id = index.next_id() - 1;
    let mut made = Made { kept: Vec::new(), removed: Vec::new(), lines_removed: 0 };
    let mut created = None;
    for (at, bytes) in index.text().pieces() {
        let mut from = 0;
        while let Some(end) = memchr(b'\n', &bytes[from..]) {
            let line = &bytes[from..=from + end];
            if at == 0
                && from == 0
                && let Some(header) = foreign::header(line)
            {
                created = header.created;
            } else {
                made.take(line, at + from as u64, &gone, last_id);
            }
            from += end + 1;
        }
    }
    let created = created.unwrap_or_else(|| time::render(now_ms));
    let mut kept = write::header(&created, Some(index.next_id()));
    kept.append(&mut made.kept);
    let after = Index::load(kept.clone());
    if !same_items(index, &after) || after.next_id() < index.next_id() {
        return Err(MemoryError::CompactionDiffers);
    }
    let items = after.active() as u64;
    Ok(Plan { kept, removed: made.removed, items, lines_removed: made.lines_removed, index: after })
}

struct Made {
    kept: Vec<u8>,
    removed: Vec<u8>,
    lines_removed: u64,
}

impl Made {
    /// Where a line of the old file goes. One that holds several records (a line end was damaged) is taken apart:
    /// kept as a whole, it would revive those of them that are forgotten.
    fn take(&mut self, line: &[u8], at: u64, gone: &HashSet<u64>, last_id: u64) {
        scan::walk(line, at, &mut |piece| {
            let wanted = match piece.what {
                Ok(Line::Item(head)) => !gone.contains(&piece.at) || head.id == last_id,
                // A stranger's tombstone may have a lower id than what it marks; the one without the other is a revival.
                Ok(Line::Tombstone { id, target }) => id == last_id || target == last_id,
                Ok(Line::NoId) | Err(_) => true,
                Ok(Line::Blank) => return,
            };
            let from = usize::try_from(piece.at - at).unwrap_or(usize::MAX);
            let bytes = line.get(from..).and_then(|rest| rest.get(..piece.len as usize)).unwrap_or_default();
            let out = if wanted { &mut self.kept } else { &mut self.removed };
            out.extend_from_slice(bytes);
            out.push(b'\n');
            self.lines_removed += u64::from(!wanted);
        });
    }
}

/// Whether both hold the same lines as active items.
fn same_items(before: &Index, after: &Index) -> bool {
    let lines = |index: &Index| {
        let active = index.entries().iter().filter(|entry| !entry.gone);
        active.map(|entry| index.line(entry.at, entry.len).to_vec()).collect::<Vec<_>>()
    };
    before.active() == after.active() && lines(before) == lines(after)
}

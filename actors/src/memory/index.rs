//! What the file says, ready to be asked: every item by id and by time, every tombstone, every bad line.
//!
//! ```text
//! bytes ─ load ─▶ scan, on all cores ─▶ entries by id ─ tombstones ─▶ gone or not ─▶ by_time
//! lines ─ append ─▶ the same scan, put at the ends
//! ```
//!
//! An entry is 32 bytes and points into the text; an item's content is parsed when somebody asks for it.

use super::{
    foreign,
    item::{Item, ItemKind},
    line::{Bad, Line},
    load::{self, BAD_LISTED_MAX},
    scan,
    text::Text,
};

/// What one call of [`Index::changes`] looks at, bytes, unless a single line is longer.
const CHANGES_BYTES: usize = 1024 * 1024;
/// What a stamp looks at, at either end, bytes.
const STAMP_BYTES: u64 = 4096;
/// Where an item lies, and by what it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: u64,
    /// When, milliseconds since the epoch.
    pub ts_ms: i64,
    /// Where its line begins, bytes.
    pub at: u64,
    /// Its line's length, bytes.
    pub len: u32,
    /// Its kind.
    pub kind: ItemKind,
    /// It was forgotten.
    pub gone: bool,
}

/// The mark that an item is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Its own id.
    pub id: u64,
    /// Whom it marks.
    pub target: u64,
    /// Where its line begins, bytes.
    pub at: u64,
    /// Its line's length, bytes.
    pub len: u32,
}

/// A line that is none of ours, and stays where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Where it begins, bytes.
    pub at: u64,
    /// Its length, bytes.
    pub len: u32,
    /// The id that it seems to have.
    pub id: Option<u64>,
    /// What is wrong.
    pub why: Bad,
}

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An item that is remembered.
    Active,
    /// An item that was forgotten.
    Forgotten,
    /// A tombstone of this item.
    Tombstone(u64),
    /// Nothing that the file has.
    Unknown,
}

/// The whole memory, as the file has it.
#[derive(Debug, Default)]
pub struct Index {
    text: Text,
    /// By id, doubles by place.
    entries: Vec<Entry>,
    /// Positions in `entries`, oldest first; forgotten ones stay until the next load.
    by_time: Vec<u32>,
    /// As the file has them.
    tombstones: Vec<Tombstone>,
    bad: Vec<BadLine>,
    bad_count: u64,
    max_id: u64,
    active: usize,
}

/// What some lines change.
#[derive(Debug, Default)]
pub struct Changes {
    /// Items that are there now, each with the place of its line.
    pub added: Vec<(u64, Item)>,
    /// Places of items that are gone; some were never told of.
    pub removed: Vec<u64>,
    /// Where the next slice begins, bytes.
    pub up_to: u64,
}

impl Index {
    /// Reads a whole file. Bytes after the last `\n` are no line: whoever opens the file mends its end first, and
    /// whoever only looks leaves them out.
    pub fn load(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(scan::torn_at(&bytes));
        let mut index = Self::default();
        for found in load::all(&bytes) {
            if index.entries.is_empty() {
                index.entries = found.entries;
            } else {
                index.entries.extend_from_slice(&found.entries);
            }
            index.tombstones.extend_from_slice(&found.tombstones);
            index.bad.extend(found.bad);
            index.bad_count += found.bad_count;
            index.max_id = index.max_id.max(found.max_id);
        }
        index.bad.truncate(BAD_LISTED_MAX);
        index.text = Text::new(bytes);
        if !index.entries.is_sorted_by_key(|entry| entry.id) {
            index.entries.sort_by_key(|entry| (entry.id, entry.at));
        }
        index.forget_all();
        index.sort_by_time();
        index
    }

    /// Marks what the tombstones name, and notes the others by time. One pass over both, side by side.
    fn forget_all(&mut self) {
        let mut targets: Vec<u64> = self.tombstones.iter().map(|tombstone| tombstone.target).collect();
        targets.sort_unstable();
        let mut targets = targets.into_iter().peekable();
        self.by_time.reserve_exact(self.entries.len());
        let count = u32::try_from(self.entries.len()).expect("an entry has a line: 2^32 of them are 400 GB");
        for (position, entry) in (0..count).zip(&mut self.entries) {
            while targets.next_if(|&target| target < entry.id).is_some() {}
            entry.gone = targets.peek() == Some(&entry.id);
            if !entry.gone {
                self.by_time.push(position);
            }
        }
        self.active = self.by_time.len();
    }

    fn sort_by_time(&mut self) {
        let entries = &self.entries;
        let key = |&at: &u32| (entries[at as usize].ts_ms, entries[at as usize].id);
        if !self.by_time.is_sorted_by_key(key) {
            self.by_time.sort_unstable_by_key(key);
        }
    }

    /// Takes in lines that were appended to the file, whole.
    pub fn append(&mut self, lines: &[u8]) {
        let found = load::Found::of(lines, self.text.len());
        self.text.push(lines);
        self.max_id = self.max_id.max(found.max_id);
        self.bad_count += found.bad_count;
        self.bad.extend(found.bad);
        self.bad.truncate(BAD_LISTED_MAX);
        for entry in found.entries {
            self.insert(entry);
        }
        for tombstone in found.tombstones {
            for at in self.range(tombstone.target) {
                let entry = &mut self.entries[at];
                self.active -= usize::from(!std::mem::replace(&mut entry.gone, true));
            }
            self.tombstones.push(tombstone);
        }
    }

    /// Ids rise, so a new entry comes last; what we write ourselves never comes here otherwise.
    fn insert(&mut self, entry: Entry) {
        debug_assert!(self.entries.last().is_none_or(|last| last.id < entry.id), "ids rise");
        let position = u32::try_from(self.entries.len()).expect("an entry has a line: 2^32 of them are 400 GB");
        let (entries, key) = (&self.entries, (entry.ts_ms, entry.id));
        let later = |&at: &u32| (entries[at as usize].ts_ms, entries[at as usize].id) < key;
        // Nearly always at the end: the clock goes back, or an import brings old times.
        let at = if self.by_time.last().is_none_or(later) {
            self.by_time.len()
        } else {
            self.by_time.partition_point(later)
        };
        self.by_time.insert(at, position);
        self.entries.push(entry);
        self.active += 1;
    }

    /// Where the entries of this id are.
    fn range(&self, id: u64) -> std::ops::Range<usize> {
        let from = self.entries.partition_point(|entry| entry.id < id);
        let doubles = self.entries[from..].iter().take_while(|entry| entry.id == id).count();
        from..from + doubles
    }

    /// What this id stands for.
    pub fn standing(&self, id: u64) -> Standing {
        let entries = &self.entries[self.range(id)];
        if entries.iter().any(|entry| !entry.gone) {
            return Standing::Active;
        }
        if !entries.is_empty() {
            return Standing::Forgotten;
        }
        self.tombstones
            .iter()
            .rev()
            .find(|tombstone| tombstone.id == id)
            .map_or(Standing::Unknown, |tombstone| Standing::Tombstone(tombstone.target))
    }

    /// The active items of this id: one, unless a stranger gave it out twice.
    pub fn get(&self, id: u64) -> impl Iterator<Item = Item> {
        self.entries[self.range(id)].iter().filter(|entry| !entry.gone).filter_map(|entry| self.item(entry))
    }

    /// The item of the line that begins here, if it is remembered.
    pub fn at(&self, at: u64) -> Option<Item> {
        let rest = self.text.from(at);
        let mut id = None;
        let line = &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)];
        scan::walk(line, at, &mut |piece| {
            if let (true, Ok(Line::Item(head))) = (piece.at == at, piece.what) {
                id = Some(head.id);
            }
        });
        let entries = &self.entries[self.range(id?)];
        entries.iter().find(|entry| entry.at == at && !entry.gone).and_then(|entry| self.item(entry))
    }

    /// What the lines from this place on change for whoever knows those before it, a slice at a time.
    pub fn changes(&self, from: u64) -> Changes {
        let rest = self.text.from(from);
        let slice = &rest[..rest.len().min(CHANGES_BYTES)];
        // A line that is longer than a slice comes alone.
        let whole =
            memchr::memrchr(b'\n', slice).or_else(|| memchr::memchr(b'\n', rest)).map_or(rest.len(), |end| end + 1);
        let mut changes = Changes { added: Vec::new(), removed: Vec::new(), up_to: from + whole as u64 };
        scan::walk(&rest[..whole], from, &mut |piece| match piece.what {
            Ok(Line::Item(head)) => {
                let entries = self.entries[self.range(head.id)].iter();
                let item =
                    entries.filter(|entry| entry.at == piece.at && !entry.gone).find_map(|entry| self.item(entry));
                changes.added.extend(item.map(|item| (piece.at, item)));
            }
            Ok(Line::Tombstone { target, .. }) => {
                changes.removed.extend(self.entries[self.range(target)].iter().map(|entry| entry.at));
            }
            _ => {}
        });
        changes
    }

    /// Takes the place of `former`: ids that it gave out do not come again. Its active items that this file does not
    /// know, a line each: somebody cut the file, or put another one in its place.
    pub fn succeed(&mut self, former: &Self) -> Vec<u8> {
        let mut missing = Vec::new();
        let end = former.text.len();
        if self.stamp(end) != former.stamp(end) {
            for entry in former.entries.iter().filter(|entry| !entry.gone && self.range(entry.id).is_empty()) {
                missing.extend_from_slice(former.line(entry.at, entry.len));
                missing.push(b'\n');
            }
        }
        self.max_id = self.max_id.max(former.max_id);
        missing
    }

    /// What tells the lines before this place from those of every other file.
    pub fn stamp(&self, up_to: u64) -> u32 {
        let ends =
            [self.text.crc_before(up_to.min(STAMP_BYTES), STAMP_BYTES), self.text.crc_before(up_to, STAMP_BYTES)];
        crc32c::crc32c(&ends.map(u32::to_le_bytes).concat())
    }

    /// An entry's item. A line that was good when it was read is good; a seal of a stranger can sit on what is none.
    pub fn item(&self, entry: &Entry) -> Option<Item> {
        foreign::item(self.line(entry.at, entry.len)).ok()
    }

    /// The bytes of a line, without the `\n`.
    pub fn line(&self, at: u64, len: u32) -> &[u8] {
        self.text.get(at, len)
    }

    /// Active and forgotten entries by id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Active entries, the newest first, that come after this place in that order. Forgotten ones are left out.
    pub fn newest(&self, before: Option<(i64, u64)>) -> impl Iterator<Item = &Entry> {
        let end = before.map_or(self.by_time.len(), |before| {
            self.by_time.partition_point(|&at| {
                let entry = &self.entries[at as usize];
                (entry.ts_ms, entry.id) < before
            })
        });
        self.by_time[..end].iter().rev().map(|&at| &self.entries[at as usize]).filter(|entry| !entry.gone)
    }

    /// Every tombstone, as the file has them.
    pub fn tombstones(&self) -> &[Tombstone] {
        &self.tombstones
    }

    /// The first bad lines.
    pub fn bad(&self) -> &[BadLine] {
        &self.bad
    }

    /// The file's bytes.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Items that are remembered.
    pub fn active(&self) -> usize {
        self.active
    }

    /// Items that were forgotten and are still in the file.
    pub fn forgotten(&self) -> usize {
        self.entries.len() - self.active
    }

    /// How many lines are bad.
    pub fn bad_count(&self) -> u64 {
        self.bad_count
    }

    /// The id that the next line gets.
    pub fn next_id(&self) -> u64 {
        self.max_id + 1
    }

    /// Memory that is held, bytes.
    pub fn held_bytes(&self) -> usize {
        self.text.held_bytes()
            + self.entries.capacity() * size_of::<Entry>()
            + self.by_time.capacity() * size_of::<u32>()
            + self.tombstones.capacity() * size_of::<Tombstone>()
    }
}

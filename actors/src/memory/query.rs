//! Which items somebody wants to see, and one page of them.

use super::{
    error::MemoryError,
    index::{Entry, Index, Standing},
    item::{Item, ItemKind},
    line,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::ControlFlow, str::FromStr};

/// Items on a page where nobody says.
pub const PAGE_ITEMS_DEFAULT: usize = 50;
/// Most items on a page.
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// What a token is taken for, bytes.
pub const TOKEN_BYTES: usize = 4;
/// What an item costs beyond its texts when a page is held against a number of tokens, bytes.
const ITEM_BYTES: usize = 80;
/// Entries that are looked at before a listing makes way for others.
pub const SLICE_ENTRIES_MAX: usize = 8_192;

/// A listing. Every part that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Of this kind.
    pub kind: Option<ItemKind>,
    /// With all of these tags.
    pub tags: Vec<String>,
    /// From this source.
    pub source: Option<String>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// With this in their content, whatever the case.
    pub text: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
    /// After the last page, which ended with this.
    pub cursor: Option<Cursor>,
    /// At most so many tokens of 4 bytes.
    pub max_tokens: Option<usize>,
}

/// The last item of a page; what follows is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its time, milliseconds since the epoch.
    pub ts_ms: i64,
    /// Its id.
    pub id: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ts_ms, self.id)
    }
}

impl FromStr for Cursor {
    type Err = MemoryError;
    fn from_str(text: &str) -> Result<Self, MemoryError> {
        let parts = text.split_once('.').and_then(|(ts, id)| Some((ts.parse().ok()?, id.parse().ok()?)));
        let unreadable = || MemoryError::Unreadable { what: "the cursor", text: text.chars().take(64).collect() };
        parts.map(|(ts_ms, id)| Self { ts_ms, id }).ok_or_else(unreadable)
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Some items, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next page begins; nothing where this was the last one.
    pub cursor: Option<Cursor>,
    /// The only item did not fit the tokens, and its content is cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A page in the making: fed slice by slice, so that nobody is kept from writing for long.
#[derive(Debug)]
pub struct Listing {
    query: Query,
    text: Option<String>,
    limit: usize,
    bytes_left: usize,
    page: Page,
    last: Option<Cursor>,
}

impl Listing {
    /// Nothing found yet.
    pub fn new(query: Query) -> Self {
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        let limit = query.limit.unwrap_or(PAGE_ITEMS_DEFAULT).clamp(1, PAGE_ITEMS_MAX);
        let bytes_left = query.max_tokens.map_or(usize::MAX, |tokens| tokens.saturating_mul(TOKEN_BYTES));
        Self { last: query.cursor, query, text, limit, bytes_left, page: Page::default() }
    }

    /// Looks at the next slice of entries; the page, once it is complete.
    pub fn look(&mut self, index: &Index) -> ControlFlow<Page> {
        for (seen, entry) in index.newest(self.last.map(|last| (last.ts_ms, last.id))).enumerate() {
            if seen == SLICE_ENTRIES_MAX {
                return ControlFlow::Continue(());
            }
            if self.query.since.is_some_and(|since| entry.ts_ms < since.as_millisecond()) {
                break; // all that follow are older
            }
            if let Some(item) = self.wanted(index, entry)
                && !self.add(item)
            {
                return ControlFlow::Break(std::mem::take(&mut self.page));
            }
            self.last = Some(Cursor { ts_ms: entry.ts_ms, id: entry.id });
        }
        self.page.cursor = None;
        ControlFlow::Break(std::mem::take(&mut self.page))
    }

    fn wanted(&self, index: &Index, entry: &Entry) -> Option<Item> {
        let Query { kind, until, .. } = &self.query;
        let fits = kind.is_none_or(|kind| kind == entry.kind)
            && until.is_none_or(|until| entry.ts_ms < until.as_millisecond());
        let item = fits.then(|| index.item(entry))??;
        let fits = self.query.tags.iter().all(|tag| item.tags.contains(tag))
            && self.query.source.as_ref().is_none_or(|source| item.source.as_ref() == Some(source))
            && self.text.as_ref().is_none_or(|text| item.content.to_lowercase().contains(text.as_str()));
        fits.then_some(item)
    }

    /// Adds an item; whether there was room. The cursor is left at the last one that had.
    fn add(&mut self, mut item: Item) -> bool {
        if self.page.items.len() == self.limit {
            return false;
        }
        let mut bytes = bytes_of(&item);
        if bytes > self.bytes_left {
            if !self.page.items.is_empty() {
                return false;
            }
            // Alone it is still too large: its beginning is better than an empty page for ever.
            let content_bytes = self.bytes_left.saturating_sub(bytes - item.content.len());
            item.content.truncate(boundary(&item.content, content_bytes));
            self.page.cut = true;
            bytes = self.bytes_left;
        }
        self.bytes_left -= bytes;
        self.page.cursor = Some(Cursor { ts_ms: item.ts.as_millisecond(), id: item.id });
        self.page.items.push(item);
        true
    }
}

fn bytes_of(item: &Item) -> usize {
    let tags: usize = item.tags.iter().map(|tag| tag.len() + 3).sum();
    ITEM_BYTES + item.content.len() + tags + item.source.as_ref().map_or(0, String::len)
}

/// The last boundary of a character that is not after `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// A whole page at once, for who holds the index alone.
pub fn page(index: &Index, query: Query) -> Page {
    let mut listing = Listing::new(query);
    loop {
        if let ControlFlow::Break(page) = listing.look(index) {
            return page;
        }
    }
}

/// Where a search found something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Where its line begins, bytes.
    pub at: u64,
    /// How well it fits; more is better.
    pub score: f64,
}

/// An item that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// How well it fits (BM25); more is better.
    pub score: f64,
    /// The item.
    #[serde(flatten)]
    pub item: Item,
}

/// The active items of an id, or why there is none.
///
/// # Errors
/// No such item, a forgotten one, or a tombstone's id.
pub fn get(index: &Index, id: u64) -> Result<Vec<Item>, MemoryError> {
    match index.standing(id) {
        Standing::Active => Ok(index.get(id).collect()),
        Standing::Forgotten => Err(MemoryError::Forgotten { id }),
        Standing::Tombstone(target) => Err(MemoryError::IsTombstone { id, target }),
        Standing::Unknown => Err(MemoryError::NoItem { id }),
    }
}

/// Lines of active items with an id above `after`, as they are in the file, until they have `bytes_max`; and the
/// last id among them, where more follow.
pub fn export(index: &Index, after: u64, bytes_max: usize) -> (String, Option<u64>) {
    let from = index.entries().partition_point(|entry| entry.id <= after);
    let mut lines = String::new();
    let mut last = None;
    for entry in index.entries()[from..].iter().filter(|entry| !entry.gone) {
        // Doubles stay together, or the next page would leave one of them out.
        if lines.len() >= bytes_max && last != Some(entry.id) {
            return (lines, last);
        }
        lines.push_str(&String::from_utf8_lossy(line::bare(index.line(entry.at, entry.len))));
        lines.push('\n');
        last = Some(entry.id);
    }
    (lines, None)
}

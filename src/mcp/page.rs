//! One page of a listing, which ends before it passes a number of tokens. Pure.

use super::{
    answer::{self, Given},
    arguments::{Arg, Arguments, Shape},
};
use serde::Serialize;
use serde_json::{Value, json};

/// What a token is taken for, bytes.
pub(crate) const TOKEN_BYTES: usize = 4;
/// Entries on a page where nobody says.
const LIMIT_DEFAULT: usize = 20;
/// Most entries on a page.
pub(crate) const LIMIT_MAX: u64 = 100;
/// Tokens of a page where nobody says.
const TOKENS_DEFAULT: usize = 4_000;
/// Fewest tokens that hold an entry.
const TOKENS_MIN: u64 = 100;
/// Most tokens of a page.
const TOKENS_MAX: u64 = 100_000;
/// What a page takes beside its entries, bytes.
const FRAME_BYTES: usize = 120;
/// Longest cursor, characters.
const CURSOR_CHARS_MAX: usize = 200;

/// How many.
pub(crate) const LIMIT: Arg =
    Arg::may("limit", Shape::Number { min: 1, max: LIMIT_MAX }, "most entries of the page; 20 by default");
/// From where on.
pub(crate) const CURSOR: Arg = Arg::may(
    "cursor",
    Shape::Text { chars_max: CURSOR_CHARS_MAX },
    "next_cursor of the page before; the first page without it",
);
/// Of what size.
pub(crate) const MAX_TOKENS: Arg = Arg::may(
    "max_tokens",
    Shape::Number { min: TOKENS_MIN, max: TOKENS_MAX },
    "the page ends before it has more tokens, 4 bytes each; 4,000 by default. A single entry that is longer is cut",
);

/// What was asked of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    pub(crate) limit: usize,
    bytes: usize,
}

/// The entries that a page has room for.
#[derive(Debug, Default, PartialEq)]
struct Packed {
    entries: Vec<Value>,
    /// The only entry did not fit, and its longest text is cut.
    cut: bool,
}

impl Paging {
    /// As the arguments say.
    pub(crate) fn of(args: &Arguments) -> Self {
        let number =
            |name, default| args.number(name).map_or(default, |number| usize::try_from(number).unwrap_or(default));
        Self { limit: number(LIMIT.name, LIMIT_DEFAULT), bytes: number(MAX_TOKENS.name, TOKENS_DEFAULT) * TOKEN_BYTES }
    }

    /// A page as a tool gives it: `{LIST: […], "next_cursor", "cut"}`. One more than the limit shows that more follow;
    /// `cursor` says where, by how many there are on this page and the last one of them.
    pub(crate) fn page<T: Serialize, C: Serialize>(
        self,
        list: &str,
        found: &[T],
        long: &str,
        cursor: impl FnOnce(usize, &T) -> C,
    ) -> Given {
        let Packed { entries, cut } = self.pack(found, long);
        let count = entries.len();
        let last = found[..count].last().filter(|_| count < found.len());
        answer::value(&json!({ list: entries, "next_cursor": last.map(|last| cursor(count, last)), "cut": cut }))
    }

    /// As many of these as there is room for, at least one; of a single one that is too long the text `long` is cut.
    fn pack<T: Serialize>(self, entries: impl IntoIterator<Item = T>, long: &str) -> Packed {
        let mut left = self.bytes.saturating_sub(FRAME_BYTES);
        let mut packed = Packed::default();
        for entry in entries.into_iter().take(self.limit) {
            let mut entry = serde_json::to_value(entry).unwrap_or_default();
            let bytes = entry.to_string().len() + 1;
            if bytes > left {
                if packed.entries.is_empty() {
                    shorten(&mut entry, long, bytes - left);
                    packed = Packed { entries: vec![entry], cut: true };
                }
                break;
            }
            left -= bytes;
            packed.entries.push(entry);
        }
        packed
    }
}

/// Takes `surplus` bytes of JSON off a text.
fn shorten(entry: &mut Value, long: &str, surplus: usize) {
    let Some(Value::String(text)) = entry.get_mut(long) else { return };
    let written: usize = text.chars().map(written_bytes).sum();
    let mut room = written.saturating_sub(surplus);
    let keep = text.char_indices().find(|(_, c)| {
        let bytes = written_bytes(*c);
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        !fits
    });
    if let Some((at, _)) = keep {
        text.truncate(at);
    }
}

/// What a character takes in JSON.
fn written_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(texts: &[String]) -> Vec<Value> {
        texts.iter().enumerate().map(|(id, text)| json!({ "id": id, "content": text })).collect()
    }

    proptest! {
        /// Whoever goes on where a page ended sees every entry once, and no page but that of a cut one is too long.
        #[test]
        fn pages_hold_everything_once_and_none_is_too_long(
            texts in prop::collection::vec("(\\PC|[\\x00-\\x1f\"\\\\]){0,300}", 0..40),
            tokens in 100..400_usize,
            limit in 1..20_usize,
        ) {
            let (all, paging) = (entries(&texts), Paging { limit, bytes: tokens * TOKEN_BYTES });
            let (mut at, mut seen) = (0, 0);
            while at < all.len() {
                let packed = paging.pack(&all[at..], "content");
                prop_assert!(!packed.entries.is_empty() && packed.entries.len() <= limit);
                let page = json!({ "items": packed.entries, "next_cursor": "x".repeat(40), "cut": packed.cut });
                prop_assert!(page.to_string().len() <= tokens * TOKEN_BYTES, "{} of {}", page.to_string().len(), tokens * TOKEN_BYTES);
                seen += packed.entries.iter().filter(|entry| entry["id"].as_u64().is_some()).count();
                if !packed.cut {
                    prop_assert_eq!(&packed.entries[..], &all[at..at + packed.entries.len()]);
                }
                at += packed.entries.len();
            }
            prop_assert_eq!(seen, all.len());
        }
    }

    #[test]
    fn a_single_long_entry_is_cut_at_a_character() {
        let paging = Paging { limit: 5, bytes: 400 };
        let packed = paging.pack(entries(&["🐦\"".repeat(1_000), "b".into()]), "content");
        assert!(packed.cut && packed.entries.len() == 1);
        let text = packed.entries[0]["content"].as_str().unwrap();
        assert!(text.starts_with("🐦\"🐦") && packed.entries[0].to_string().len() <= 400, "{text}");
    }
}

//! One line of the file: what its head says, and whether it can be trusted.
//!
//! ```text
//! {"id":7,"ts":"2026-05-13T04:52:03.123Z","kind":"fact","content":"…","tags":["a"],"source":"s","crc":"0a1b2c3d"}
//! └──────────── the head: all that a start needs to know ────────┘                          └──── seal ────┘
//! ```
//!
//! The seal is CRC32C over the bytes before it. Where it holds, the line is what we wrote, and its head can be read
//! without a JSON parser; where it does not, the line is bad. A line without a seal comes from another writer and
//! is parsed as a whole ([`super::foreign`]).

use super::{
    foreign,
    item::{ID_MAX, ItemKind},
    time,
};
use std::fmt;

/// Longest line that is looked into, bytes. The longest that we can write has about 400 KiB, every byte escaped.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// What stands before the eight digits of the seal.
pub(super) const SEAL: &[u8] = b",\"crc\":\"";
/// The whole seal with the end of its object, bytes.
pub(super) const SEAL_BYTES: usize = SEAL.len() + 8 + 2;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Something remembered.
    Item(Head),
    /// The mark that an item is forgotten.
    Tombstone {
        /// Its own id.
        id: u64,
        /// Whom it marks.
        target: u64,
    },
    /// A header or a stranger's line: no `id`, so none of our business.
    NoId,
    /// White space.
    Blank,
}

/// The part of an item by which it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: u64,
    /// When, milliseconds since the epoch.
    pub ts_ms: i64,
    /// Its kind.
    pub kind: ItemKind,
}

/// Why a line is none of ours, and stays where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// Over [`LINE_BYTES_MAX`].
    TooLong,
    /// The seal does not hold.
    Seal,
    /// No JSON object, or none with the right keys.
    Shape(String),
    /// An id of 0, above 2^53 - 1, or one that is no whole number.
    Id,
    /// A time that is missing or out of range.
    Time,
    /// A kind that is missing or not known.
    Kind,
    /// A tombstone without a target.
    Target,
    /// An item without a text.
    Content,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {LINE_BYTES_MAX} bytes"),
            Self::Seal => f.write_str("the crc does not match"),
            Self::Shape(why) => write!(f, "not the JSON of an item: {why}"),
            Self::Id => f.write_str("the id is no whole number from 1 to 2^53 - 1"),
            Self::Time => f.write_str("ts is no time, or out of range"),
            Self::Kind => f.write_str("kind is not fact, pref, context or forget"),
            Self::Target => f.write_str("a forget without a target"),
            Self::Content => f.write_str("content is no text"),
        }
    }
}

/// Reads a line, without its `\n`. A byte order mark before it and a `\r` after it are other tools' habits.
///
/// # Errors
/// Why it is bad.
pub fn read(line: &[u8]) -> Result<Line, Bad> {
    let line = bare(line);
    if line.len() > LINE_BYTES_MAX {
        return Err(Bad::TooLong);
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(Line::Blank);
    }
    match seal(line) {
        Seal::Holds => head(line).map_or_else(|| foreign::read(line), Ok),
        Seal::Broken => Err(Bad::Seal),
        Seal::None => foreign::read(line),
    }
}

/// The line without what other tools put around it.
pub(super) fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    Holds,
    Broken,
    None,
}

/// Judges the seal of a bare line. A `crc` that stands anywhere but at the end seals nothing.
pub(super) fn seal(line: &[u8]) -> Seal {
    let Some(at) = line.len().checked_sub(SEAL_BYTES) else { return Seal::None };
    let (body, seal) = line.split_at(at);
    let (Some(digits), true) = (seal.strip_prefix(SEAL), seal.ends_with(b"\"}")) else { return Seal::None };
    let written = &digits[..8];
    if written == hex(crc32c::crc32c(body)) {
        Seal::Holds
    } else if written.iter().all(|digit| HEX.contains(digit)) {
        Seal::Broken
    } else {
        Seal::None
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// As the seal has it. The digits of a seal are noise, and reading them takes a guess at each: that took longer than
/// the checksum.
fn hex(crc: u32) -> [u8; 8] {
    std::array::from_fn(|nth| HEX[(crc >> (28 - 4 * nth)) as usize & 15])
}

/// The head of a line that is written as we write; nothing where another sealed it in another order.
fn head(line: &[u8]) -> Option<Line> {
    let (id, rest) = number(line.strip_prefix(b"{\"id\":")?)?;
    let rest = rest.strip_prefix(b",\"ts\":\"")?;
    let ts_ms = time::written(rest.get(..time::WRITTEN_BYTES)?)?;
    let rest = rest.get(time::WRITTEN_BYTES..)?.strip_prefix(b"\",\"kind\":\"")?;
    let item = |kind| Some(Line::Item(Head { id, ts_ms, kind }));
    match rest.first()? {
        b'f' if rest.starts_with(b"fact\",\"content\":\"") => item(ItemKind::Fact),
        b'p' if rest.starts_with(b"pref\",\"content\":\"") => item(ItemKind::Pref),
        b'c' if rest.starts_with(b"context\",\"content\":\"") => item(ItemKind::Context),
        b'f' => {
            let (target, _) = number(rest.strip_prefix(b"forget\",\"target\":")?)?;
            Some(Line::Tombstone { id, target })
        }
        _ => None,
    }
}

/// A number from 1 to 2^53 - 1 that something follows.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    if end == 0 || end > 16 || text[0] == b'0' {
        return None;
    }
    let number = text[..end].iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (number <= ID_MAX).then_some((number, &text[end..]))
}

/// The id that a bad line seems to have: the next id must be above it, so that a mended line is no double.
pub(super) fn salvaged_id(line: &[u8]) -> Option<u64> {
    let (id, rest) = number(bare(line).strip_prefix(b"{\"id\":")?)?;
    matches!(rest.first(), Some(b',' | b'}')).then_some(id)
}

/// The version of the format that a file's first line names; nothing where it has no header.
pub fn header_version(file: &[u8]) -> Option<u64> {
    let first = &file[..memchr::memchr(b'\n', file)?];
    foreign::header(first).filter(|header| header.format == "memory.jsonl").map(|header| header.version)
}

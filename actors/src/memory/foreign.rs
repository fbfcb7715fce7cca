//! A line as another tool may have written it: any order of keys, any spelling that is JSON.
//!
//! The same parser reads the whole of an item, ours too, once somebody asks for its content.

use super::{
    item::{ID_MAX, Item, ItemKind},
    line::{Bad, Head, Line, bare},
    time,
};
use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, marker::PhantomData};

/// What a line is, read by its keys.
///
/// # Errors
/// Why it is bad.
pub(super) fn read(line: &[u8]) -> Result<Line, Bad> {
    judge(&parse(line)?)
}

fn judge(keys: &Keys<'_>) -> Result<Line, Bad> {
    let Some(id) = keys.id else { return Ok(Line::NoId) };
    let id = number(id).ok_or(Bad::Id)?;
    let kind = keys.kind.and_then(text).ok_or(Bad::Kind)?;
    if kind == "forget" {
        let target = keys.target.and_then(number).ok_or(Bad::Target)?;
        return Ok(Line::Tombstone { id, target });
    }
    let kind = ItemKind::of(&kind).ok_or(Bad::Kind)?;
    let ts_ms = keys.ts.and_then(moment).ok_or(Bad::Time)?;
    match keys.content {
        Some(content) if content.get().starts_with('"') => Ok(Line::Item(Head { id, ts_ms, kind })),
        _ => Err(Bad::Content),
    }
}

/// The whole item of a line that was read as one.
///
/// # Errors
/// Why it is none.
pub fn item(line: &[u8]) -> Result<Item, Bad> {
    let keys = parse(bare(line))?;
    let Line::Item(Head { id, ts_ms, kind }) = judge(&keys)? else { return Err(Bad::Kind) };
    let content = keys.content.and_then(text).ok_or(Bad::Content)?.into_owned();
    // Tags and source of a stranger may have any shape; what is no text is no word to find it by.
    let tags = keys.tags.and_then(|tags| serde_json::from_str::<Vec<&RawValue>>(tags.get()).ok()).unwrap_or_default();
    Ok(Item {
        id,
        ts: Timestamp::from_millisecond(ts_ms).map_err(|_| Bad::Time)?,
        kind,
        content,
        tags: tags.into_iter().filter_map(text).map(Cow::into_owned).collect(),
        source: keys.source.and_then(text).map(Cow::into_owned).filter(|source| !source.is_empty()),
        source_id: keys.source_id.and_then(number),
    })
}

/// The version that a header names; nothing where the line is no header.
pub(super) fn header(line: &[u8]) -> Option<Header> {
    #[derive(Deserialize)]
    struct First {
        meta: Header,
    }
    serde_json::from_slice::<First>(bare(line)).ok().map(|first| first.meta)
}

/// The first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Header {
    /// Always `memory.jsonl`.
    pub(super) format: String,
    pub(super) version: u64,
    /// When the file was made, as it was written.
    pub(super) created: Option<String>,
}

fn parse(line: &[u8]) -> Result<Keys<'_>, Bad> {
    serde_json::from_slice(line).map_err(|error| Bad::Shape(error.to_string()))
}

fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().strip_prefix('"')?.strip_suffix('"') {
        Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str(raw.get()).ok().map(Cow::Owned),
    }
}

/// An id: a whole number, however it is spelled (`7`, `7.0`, `1e3`).
fn number(raw: &RawValue) -> Option<u64> {
    let number = match serde_json::from_str::<u64>(raw.get()) {
        Ok(number) => number,
        Err(_) => {
            let float: f64 = serde_json::from_str(raw.get()).ok()?;
            let whole = float.fract() == 0.0 && (1.0..=9_007_199_254_740_991.0).contains(&float);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in range")]
            whole.then_some(float as u64)?
        }
    };
    (1..=ID_MAX).contains(&number).then_some(number)
}

fn moment(raw: &RawValue) -> Option<i64> {
    match text(raw) {
        Some(text) => time::parse(&text),
        None => {
            let float = || serde_json::from_str::<f64>(raw.get()).ok().filter(|at| at.abs() < 1e15);
            #[allow(clippy::cast_possible_truncation, reason = "in range; a fraction of a second is no matter")]
            let number = serde_json::from_str::<i64>(raw.get()).ok().or_else(|| float().map(|at| at as i64))?;
            time::of_epoch(number)
        }
    }
}

/// The keys that matter, each as it stands in the line. Of a key that comes twice the last one counts, as it does
/// for most readers.
#[derive(Default)]
struct Keys<'a> {
    id: Option<&'a RawValue>,
    ts: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    target: Option<&'a RawValue>,
    content: Option<&'a RawValue>,
    tags: Option<&'a RawValue>,
    source: Option<&'a RawValue>,
    source_id: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Walk<'a> {
            type Value = Keys<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Keys<'a>, M::Error> {
                let mut keys = Keys::default();
                while let Some(Key(key)) = map.next_key()? {
                    let place = match &*key {
                        "id" => &mut keys.id,
                        "ts" => &mut keys.ts,
                        "kind" => &mut keys.kind,
                        "target" => &mut keys.target,
                        "content" => &mut keys.content,
                        "tags" => &mut keys.tags,
                        "source" => &mut keys.source,
                        "source_id" => &mut keys.source_id,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *place = Some(map.next_value()?);
                }
                Ok(keys)
            }
        }
        deserializer.deserialize_map(Walk(PhantomData))
    }
}

/// A key: borrowed where it is spelled without escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Text<'a> {
            type Value = Key<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

//! What can be remembered, and its limits.

use super::error::MemoryError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Largest content, bytes.
pub const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// Most tags of an item.
pub const TAGS_MAX: usize = 32;
/// Longest tag, bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// Longest source, bytes.
pub const SOURCE_BYTES_MAX: usize = 128;
/// The largest id that every reader of the format holds exactly: 2^53 - 1.
pub const ID_MAX: u64 = (1 << 53) - 1;

/// What sort of thing is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// Something that is so.
    Fact,
    /// How somebody wants it.
    Pref,
    /// What was going on.
    Context,
}

impl ItemKind {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 3] = [("fact", Self::Fact), ("pref", Self::Pref), ("context", Self::Context)];

    /// As the file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Pref => "pref",
            Self::Context => "context",
        }
    }

    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

impl std::str::FromStr for ItemKind {
    type Err = MemoryError;
    fn from_str(name: &str) -> Result<Self, MemoryError> {
        Self::of(name).ok_or_else(|| MemoryError::UnknownKind { kind: name.chars().take(64).collect() })
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number; never given out twice.
    pub id: u64,
    /// When it was noted, to the millisecond.
    #[serde(with = "written_time")]
    pub ts: Timestamp,
    /// What sort of thing.
    pub kind: ItemKind,
    /// What is remembered.
    pub content: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its number in the file that it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<u64>,
}

/// Something to be remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// `fact`, `pref` or `context`; judged by [`NewItem::check`].
    pub kind: String,
    /// What is remembered.
    pub content: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who noted it.
    #[serde(default)]
    pub source: Option<String>,
    /// When; now, where nothing is said.
    #[serde(default)]
    pub ts: Option<Timestamp>,
    /// Its number elsewhere.
    #[serde(default)]
    pub source_id: Option<u64>,
}

/// Something to be remembered that fits every limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedItem {
    pub(super) kind: ItemKind,
    pub(super) content: String,
    pub(super) tags: Vec<String>,
    pub(super) source: Option<String>,
    pub(super) ts: Option<Timestamp>,
    pub(super) source_id: Option<u64>,
}

impl NewItem {
    /// Something of this kind, without tags and source.
    pub fn new(kind: &str, content: impl Into<String>) -> Self {
        Self { kind: kind.into(), content: content.into(), tags: vec![], source: None, ts: None, source_id: None }
    }

    /// Holds it against the limits.
    ///
    /// # Errors
    /// What does not fit, and the limit.
    pub fn check(self) -> Result<CheckedItem, MemoryError> {
        let kind = self.kind.parse()?;
        if self.content.trim().is_empty() {
            return Err(MemoryError::Empty { what: "the content" });
        }
        fits("the content", &self.content, CONTENT_BYTES_MAX)?;
        if self.tags.len() > TAGS_MAX {
            return Err(MemoryError::TooManyTags { count: self.tags.len() });
        }
        for tag in &self.tags {
            word("a tag", tag, TAG_BYTES_MAX)?;
        }
        let source = self.source.filter(|source| !source.is_empty());
        if let Some(source) = &source {
            word("the source", source, SOURCE_BYTES_MAX)?;
        }
        let Self { content, tags, ts, source_id, .. } = self;
        Ok(CheckedItem { kind, content, tags, source, ts, source_id })
    }
}

impl CheckedItem {
    /// What it takes of the room for what waits, bytes.
    pub(super) fn weight(&self) -> usize {
        const LINE_BYTES: usize = 128;
        LINE_BYTES + self.content.len() + self.tags.iter().map(|tag| tag.len() + 3).sum::<usize>()
    }
}

/// A tag or a source: one line that a person can see and type again.
fn word(what: &'static str, text: &str, bytes_max: usize) -> Result<(), MemoryError> {
    if text.trim().is_empty() {
        return Err(MemoryError::Empty { what });
    }
    // The last two end a line as well.
    if text.contains(|at: char| at.is_control() || matches!(at, '\u{2028}' | '\u{2029}')) {
        return Err(MemoryError::ControlCharacter { what });
    }
    fits(what, text, bytes_max)
}

fn fits(what: &'static str, text: &str, bytes_max: usize) -> Result<(), MemoryError> {
    if text.len() > bytes_max {
        return Err(MemoryError::TooLong { what, bytes: text.len(), bytes_max });
    }
    Ok(())
}

/// RFC 3339 UTC with milliseconds, as the file has it.
mod written_time {
    use super::super::time;
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::render(at.as_millisecond()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(item: NewItem) -> &'static str {
        item.check().map_or_else(|error| error.code(), |_| "fits")
    }

    #[test]
    fn every_limit_is_a_typed_refusal() {
        let fact = |content: &str| NewItem::new("fact", content);
        let tagged = |tags: &[&str]| NewItem { tags: tags.iter().map(|&tag| tag.into()).collect(), ..fact("x") };
        let from = |source: &str| NewItem { source: Some(source.into()), ..fact("x") };
        for (item, wanted) in [
            (fact("x"), "fits"),
            (fact(&"x".repeat(CONTENT_BYTES_MAX)), "fits"),
            (fact("two\nlines\tand \u{0} NUL"), "fits"),
            (tagged(&["a b", "ä"]), "fits"),
            (from(""), "fits"),
            (NewItem::new("note", "x"), "unknown-kind"),
            (fact(""), "empty"),
            (fact(" \n"), "empty"),
            (fact(&"x".repeat(CONTENT_BYTES_MAX + 1)), "too-long"),
            (tagged(&["a\nb"]), "control-character"),
            (tagged(&["a\u{2028}b"]), "control-character"),
            (tagged(&[""]), "empty"),
            (tagged(&["x".repeat(65).as_str()]), "too-long"),
            (tagged(&["x"; TAGS_MAX + 1]), "too-many-tags"),
            (from(&"x".repeat(SOURCE_BYTES_MAX + 1)), "too-long"),
            (from("a\rb"), "control-character"),
        ] {
            assert_eq!(code(item.clone()), wanted, "{item:?}");
        }
    }
}

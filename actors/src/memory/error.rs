//! What the memory can refuse or fail at.

use super::item::{ItemKind, TAGS_MAX};
use crate::error::Kind;
use std::path::PathBuf;

/// Why the memory does not do what was asked. Part of [`crate::error::FleetError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// Items have one of three kinds.
    #[error("{kind:?} is no kind of item")]
    UnknownKind {
        /// What was given.
        kind: String,
    },
    /// Nothing, or only white space.
    #[error("{what} is empty")]
    Empty {
        /// What.
        what: &'static str,
    },
    /// A tag or a source with a line break or the like.
    #[error("{what} holds a control character")]
    ControlCharacter {
        /// What.
        what: &'static str,
    },
    /// Over a limit.
    #[error("{what} has {bytes} bytes; {bytes_max} are the limit")]
    TooLong {
        /// What.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Over the limit of tags.
    #[error("{count} tags; {TAGS_MAX} are the limit")]
    TooManyTags {
        /// How many.
        count: usize,
    },
    /// No item has this id.
    #[error("there is no item {id}")]
    NoItem {
        /// What was asked for.
        id: u64,
    },
    /// The item was forgotten.
    #[error("item {id} is forgotten")]
    Forgotten {
        /// Which.
        id: u64,
    },
    /// The id is one of a tombstone.
    #[error("{id} is no item: it is the mark that item {target} is forgotten")]
    IsTombstone {
        /// Which.
        id: u64,
        /// What it marks.
        target: u64,
    },
    /// A query without a word in it, or one that can not be read.
    #[error("the query {why}")]
    BadQuery {
        /// What is wrong.
        why: String,
    },
    /// A time, a cursor or the like that can not be read.
    #[error("{what} can not be read: {text:?}")]
    Unreadable {
        /// What.
        what: &'static str,
        /// What was given.
        text: String,
    },
    /// No id is left below 2^53.
    #[error("no id is left")]
    IdsSpent,
    /// Another process has the file.
    #[error("{} is held by {holder}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Who, and since when: `pid 4242 (coalmine), since 2026-11-21 01:23:45Z`.
        holder: String,
    },
    /// Something in that place that is no memory file.
    #[error("{} {why}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        why: &'static str,
    },
    /// The file is gone, and items were in it.
    #[error("{} is gone; it held {items_known} items, the last id was {last_id}", path.display())]
    MissingStore {
        /// The file.
        path: PathBuf,
        /// Items that the index or a backup knows of.
        items_known: u64,
        /// The highest id among them.
        last_id: u64,
    },
    /// The file is written in a later version of the format.
    #[error("{} has version {version} of the format; this program writes version 1", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// Locks do not exclude on this file system.
    #[error("locks on {} exclude nobody: a network file system?", path.display())]
    NoLocks {
        /// The file.
        path: PathBuf,
    },
    /// What was written may be durable or not.
    #[error("the disk did not confirm the write, so it may be kept or not: {why}")]
    Indeterminate {
        /// What the kernel said.
        why: String,
    },
    /// Compaction would have changed what is remembered; nothing was replaced.
    #[error("the compacted file would not hold the same items; the file stays as it was")]
    CompactionDiffers,
}

impl MemoryError {
    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        use MemoryError as E;
        match self {
            E::UnknownKind { .. }
            | E::Empty { .. }
            | E::ControlCharacter { .. }
            | E::TooLong { .. }
            | E::TooManyTags { .. }
            | E::IsTombstone { .. }
            | E::BadQuery { .. }
            | E::Unreadable { .. } => Kind::Usage,
            E::NoItem { .. } | E::Forgotten { .. } => Kind::NotFound,
            E::Held { .. } => Kind::Held,
            E::MissingStore { .. } | E::Newer { .. } | E::NotAFile { .. } | E::NoLocks { .. } => Kind::Config,
            E::IdsSpent | E::Indeterminate { .. } | E::CompactionDiffers => Kind::Failed,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        use MemoryError as E;
        match self {
            E::UnknownKind { .. } => "unknown-kind",
            E::Empty { .. } => "empty",
            E::ControlCharacter { .. } => "control-character",
            E::TooLong { .. } => "too-long",
            E::TooManyTags { .. } => "too-many-tags",
            E::NoItem { .. } => "no-item",
            E::Forgotten { .. } => "forgotten",
            E::IsTombstone { .. } => "is-tombstone",
            E::BadQuery { .. } => "bad-query",
            E::Unreadable { .. } => "unreadable",
            E::IdsSpent => "ids-spent",
            E::Held { .. } => "memory-held",
            E::NotAFile { .. } => "not-a-file",
            E::MissingStore { .. } => "missing-store",
            E::Newer { .. } => "newer-format",
            E::NoLocks { .. } => "no-locks",
            E::Indeterminate { .. } => "indeterminate",
            E::CompactionDiffers => "compaction-differs",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        use MemoryError as E;
        match self {
            E::UnknownKind { .. } => {
                let kinds: Vec<_> = ItemKind::ALL.iter().map(|(name, _)| *name).collect();
                format!("use one of {}", kinds.join(", "))
            }
            E::Empty { .. } => "say something".into(),
            E::ControlCharacter { .. } => "write it on one line, without control characters".into(),
            E::TooLong { .. } => "shorten it; large content goes in as an attachment".into(),
            E::TooManyTags { .. } => "choose the best ones".into(),
            E::NoItem { .. } => "`coalmine memory list` shows the ids".into(),
            E::Forgotten { .. } => "it was forgotten on purpose; `coalmine memory list` shows what is kept".into(),
            E::IsTombstone { .. } => "what was forgotten stays forgotten; add it again".into(),
            E::BadQuery { .. } => "give words to look for; a word may end with *".into(),
            E::Unreadable { .. } => {
                "times are RFC 3339 or an age like 2h; a cursor is what the last page ended with".into()
            }
            E::IdsSpent => "export the items, and import them into a new file".into(),
            E::Held { .. } => "try again, wait longer with --wait TIME, or end that process".into(),
            E::NotAFile { .. } => "move it away, or choose another place with --root DIR".into(),
            E::MissingStore { .. } => "restore it, or `coalmine memory init --empty` to begin anew".into(),
            E::Newer { .. } => "use the newer coalmine; nothing was written".into(),
            E::NoLocks { .. } => {
                "put the state on a local disk, or allow it with --allow-unlocked where nobody else writes".into()
            }
            E::Indeterminate { .. } => "look whether it is there before you say it again".into(),
            E::CompactionDiffers => "`coalmine memory verify` lists what is wrong with the file".into(),
        }
    }
}

//! One store of keys and values: a redb database, whose writes are on disk before they are answered.
//!
//! It is redb's own file, so that a kill at any moment leaves the state after some answered write.

use super::memory::Memory;
use bytes::Bytes;
use coalmine_actors::effects::{argument::CONTENTS_BYTES_MAX, error::EffectError};
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError,
    backends::FileBackend,
};
use std::{
    fs::File,
    io,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The one table of a store.
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("kv");
/// What is kept in memory of each store, bytes.
const CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a file may be for anything more to be put in, bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// The same for a session's own, which is in memory.
const OWN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most bytes of keys of one page.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Keys, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) keys: Vec<String>,
    /// Whether more of them follow.
    pub(super) more: bool,
}

/// How long a store is.
#[derive(Debug)]
enum Length {
    /// As its file is: a second descriptor, of which redb's locks are no matter.
    File(File),
    Memory(Arc<AtomicU64>),
}

impl Length {
    /// Refuses what does not fit behind what is there.
    fn room(&self, more: usize) -> Result<(), EffectError> {
        let (len, max) = match self {
            Self::File(file) => (file.metadata()?.len(), FILE_BYTES_MAX),
            Self::Memory(len) => (len.load(Ordering::Relaxed), OWN_BYTES_MAX),
        };
        if len + more as u64 > max { Err(EffectError::limit("store", max)) } else { Ok(()) }
    }
}

/// A store. Those who share it read side by side; writes are made one after the other.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
    length: Length,
}

impl Store {
    /// An empty one in memory.
    ///
    /// # Errors
    /// redb's.
    pub(super) fn in_memory() -> Result<Self, EffectError> {
        let memory = Memory::default();
        let length = Length::Memory(memory.len());
        Ok(Self { database: builder().create_with_backend(memory).map_err(refused)?, length })
    }

    /// The one in `file`, which may be empty; nothing where somebody has it open.
    ///
    /// # Errors
    /// It is something else, damaged, or longer than a store may be.
    pub(super) fn in_file(file: File) -> Result<Option<Self>, EffectError> {
        let length = Length::File(file.try_clone()?);
        // redb doubles a file as it grows.
        if file.metadata()?.len() > 2 * FILE_BYTES_MAX {
            return Err(EffectError::limit("store", FILE_BYTES_MAX));
        }
        match FileBackend::new(file).and_then(|file| builder().create_with_backend(file)) {
            Ok(database) => Ok(Some(Self { database, length })),
            Err(DatabaseError::DatabaseAlreadyOpen) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// What stands there; nothing before the first write.
    fn table(&self) -> Result<Option<ReadOnlyTable<&'static str, &'static [u8]>>, EffectError> {
        match self.database.begin_read().map_err(refused)?.open_table(TABLE) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Bytes>, EffectError> {
        let Some(table) = self.table()? else { return Ok(None) };
        let Some(found) = table.get(key).map_err(refused)? else { return Ok(None) };
        let value = found.value();
        if value.len() > CONTENTS_BYTES_MAX {
            return Err(EffectError::limit("value", CONTENTS_BYTES_MAX as u64));
        }
        Ok(Some(Bytes::copy_from_slice(value)))
    }

    pub(super) fn contains(&self, key: &str) -> Result<bool, EffectError> {
        let Some(table) = self.table()? else { return Ok(false) };
        Ok(table.get(key).map_err(refused)?.is_some())
    }

    pub(super) fn put(&self, key: &str, value: &[u8]) -> Result<(), EffectError> {
        self.length.room(value.len())?;
        let change = self.database.begin_write().map_err(refused)?;
        change.open_table(TABLE).map_err(refused)?.insert(key, value).map_err(refused)?;
        change.commit().map_err(refused)
    }

    /// Whether it was there.
    pub(super) fn delete(&self, key: &str) -> Result<bool, EffectError> {
        let change = self.database.begin_write().map_err(refused)?;
        let was_there = change.open_table(TABLE).map_err(refused)?.remove(key).map_err(refused)?.is_some();
        if was_there {
            change.commit().map_err(refused)?;
        } else {
            change.abort().map_err(refused)?;
        }
        Ok(was_there)
    }

    /// At most `count` keys that begin with `prefix` and come behind `after`.
    pub(super) fn list(&self, prefix: &str, after: Option<&str>, count: usize) -> Result<Page, EffectError> {
        let mut page = Page { keys: Vec::new(), more: false };
        let Some(table) = self.table()? else { return Ok(page) };
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let mut bytes = 0;
        for entry in table.range::<&str>((from, Bound::Unbounded)).map_err(refused)? {
            let (key, _) = entry.map_err(refused)?;
            let key = key.value();
            if !key.starts_with(prefix) {
                break;
            }
            bytes += key.len();
            if page.keys.len() == count || (bytes > PAGE_BYTES_MAX && !page.keys.is_empty()) {
                page.more = true;
                break;
            }
            page.keys.push(key.to_owned());
        }
        Ok(page)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES_MAX);
    builder
}

/// What redb says. It knows of no names, so its words lead nowhere.
fn refused(error: impl Into<redb::Error>) -> EffectError {
    use redb::Error;
    match error.into() {
        // What redb says of a file that is none of its own.
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => none_of_ours(),
        Error::Io(error) => EffectError::Io { kind: error.kind() },
        Error::Corrupted(_)
        | Error::UpgradeRequired(_)
        | Error::RepairAborted
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TypeDefinitionChanged { .. } => none_of_ours(),
        Error::ValueTooLarge(_) => EffectError::limit("value", CONTENTS_BYTES_MAX as u64),
        // After a write that failed nothing can be said of what is in the cache.
        Error::PreviousIo => EffectError::bad(
            "handle",
            "an earlier write to its store failed: close all handles on it, and open it again",
        ),
        error => EffectError::Internal(format!("redb: {error}")),
    }
}

fn none_of_ours() -> EffectError {
    EffectError::bad("path", "what is there is no store of keys and values, or a damaged one")
}

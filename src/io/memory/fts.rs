//! The cache that is searched: SQLite FTS5 beside the memory, ranked by BM25. Losing it loses nothing.
//!
//! A row is a line: its number is the line's offset in the file. `state` says up to which offset the lines are in,
//! with a stamp of them; a stamp that does not fit (the file was compacted, or mended by hand) means to begin anew.
//! The texts themselves are not kept, only their words.

use coalmine_actors::{
    error::FleetError,
    memory::{
        MemoryError,
        index::Changes,
        port::{MemorySearch, Shelf},
        query::Ranked,
    },
    ports::Answer,
};
use rusqlite::{Connection, OpenFlags, params};
use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The shape of the tables; another one is made anew.
const VERSION: i64 = 1;
/// Most words of a query.
const WORDS_MAX: usize = 32;
/// Most items that are ranked: the newest of those that fit. Finding items is cheap and ranking them is not, and words
/// that more items have say little about any of them.
const RANKED_MAX: i64 = 2_048;
/// Lines that are taken in at once, bytes, from which on the words are put together at the end: a search that must
/// look into many small parts takes twice as long.
const TOGETHER_BYTES_MIN: u64 = 4 * 1024 * 1024;
const SHAPE: &str = "
    CREATE VIRTUAL TABLE items USING fts5(content, tags, content='', contentless_delete=1,
                                          tokenize='unicode61 remove_diacritics 2');
    CREATE TABLE state (version INTEGER, up_to INTEGER, stamp INTEGER, items INTEGER, last_id INTEGER);";

/// The adapter of the port [`MemorySearch`]. Clones share it.
#[derive(Debug, Clone)]
pub struct FtsCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Nothing: in memory, gone with us.
    path: Option<PathBuf>,
    open: Mutex<Option<Connection>>,
}

impl FtsCache {
    /// A cache in this file, which only the holder of the memory's lock may use.
    pub fn at(path: PathBuf) -> Self {
        Self(Arc::new(Inner { path: Some(path), open: Mutex::default() }))
    }

    /// A cache that is made anew and kept nowhere, for who may not write.
    pub fn in_memory() -> Self {
        Self(Arc::new(Inner { path: None, open: Mutex::default() }))
    }

    /// Works on an open cache; one that is broken is removed and made anew, once.
    fn with<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let inner = Arc::clone(&self.0);
        super::blocking::answer(move || {
            let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
            let mut attempt = || {
                if open.is_none() {
                    *open = Some(connect(inner.path.as_deref())?);
                }
                let connection = open.as_mut().expect("it was opened just now");
                work(connection).inspect_err(|_| *open = None)
            };
            attempt()
                .or_else(|error| {
                    tracing::warn!(%error, "the memory's index is made anew");
                    if let Some(path) = &inner.path {
                        remove(path);
                    }
                    attempt()
                })
                .map_err(unavailable)
        })
    }
}

fn unavailable(error: rusqlite::Error) -> FleetError {
    FleetError::Unavailable { store: "memory index", why: error.to_string() }
}

impl MemorySearch for FtsCache {
    fn catch_up(&self, shelf: Shelf) -> Answer<()> {
        self.with(move |connection| catch_up(connection, &shelf))
    }

    fn search(&self, shelf: Shelf, words: String, limit: usize) -> Answer<Vec<Ranked>> {
        let query = match query_of(&words) {
            Ok(query) => query,
            Err(error) => return Box::pin(async move { Err(error.into()) }),
        };
        self.with(move |connection| {
            catch_up(connection, &shelf)?;
            find(connection, &query, limit)
        })
    }

    fn discard(&self) -> Answer<()> {
        let inner = Arc::clone(&self.0);
        super::blocking::answer(move || {
            *inner.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
            if let Some(path) = &inner.path {
                remove(path);
            }
            Ok(())
        })
    }
}

/// How many items a cache knows of, and the highest id among them; nothing where there is none that can be read.
pub(super) fn known(path: &Path) -> Option<(u64, u64)> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let row = connection.query_row("SELECT items, last_id FROM state", [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (items, last_id): (i64, i64) = row.ok()?;
    Some((items.try_into().ok()?, last_id.try_into().ok()?))
}

fn connect(path: Option<&Path>) -> rusqlite::Result<Connection> {
    let Some(path) = path else {
        let connection = Connection::open_in_memory()?;
        make(&connection)?;
        return Ok(connection);
    };
    // Made here, so that it is private from its first byte on.
    let made = std::fs::File::options().append(true).create(true).mode(0o600).open(path);
    made.map_err(|error| rusqlite::Error::InvalidPath(format!("{}: {error}", path.display()).into()))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    // Whole after a crash of ours and after a power cut; the last changes may be missing, and are caught up with.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // No such table, in a file that is new or none of ours.
    let version: Option<i64> = connection.query_row("SELECT version FROM state", [], |row| row.get(0)).ok();
    if version != Some(VERSION) {
        connection.execute_batch("DROP TABLE IF EXISTS items; DROP TABLE IF EXISTS state;")?;
        make(&connection)?;
    }
    Ok(connection)
}

fn make(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SHAPE)?;
    connection.execute("INSERT INTO state VALUES (?, 0, 0, 0, 0)", [VERSION])?;
    Ok(())
}

/// Removes the cache and what SQLite keeps beside it.
fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _not_there = std::fs::remove_file(super::beside(path, suffix));
    }
}

/// Takes in what the memory has and the cache has not, slice by slice: the shelf is never held for long.
fn catch_up(connection: &mut Connection, shelf: &Shelf) -> rusqlite::Result<()> {
    let change = connection.transaction()?;
    let (up_to, stamp): (i64, i64) =
        change.query_row("SELECT up_to, stamp FROM state", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut up_to, mut stamp) = (u64::try_from(up_to).unwrap_or(0), u32::try_from(stamp).unwrap_or(0));
    let mut taken_in_bytes = 0;
    let mut changed = false;
    loop {
        // Looked at under one hold: a compaction may put another file on the shelf between two slices.
        let changes = {
            let index = shelf.read();
            if up_to > index.text().len() || index.stamp(up_to) != stamp {
                None
            } else if up_to == index.text().len() {
                break;
            } else {
                let changes = index.changes(up_to);
                stamp = index.stamp(changes.up_to);
                Some(changes)
            }
        };
        changed = true;
        match changes {
            Some(changes) => {
                taken_in_bytes += changes.up_to - up_to;
                up_to = changes.up_to;
                apply(&change, changes)?;
            }
            None => {
                change.execute("INSERT INTO items(items) VALUES ('delete-all')", [])?;
                (up_to, stamp) = (0, shelf.read().stamp(0));
            }
        }
    }
    if taken_in_bytes >= TOGETHER_BYTES_MIN {
        change.execute("INSERT INTO items(items) VALUES ('optimize')", [])?;
    }
    if changed {
        let (items, last_id) = {
            let index = shelf.read();
            (index.active() as u64, index.next_id() - 1)
        };
        change.execute(
            "UPDATE state SET up_to = ?, stamp = ?, items = ?, last_id = ?",
            params![row(up_to), i64::from(stamp), row(items), row(last_id)],
        )?;
    }
    change.commit()
}

fn apply(change: &Connection, changes: Changes) -> rusqlite::Result<()> {
    let mut add = change.prepare("INSERT INTO items(rowid, content, tags) VALUES (?, ?, ?)")?;
    for (at, item) in changes.added {
        add.execute(params![row(at), item.content, item.tags.join(" ")])?;
    }
    let mut remove = change.prepare("DELETE FROM items WHERE rowid = ?")?;
    for at in changes.removed {
        remove.execute([row(at)])?;
    }
    Ok(())
}

/// SQLite counts with a sign; a file has less than 2^63 bytes.
fn row(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn find(connection: &Connection, query: &str, limit: usize) -> rusqlite::Result<Vec<Ranked>> {
    let mut oldest = connection.prepare(
        "SELECT ifnull((SELECT rowid FROM items WHERE items MATCH ? ORDER BY rowid DESC LIMIT 1 OFFSET ?), 0)",
    )?;
    let oldest: i64 = oldest.query_row(params![query, RANKED_MAX - 1], |row| row.get(0))?;
    let mut find =
        connection.prepare("SELECT rowid, rank FROM items WHERE items MATCH ? AND rowid >= ? ORDER BY rank LIMIT ?")?;
    let found = find.query_map(params![query, oldest, row(limit as u64)], |row| {
        let (at, rank): (i64, f64) = (row.get(0)?, row.get(1)?);
        // FTS5 ranks downwards: the best is the lowest.
        Ok(Ranked { at: u64::try_from(at).unwrap_or(u64::MAX), score: -rank })
    });
    found?.collect()
}

/// A person's words as a query: each must be there; `*` at a word's end stands for any ending. Nothing in them is
/// an operator.
fn query_of(words: &str) -> Result<String, MemoryError> {
    let bad = |why: String| MemoryError::BadQuery { why };
    let words: Vec<_> = words.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).collect();
    if words.is_empty() {
        return Err(bad("has no word in it".into()));
    }
    if words.len() > WORDS_MAX {
        return Err(bad(format!("has {} words; {WORDS_MAX} are the limit", words.len())));
    }
    let quoted = words.iter().map(|word| match word.strip_suffix('*') {
        Some(beginning) => format!("\"{}\"*", beginning.replace('"', "\"\"")),
        None => format!("\"{}\"", word.replace('"', "\"\"")),
    });
    Ok(quoted.collect::<Vec<_>>().join(" "))
}

//! What lies around a memory file: ends that were put aside, backups, and the cache. Where the file itself is gone,
//! they know what it held.

use super::{fts, read::read_bytes};
use coalmine_actors::{
    error::FleetError,
    memory::{MemoryError, index::Index},
};
use std::path::{Path, PathBuf};

/// How many torn ends were put aside.
pub fn torn_count(path: &Path) -> u64 {
    beside_with(path, |rest| rest.starts_with(".torn-")).len() as u64
}

/// The backups of compactions.
pub(super) fn backups(path: &Path) -> Vec<PathBuf> {
    beside_with(path, |rest| rest.strip_suffix(".bak").is_some_and(|stem| stem.starts_with('.')))
}

/// Refuses to make a new file where an old one has left traces of items: its ids would be given out again, and
/// nobody would notice what is lost.
pub(super) fn nothing_was_there(path: &Path, cache: &Path) -> Result<(), FleetError> {
    let (mut items_known, mut last_id) = fts::known(cache).unwrap_or_default();
    for backup in backups(path) {
        let index = Index::load(read_bytes(&backup)?);
        items_known += index.entries().len() as u64;
        last_id = last_id.max(index.next_id() - 1);
    }
    if items_known == 0 {
        return Ok(());
    }
    Err(MemoryError::MissingStore { path: path.to_owned(), items_known, last_id }.into())
}

/// Files whose name is that of `path` with something behind it.
fn beside_with(path: &Path, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|other| other.strip_prefix(name).is_some_and(&fits)).map(|name| folder.join(name)).collect()
}

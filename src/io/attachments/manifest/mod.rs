//! The manifest as a small SQLite database: WAL, every transaction synced, one thread that writes and one that reads.
//!
//! `rows.rs` is the shape of the tables, `write.rs` follows the rules of `actors/src/attachments/book.rs`, `ask.rs`
//! answers questions. A model test holds the two against each other.

mod ask;
mod rows;
#[cfg(test)]
mod tests;
mod write;

use crate::io::sqlite::{Database, Store};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, Intent, Session,
        book::BlobRow,
        change::{BlobState, Change, Changed},
        manifest::{Manifest, Orphans, Totals},
        store::Page,
    },
    error::FleetError,
    ports::{Answer, BoxFuture},
};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::StatVfsMountFlags;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// As errors name it.
const STORE: &str = "attachments' manifest";
/// What to do where it is damaged.
const IF_DAMAGED: &str = "end the daemon, and move it away with the -wal and -shm beside it: the bytes stay, none of them is \
                          removed, and whoever puts the same ones again refers to them again";

/// The adapter of the port [`Manifest`] for one file.
#[derive(Debug)]
pub struct SqliteManifest(Database);

impl SqliteManifest {
    /// The manifest in this file, which need not exist; its folder must.
    pub fn new(path: PathBuf) -> Self {
        let store = Store { what: STORE, path, if_damaged: IF_DAMAGED };
        Self(Database::new(store, rows::make, ["manifest-writer", "manifest-reader"]))
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let place = self.0.place();
        let open = move || place.connect().or_else(|error| connect_frozen(&place.path).ok_or(error));
        self.0.reading.run(open, |connection| question(connection))
    }
}

/// Opens the file of a disk that nobody can write to, as it was left: SQLite would want to write beside it even to
/// read. Not where a log lies beside it that is not in the file yet.
fn connect_frozen(path: &Path) -> Option<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let logged = std::fs::metadata(PathBuf::from(log)).is_ok_and(|log| log.len() > 0);
    let read_only = rustix::fs::statvfs(path).ok()?.f_flag.contains(StatVfsMountFlags::RDONLY);
    let plain = path.to_str().filter(|path| !logged && read_only && !path.contains(['?', '#', '%']))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{plain}?immutable=1"), flags).ok()
}

impl Manifest for SqliteManifest {
    fn apply(&self, changes: Arc<Vec<Change>>) -> BoxFuture<Result<Vec<Changed>, FleetError>> {
        self.0.write(move |connection| write::apply(connection, &changes))
    }

    fn holds(&self, session: Session, id: AttachmentId) -> Answer<bool> {
        self.ask(move |connection| ask::holds(connection, &session, id))
    }

    fn owes(&self, id: AttachmentId) -> Answer<bool> {
        self.ask(move |connection| ask::owes(connection, id))
    }

    fn row(&self, id: AttachmentId) -> Answer<Option<BlobRow>> {
        self.ask(move |connection| ask::row(connection, id))
    }

    fn knows_length(&self, byte_len: u64) -> Answer<bool> {
        self.ask(move |connection| ask::knows_length(connection, byte_len))
    }

    fn usage(&self, session: Session) -> Answer<(u64, u64)> {
        self.ask(move |connection| Ok((ask::held_by(connection, &session)?, ask::total(connection)?)))
    }

    fn totals(&self) -> Answer<Totals> {
        self.ask(ask::totals)
    }

    fn list(&self, session: Option<Session>, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        self.ask(move |connection| ask::list(connection, session.as_ref(), after, limit))
    }

    fn uncommitted(&self, before_ms: i64, skip: usize, limit: usize) -> Answer<Vec<Intent>> {
        self.ask(move |connection| ask::uncommitted(connection, before_ms, skip, limit))
    }

    fn orphans(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Orphans> {
        self.ask(move |connection| ask::orphans(connection, after, limit))
    }

    fn unfinished(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Vec<(AttachmentId, BlobState)>> {
        self.ask(move |connection| ask::unfinished(connection, after, limit))
    }

    fn unreadable(&self) -> Answer<Vec<String>> {
        self.ask(ask::unreadable)
    }
}

/// A change that the rules refuse, as what it came to.
fn refused(error: AttachmentError) -> Changed {
    Changed::Refused(error)
}

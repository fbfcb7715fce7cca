//! The manifest as a small SQLite database: WAL, every transaction synced, one thread that writes and one that reads.
//!
//! `rows.rs` is the shape of the tables, `write.rs` follows the rules of `actors/src/attachments/book.rs`, `ask.rs`
//! answers questions. A model test holds the two against each other.

mod ask;
mod rows;
#[cfg(test)]
mod tests;
mod write;

use crate::io::worker::Worker;
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
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Questions that may wait for the thread that answers them.
const WAITING_MAX: usize = 1_024;
/// How long a lock that somebody else holds is waited for.
const BUSY_WAIT: Duration = Duration::from_millis(500);

/// The adapter of the port [`Manifest`] for one file.
#[derive(Debug)]
pub struct SqliteManifest {
    place: Arc<Place>,
    /// Opened by the first transaction; the readers' follows it, so that there is something to read.
    writing: Arc<Mutex<Option<Connection>>>,
    reading: Arc<Mutex<Option<Connection>>>,
    writer: Worker,
    reader: Worker,
}

/// Where it is.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// One thread at a time opens it: the first one makes the tables.
    opening: Mutex<()>,
}

impl SqliteManifest {
    /// The manifest in this file, which need not exist; its folder must.
    pub fn new(path: PathBuf) -> Self {
        Self {
            place: Arc::new(Place { path, opening: Mutex::new(()) }),
            writing: Arc::default(),
            reading: Arc::default(),
            writer: Worker::new("manifest-writer", WAITING_MAX),
            reader: Worker::new("manifest-reader", WAITING_MAX),
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let open = |place: &Place| connect(place).or_else(|error| connect_frozen(&place.path).ok_or(error));
        on(&self.reader, &self.reading, Arc::clone(&self.place), open, |connection| question(connection))
    }
}

/// Runs `work` on a thread with its connection, which is opened where it is not and closed where it fails.
fn on<T: Send + 'static>(
    worker: &Worker,
    connection: &Arc<Mutex<Option<Connection>>>,
    place: Arc<Place>,
    connect: impl FnOnce(&Place) -> rusqlite::Result<Connection> + Send + 'static,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Answer<T> {
    let (connection, at) = (Arc::clone(connection), Arc::clone(&place));
    let begun = worker.run(move || {
        let mut open = connection.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some(connect(&place)?);
        }
        let connection = open.as_mut().expect("it was opened just now");
        let result = work(connection);
        // What SQLite has seen of a broken file it does not forget while it is open.
        if matches!(&result, Err(error) if !is_busy(error)) {
            *open = None;
        }
        result
    });
    Box::pin(async move {
        let begun = begun.map_err(|_full| FleetError::Busy { what: "too much waits for the manifest".into() })?;
        let panicked = |_lost| FleetError::Internal("the manifest's thread panicked".into());
        begun.await.map_err(panicked)?.map_err(|error| refusal(error, &at.path))
    })
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

/// What passes by itself is unavailable, what somebody must do something about is damaged.
fn refusal(error: rusqlite::Error, path: &Path) -> FleetError {
    use rusqlite::{Error, ErrorCode};
    let hint = match (&error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) => {
            "end the daemon, and move it away with the -wal and -shm beside it: the bytes stay, none of them is removed, and \
             whoever puts the same ones again refers to them again"
        }
        (_, Some(ErrorCode::DiskFull)) => return FleetError::io("write", path, rustix::io::Errno::NOSPC.into()),
        (Error::ToSqlConversionFailure(_newer), _) => "use the newer coalmine; nothing was written",
        _ => return FleetError::Unavailable { store: "attachments' manifest", why: error.to_string() },
    };
    FleetError::Damaged { path: path.to_owned(), why: error.to_string(), hint: hint.into() }
}

/// Opens the file for a process that already holds the fleet's lock.
fn connect(Place { path, opening }: &Place) -> rusqlite::Result<Connection> {
    let _alone = opening.lock().unwrap_or_else(PoisonError::into_inner);
    // Made here, so that it is private from its first byte on. A link is nobody's manifest, and a FIFO hangs nobody.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let made = std::fs::File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    made.map_err(|error| rusqlite::Error::InvalidPath(format!("{}: {error}", path.display()).into()))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(64);
    rows::make(&connection)?;
    Ok(connection)
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
        let work = move |connection: &mut Connection| write::apply(connection, &changes);
        on(&self.writer, &self.writing, Arc::clone(&self.place), connect, work)
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

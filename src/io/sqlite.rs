//! A small SQLite database of ours: private, WAL, every transaction synced, each lane a thread with a connection of its
//! own.

use super::worker::Worker;
use coalmine_actors::{error::FleetError, ports::Answer};
use rusqlite::Connection;
use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Questions that may wait for one thread.
const WAITING_MAX: usize = 1_024;
/// How long a lock that somebody else holds is waited for.
const BUSY_WAIT: Duration = Duration::from_millis(500);
/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 64;

/// Whose file it is.
#[derive(Debug)]
pub(super) struct Store {
    /// As errors name it.
    pub(super) what: &'static str,
    /// Where it is.
    pub(super) path: PathBuf,
    /// What to do where it is damaged.
    pub(super) if_damaged: &'static str,
}

impl Store {
    /// What passes by itself is unavailable, what somebody must do something about is damaged.
    fn refusal(&self, error: rusqlite::Error) -> FleetError {
        use rusqlite::{Error, ErrorCode};
        let hint = match (&error, error.sqlite_error_code()) {
            (_, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) => self.if_damaged,
            (_, Some(ErrorCode::DiskFull)) => {
                return FleetError::io("write", &self.path, rustix::io::Errno::NOSPC.into());
            }
            (Error::ToSqlConversionFailure(_newer), _) => "use the newer coalmine; nothing was written",
            _ => return FleetError::Unavailable { store: self.what, why: error.to_string() },
        };
        FleetError::Damaged { path: self.path.clone(), why: error.to_string(), hint: hint.into() }
    }
}

/// A database whose writes and questions do not wait for each other.
#[derive(Debug)]
pub(super) struct Database {
    place: Arc<Place>,
    writing: Lane,
    pub(super) reading: Lane,
}

/// Where it is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    make: fn(&Connection) -> rusqlite::Result<()>,
    /// One thread at a time opens it: the first one makes the tables.
    opening: Mutex<()>,
}

impl Place {
    /// Opens the file for a process that already holds the fleet's lock.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = open(&self.path)?;
        (self.make)(&connection)?;
        Ok(connection)
    }
}

impl Database {
    /// The database of a store, which need not exist; its folder must. `make` makes the tables where there are none.
    /// Its threads have these names: the one that writes, and the one that answers questions.
    pub(super) fn new(store: Store, make: fn(&Connection) -> rusqlite::Result<()>, threads: [&'static str; 2]) -> Self {
        let store = Arc::new(store);
        let place = Place { path: store.path.clone(), make, opening: Mutex::new(()) };
        let [writing, reading] = threads.map(|thread| Lane::new(Arc::clone(&store), thread));
        Self { place: Arc::new(place), writing, reading }
    }

    /// Where it is, for whoever opens it in a way of its own.
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// Runs `work` on the thread that writes, behind what was asked of it before.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let place = self.place();
        self.writing.run(move || place.connect(), work)
    }

    /// Asks on the thread that reads.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let place = self.place();
        self.reading.run(move || place.connect(), |connection| question(connection))
    }
}

/// A thread and its connection, which is opened by the first work and again after one that failed.
#[derive(Debug)]
pub(super) struct Lane {
    store: Arc<Store>,
    worker: Worker,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Lane {
    /// A lane of this store, whose thread has this name.
    fn new(store: Arc<Store>, thread: &'static str) -> Self {
        Self { store, worker: Worker::new(thread, WAITING_MAX), connection: Arc::default() }
    }

    /// Runs `work` on the lane's thread.
    pub(super) fn run<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> rusqlite::Result<Connection> + Send + 'static,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (connection, store) = (Arc::clone(&self.connection), Arc::clone(&self.store));
        let begun = self.worker.run(move || {
            let mut kept = connection.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.is_none() {
                *kept = Some(open()?);
            }
            let connection = kept.as_mut().expect("it was opened just now");
            let result = work(connection);
            // What SQLite has seen of a broken file it does not forget while it is open.
            if matches!(&result, Err(error) if !is_busy(error)) {
                *kept = None;
            }
            result
        });
        Box::pin(async move {
            let what = store.what;
            let begun = begun.map_err(|_full| FleetError::Busy { what: format!("too much waits for the {what}") })?;
            let panicked = |_lost| FleetError::Internal(format!("the thread of the {what} panicked"));
            begun.await.map_err(panicked)?.map_err(|error| store.refusal(error))
        })
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

/// Opens the file for a process that already holds the fleet's lock; it is made where it is missing.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    // Made here, so that it is private from its first byte on. A link is nobody's store, and a FIFO hangs nobody.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let made = std::fs::File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    made.map_err(|error| rusqlite::Error::InvalidPath(format!("{}: {error}", path.display()).into()))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Makes the tables of `shape` where there are none; it ends by setting `user_version` to `version`.
///
/// # Errors
/// The file is of a newer program.
pub(super) fn shaped(connection: &Connection, what: &str, version: i64, shape: &str) -> rusqlite::Result<()> {
    match connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? {
        0 => connection.execute_batch(&format!("BEGIN IMMEDIATE; {shape} COMMIT;")),
        found if found == version => Ok(()),
        newer => {
            let why = format!("version {newer} of the {what} is of a newer coalmine; this one writes {version}");
            Err(rusqlite::Error::ToSqlConversionFailure(why.into()))
        }
    }
}

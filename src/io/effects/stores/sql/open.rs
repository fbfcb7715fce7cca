//! Opens a database so that no statement leads out of it, fills the disk, or runs for ever.

use super::{
    authorize::authorize,
    refusal::{denied, refused},
    until::Until,
    vfs,
};
use crate::io::effects::fs::database::Within;
use coalmine_actors::effects::{argument::CONTENTS_BYTES_MAX, error::EffectError};
use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    hooks::{AuthContext, Authorization},
    limits::Limit,
};
use rustix::fd::{AsRawFd, OwnedFd};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Largest database in a file, bytes.
pub(super) const FILE_BYTES_MAX: i64 = 1024 * 1024 * 1024;
/// Largest one in memory, bytes.
pub(super) const MEMORY_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// All temporary tables of one database, bytes.
const TEMPORARY_BYTES_MAX: i64 = 256 * 1024 * 1024;
/// How long is waited for whoever else writes.
const BUSY_TIME_MAX: Duration = Duration::from_secs(2);
/// After so many steps of a statement it is looked whether it is to end.
const STEPS: i32 = 1_000;
/// Longest pattern of LIKE and GLOB, bytes: the time that one takes is that of pattern times text, and no step.
const PATTERN_BYTES_MAX: i32 = 1_000;

/// What SQLite asks about while a statement is read and runs.
#[derive(Clone)]
struct Now {
    until: Arc<Mutex<Until>>,
    /// Whether something of it was denied: SQLite's own word for that is at times another error.
    denied: Arc<AtomicBool>,
}

impl Now {
    fn is_over(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_over()
    }

    fn begin(&self, until: Until) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        self.denied.store(false, Ordering::Relaxed);
    }
}

/// An open database. A statement runs [`Until`] something.
pub(super) struct Database {
    connection: Connection,
    /// Of the statement that runs now.
    now: Now,
    /// The folder by whose number SQLite knows its files; closed after the connection.
    _folder: Option<OwnedFd>,
}

impl Database {
    /// A new one in memory.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn in_memory() -> Result<Self, EffectError> {
        let connection = Connection::open_in_memory_with_flags(flags()).map_err(refused)?;
        Self::confine(connection, MEMORY_BYTES_MAX, None)
    }

    /// The one in this file, which is there.
    ///
    /// # Errors
    /// It is no database, or one that shares memory with others (WAL).
    pub(super) fn at(file: Within) -> Result<Self, EffectError> {
        let name = file.name.to_str().ok_or_else(|| EffectError::bad("path", "its name is no text"))?;
        let path = format!("{}{}/{name}", vfs::BENEATH, file.folder.as_raw_fd());
        let vfs = vfs::name().ok_or_else(|| EffectError::unsupported("SQLite without its way to files"))?;
        let connection = Connection::open_with_flags_and_vfs(path, flags(), vfs).map_err(refused)?;
        Self::confine(connection, FILE_BYTES_MAX, Some(file.folder))
    }

    fn confine(connection: Connection, bytes_max: i64, folder: Option<OwnedFd>) -> Result<Self, EffectError> {
        let now = Now { until: Arc::new(Mutex::new(Until::now())), denied: Arc::default() };
        confine(&connection, bytes_max, &now).map_err(refused)?;
        Ok(Self { connection, now, _folder: folder })
    }

    /// What `work` does, which ends at `until` at the latest.
    pub(super) fn run<T>(
        &mut self,
        until: Until,
        work: impl FnOnce(&Connection) -> Result<T, EffectError>,
    ) -> Result<T, EffectError> {
        if until.is_over() {
            return Err(EffectError::Timeout { phase: "queue" });
        }
        self.now.begin(until);
        work(&self.connection).map_err(|error| if self.now.denied.load(Ordering::Relaxed) { denied() } else { error })
    }
}

/// Only what is there, never by an URI, and by one thread alone.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn confine(connection: &Connection, bytes_max: i64, now: &Now) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIME_MAX)?;
    // A file that somebody prepared: its schema calls nothing that reaches out, and its pages are looked at before use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Reads the file: what is no database is known from now on.
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    pages_max(connection, "main", bytes_max / page_bytes)?;
    pages_max(connection, "temp", TEMPORARY_BYTES_MAX / page_bytes)?;
    let bytes = i32::try_from(CONTENTS_BYTES_MAX).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    let (of_steps, of_words) = (now.clone(), now.clone());
    connection.progress_handler(STEPS, Some(move || of_steps.is_over()))?;
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        let verdict = authorize(context);
        if verdict == Authorization::Deny {
            of_words.denied.store(true, Ordering::Relaxed);
        }
        verdict
    }))
}

fn pages_max(connection: &Connection, of: &str, pages: i64) -> rusqlite::Result<()> {
    // It answers with what holds now.
    connection.query_row(&format!("PRAGMA {of}.max_page_count = {pages}"), [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::{super::statement, *};
    use coalmine_actors::effects::argument::Parameters;

    #[test]
    fn an_endless_statement_ends_at_its_deadline_and_the_database_serves_on() {
        let mut database = Database::in_memory().unwrap();
        let mut run = |sql: &str, time| {
            let (until, _waiting) = Until::after(time);
            database.run(until, |connection| statement::query(connection, sql, &Parameters::default(), 0, 1))
        };
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n";
        let ended = run(endless, Duration::from_millis(20)).unwrap_err();
        assert_eq!(ended, EffectError::Timeout { phase: "statement" });
        let late = run("SELECT 1", Duration::ZERO).unwrap_err();
        assert_eq!(late, EffectError::Timeout { phase: "queue" });
        assert_eq!(run("SELECT 1 AS a", Duration::from_secs(60)).unwrap().rows.len(), 1);
    }
}

//! The journal's folder: `lifecycle.log`, which one actor writes, and `exits.log`, which many do.
//!
//! ```text
//! journal/lifecycle.log       events; turned over at 5 MiB to .1, and so on to .5
//! journal/exits.log           one line a death, written by canaries, hooks and the daemon (spec 01 §4)
//! journal/exits.imported      how far exits.log has become events
//! ```
//!
//! Nothing is kept open between two calls: a file that was removed or replaced under us is simply found anew.

mod about;
mod append;
mod cursor;
mod foreign;
mod line;
mod read;
mod tail;

pub use about::last_events_about;
pub use read::{read_events, read_events_of, read_exits};

use super::{
    blocking,
    fault::{self, FaultPoint},
};
use coalmine_actors::{
    error::FleetError,
    ports::{Answer, ForeignLines, JournalFile},
};
use cursor::Cursor;
use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// `lifecycle.log` is turned over before it would grow past this.
pub const LOG_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Turned over files that are kept, `lifecycle.log.1` the newest.
pub const LOGS_KEPT_MAX: usize = 5;
/// Imports that may wait for the journal; what is more stays in exits.log.
const IMPORTS_WAITING_MAX: usize = 1;

/// `lifecycle.log`, or the one that was turned over `age` times.
pub(super) fn log_path(folder: &Path, age: usize) -> PathBuf {
    match age {
        0 => folder.join("lifecycle.log"),
        age => folder.join(format!("lifecycle.log.{age}")),
    }
}

fn exits_path(folder: &Path) -> PathBuf {
    folder.join("exits.log")
}

/// The adapter of the port [`JournalFile`] for one journal folder.
#[derive(Debug)]
pub struct JournalFolder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// Held while the log is opened or written: an append that a dead actor left behind ends before the next
    /// actor looks for the last place.
    writing: Mutex<()>,
    /// Where each import that was handed out ends, oldest first, until it is noted as imported.
    handed_out: Mutex<VecDeque<Cursor>>,
}

impl Shared {
    fn handed_out(&self) -> MutexGuard<'_, VecDeque<Cursor>> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JournalFolder {
    /// The journal in `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { shared: Arc::new(Shared { folder, writing: Mutex::default(), handed_out: Mutex::default() }) }
    }

    /// Runs `work` on the folder, alone.
    fn alone<T: Send + 'static>(
        &self,
        op: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let _alone = shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
            work(&shared.folder).map_err(|source| FleetError::io(op, log_path(&shared.folder, 0), source))
        })
    }
}

impl JournalFile for JournalFolder {
    fn open(&self) -> Answer<u64> {
        self.alone("open", |folder| {
            append::create_folder(folder)?;
            tail::last_seq(folder)
        })
    }

    fn append(&self, lines: String) -> Answer<()> {
        self.alone("append to", move |folder| append::append(folder, lines.as_bytes()))
    }

    fn sync(&self) -> Answer<()> {
        self.alone("sync", append::sync)
    }

    fn foreign_lines(&self) -> mpsc::Receiver<ForeignLines> {
        let (sender, receiver) = mpsc::channel(IMPORTS_WAITING_MAX);
        self.shared.handed_out().clear();
        tokio::spawn(foreign::follow(Arc::clone(&self.shared), sender));
        receiver
    }

    fn imported(&self, up_to: u64) -> Answer<()> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let mut handed_out = shared.handed_out();
            let Some(at) = handed_out.iter().position(|cursor| cursor.offset == up_to) else { return Ok(()) };
            let done = handed_out.drain(..=at).next_back();
            drop(handed_out);
            let path = cursor::path(&shared.folder);
            fault::reached(FaultPoint::Imported);
            done.map_or(Ok(()), |cursor| cursor.store(&path)).map_err(|source| FleetError::io("write", path, source))
        })
    }
}

#[cfg(test)]
mod tests;

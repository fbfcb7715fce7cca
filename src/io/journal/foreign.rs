//! Follows exits.log: every whole line once, also after the file was replaced, as the kernel tells of it.

use super::{
    Shared,
    append::create_folder,
    cursor::{self, Cursor},
    exits_path, line,
};
use crate::io::inotify::{Mask, Watcher};
use coalmine_actors::{backoff::backoff, journal::event, ports::ForeignLines};
use jiff::Timestamp;
use std::{
    fs::File,
    io::{self, BufReader, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::Arc,
};
use tokio::sync::mpsc;

/// An import is closed once it holds this many bytes.
const IMPORT_BYTES_FULL: usize = 256 * 1024;

/// Hands out new lines until nobody takes them any more.
///
/// While the folder can not be watched it is looked at with a growing wait: late beats never.
pub(super) async fn follow(shared: Arc<Shared>, sender: mpsc::Sender<ForeignLines>) {
    let mut failures = 0;
    while !sender.is_closed() {
        let Err(error) = follow_until_trouble(&shared, &sender, &mut failures).await else { return };
        failures += 1;
        // Ever more rarely, as `Repeats` does.
        if failures.is_power_of_two() {
            tracing::warn!(%error, failures, "exits.log can not be followed");
        }
        tokio::select! {
            biased;
            () = sender.closed() => return,
            () = tokio::time::sleep(backoff(failures)) => {}
        }
    }
}

async fn follow_until_trouble(
    shared: &Arc<Shared>,
    sender: &mpsc::Sender<ForeignLines>,
    failures: &mut u32,
) -> io::Result<()> {
    let folder = shared.folder.clone();
    let mut reader = off_the_worker(move || {
        create_folder(&folder)?;
        Reader::open(folder)
    })
    .await?;
    if let Some(last) = shared.handed_out().back() {
        reader.cursor = last.clone(); // handed out before the trouble, not noted yet
    }
    // Watch first, read second: a line that comes in between is read, and heard of once more for nothing.
    let mut watcher = Watcher::new()?;
    watcher.add(&shared.folder, Mask::IN_MODIFY | Mask::IN_CREATE | Mask::IN_MOVED_TO | Mask::IN_ONLYDIR)?;
    loop {
        let import;
        (reader, import) = off_the_worker(move || reader.next().map(|import| (reader, import))).await?;
        *failures = 0;
        if let Some(import) = import {
            shared.handed_out().push_back(reader.cursor.clone());
            if sender.send(import).await.is_err() {
                return Ok(());
            }
            continue;
        }
        tokio::select! {
            biased;
            () = sender.closed() => return Ok(()),
            // Cancel-safe: what was read from the kernel stays in the watcher's queue.
            heard = exits_changed(&mut watcher) => heard?,
        }
    }
}

async fn off_the_worker<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Waits for the next change that may concern exits.log. The journal's own writes are heard too, and passed over.
async fn exits_changed(watcher: &mut Watcher) -> io::Result<()> {
    loop {
        let change = watcher.next().await?;
        if change.mask.contains(Mask::IN_IGNORED) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the journal's folder was removed"));
        }
        if change.mask.contains(Mask::IN_Q_OVERFLOW) || change.name.is_some_and(|name| name == "exits.log") {
            return Ok(());
        }
    }
}

/// Reads on where the cursor stands. Blocks.
struct Reader {
    folder: PathBuf,
    cursor: Cursor,
    /// Set while the first look at a replacement is under way.
    old_lines: Option<OldLines>,
}

/// Lines of a replacement that were in the file before it.
struct OldLines {
    /// The replacement's length when it was found: what comes after was appended to it, whatever time it names.
    up_to: u64,
    /// The time of the last line that was imported.
    ts: Timestamp,
}

impl Reader {
    fn open(folder: PathBuf) -> io::Result<Self> {
        let cursor = Cursor::load(&cursor::path(&folder))?;
        Ok(Self { folder, cursor, old_lines: None })
    }

    /// The next import; nothing while there are no new whole lines.
    fn next(&mut self) -> io::Result<Option<ForeignLines>> {
        let mut file = match File::open(exits_path(&self.folder)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        if !self.cursor.is_in(&file, &meta)? {
            self.old_lines = self.cursor.last_ts.map(|ts| OldLines { up_to: meta.len(), ts });
            (self.cursor.inode, self.cursor.offset) = (meta.ino(), 0);
        }
        file.seek(SeekFrom::Start(self.cursor.offset))?;
        let lines = self.take_lines(&mut BufReader::new(&file))?;
        self.cursor.settle(&file)?;
        Ok((!lines.is_empty()).then_some(ForeignLines { lines, up_to: self.cursor.offset }))
    }

    fn take_lines(&mut self, reader: &mut impl io::BufRead) -> io::Result<Vec<String>> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while bytes < IMPORT_BYTES_FULL {
            let Some(line) = line::next(reader)? else { break };
            let start = self.cursor.offset;
            self.cursor.offset += line.bytes;
            let ts = event::foreign_time(&line.text);
            if line.text.is_empty() || self.is_old(start, ts) {
                continue;
            }
            self.cursor.last_ts = self.cursor.last_ts.max(ts);
            bytes += line.text.len();
            lines.push(line.text);
        }
        Ok(lines)
    }

    /// A line without a time can not be told from an old one, and nothing is owed to it.
    fn is_old(&self, start: u64, ts: Option<Timestamp>) -> bool {
        self.old_lines.as_ref().is_some_and(|old| start < old.up_to && ts.is_none_or(|ts| ts <= old.ts))
    }
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;

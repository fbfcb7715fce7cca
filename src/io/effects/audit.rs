//! `effects/audit.log`: appended line by line, turned over where it is full, and never rewritten.

use crate::io::atomic::sync_folder;
use coalmine_actors::effects::audit::{AuditFile, Room};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// `audit.log` is turned over once it is longer, bytes.
pub const AUDIT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Turned over files that are kept, `audit.log.1` the newest.
pub const AUDITS_KEPT_MAX: usize = 9;

/// `audit.log`, or the one that was turned over `age` times.
pub fn audit_path(folder: &Path, age: usize) -> PathBuf {
    match age {
        0 => folder.join("audit.log"),
        age => folder.join(format!("audit.log.{age}")),
    }
}

/// The audit log in one folder.
#[derive(Debug)]
pub struct AuditLog {
    folder: PathBuf,
    bytes_max: u64,
    /// The file that is written, and how long it is. Held only to be read or replaced.
    open: Mutex<Option<Arc<OpenLog>>>,
}

#[derive(Debug)]
struct OpenLog {
    file: File,
    inode: u64,
    /// Bytes in it; nobody else writes.
    length: AtomicU64,
}

impl AuditLog {
    /// The log in `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, bytes_max: AUDIT_BYTES_MAX, open: Mutex::default() }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<OpenLog>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file that is open, unless its name leads elsewhere by now: what is written to a file that nobody finds is
    /// not audited.
    fn current(&self) -> io::Result<Arc<OpenLog>> {
        let open = self.slot().clone();
        if let Some(open) = open
            && fs::symlink_metadata(audit_path(&self.folder, 0)).is_ok_and(|there| there.ino() == open.inode)
        {
            return Ok(open);
        }
        self.open_anew()
    }

    fn open_anew(&self) -> io::Result<Arc<OpenLog>> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(audit_path(&self.folder, 0))?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "audit.log is not a regular file"));
        }
        let mut length = meta.len();
        if ends_torn(&file, length)? {
            (&file).write_all(b"\n")?;
            length += 1;
        }
        let open = Arc::new(OpenLog { file, inode: meta.ino(), length: AtomicU64::new(length) });
        *self.slot() = Some(Arc::clone(&open));
        Ok(open)
    }
}

/// Whether the file ends within a line: a power cut, or a full disk, left a part of it.
fn ends_torn(log: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    log.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

impl AuditFile for AuditLog {
    fn open(&self) -> io::Result<()> {
        self.open_anew().map(drop)
    }

    fn read(&self, age: usize) -> io::Result<Option<Vec<u8>>> {
        match fs::read(audit_path(&self.folder, age)) {
            Ok(text) => Ok(Some(text)),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn append(&self, line: &[u8]) -> io::Result<Room> {
        let log = self.current()?;
        // One write: a kill comes before it or after it.
        let written = (&log.file).write(line)?;
        if written < line.len() {
            log.file.set_len(log.length.load(Ordering::Relaxed))?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = log.length.fetch_add(written as u64, Ordering::Relaxed) + written as u64;
        Ok(if length > self.bytes_max { Room::Full } else { Room::Left })
    }

    /// Renames from the oldest on, so that a crash in between leaves a gap in the numbers and no lost file.
    fn turn_over(&self) -> io::Result<()> {
        self.current()?.file.sync_data()?; // the last chance: from now on `sync` means the next file
        for age in (0..AUDITS_KEPT_MAX).rev() {
            match fs::rename(audit_path(&self.folder, age), audit_path(&self.folder, age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.open_anew()?;
        sync_folder(&self.folder)
    }

    fn sync(&self) -> io::Result<()> {
        let open = self.slot().clone();
        open.map_or(Ok(()), |open| open.file.sync_data())
    }

    fn kept_max(&self) -> usize {
        AUDITS_KEPT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path, bytes_max: u64) -> AuditLog {
        AuditLog { bytes_max, ..AuditLog::new(folder.join("effects")) }
    }

    #[test]
    fn lines_are_appended_and_a_torn_one_is_ended_first() {
        let temp = tempfile::tempdir().unwrap();
        let first = log(temp.path(), 1_000);
        assert_eq!(first.append(b"one\n").unwrap(), Room::Left);
        fs::write(audit_path(&first.folder, 0), "one\ntw").unwrap();
        let next = log(temp.path(), 1_000);
        next.open().unwrap();
        next.append(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(audit_path(&next.folder, 0)).unwrap(), "one\ntw\nthree\n");
        assert_eq!(fs::metadata(audit_path(&next.folder, 0)).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_log_is_turned_over_and_so_many_are_kept() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 3);
        for round in 0..AUDITS_KEPT_MAX + 3 {
            assert_eq!(log.append(format!("{round:03}\n").as_bytes()).unwrap(), Room::Full);
            log.turn_over().unwrap();
        }
        assert_eq!(log.read(0).unwrap().unwrap(), b"");
        assert_eq!(log.read(1).unwrap().unwrap(), format!("{:03}\n", AUDITS_KEPT_MAX + 2).into_bytes());
        assert_eq!(fs::read_dir(&log.folder).unwrap().count(), AUDITS_KEPT_MAX + 1);
    }

    #[test]
    fn a_log_that_somebody_took_away_begins_anew_where_it_is_looked_for() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 1_000);
        log.append(b"one\n").unwrap();
        fs::rename(audit_path(&log.folder, 0), temp.path().join("taken")).unwrap();
        log.append(b"two\n").unwrap();
        assert_eq!(log.read(0).unwrap().unwrap(), b"two\n");
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 1_000);
        fs::create_dir(&log.folder).unwrap();
        std::os::unix::fs::symlink(temp.path().join("elsewhere"), audit_path(&log.folder, 0)).unwrap();
        assert!(log.open().is_err());
        assert!(!temp.path().join("elsewhere").exists());
    }
}

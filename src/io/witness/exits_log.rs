//! `journal/exits.log`: the one way in which canaries, hooks and the daemon append a line.
//!
//! Open by path, lock, make sure that the path still means the locked file, close a torn line, one `write`,
//! unlock, fdatasync, close. The lock is given back before the disk is waited for: otherwise, when a hundred servers
//! die at once, their witnesses would queue for the disk one by one and run out of time for the lock. Who replaces
//! the file under the lock copies such a line too, and syncs the copy. A writer that dies holds no lock.

use super::{clock, durable::sync_folder};
use crate::logfmt;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

/// How long a writer waits for the lock; then it writes without: a line in the wrong moment beats none.
const LOCK_WAIT_MS_MAX: u64 = 200;
/// How often it asks meanwhile.
const LOCK_RETRY_MS: u64 = 5;
/// How often the file may be replaced under a writer before it takes what it has.
const REOPEN_ATTEMPTS_MAX: usize = 8;
/// Longest line that is looked at, bytes; a longer one is none of ours.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// The one line that a life may have of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineKey<'a> {
    /// `server-exit` or `session-exit`.
    pub ev: &'a str,
    /// Whose life.
    pub identity: &'a str,
    /// Which life.
    pub generation: u64,
}

/// How far the file went at a moment before which no line of a life can stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    device: u64,
    inode: u64,
    bytes: u64,
}

/// Where the file ends now.
pub fn mark(path: &Path) -> Option<Mark> {
    fs::metadata(path).ok().map(|meta| Mark { device: meta.dev(), inode: meta.ino(), bytes: meta.len() })
}

/// Appends `line` (without its `\n`), durably.
///
/// # Errors
/// Whatever the file system says; what was written of a line that did not fit is taken back.
pub fn append(path: &Path, line: &str) -> io::Result<()> {
    Locked::open(path)?.append(line)
}

/// Appends `line` unless the file has a line of this `key`; says whether it did. Lines before `since` are not
/// searched: whoever took the mark knows that none of this life can stand there.
///
/// # Errors
/// As [`append`].
pub fn append_once(path: &Path, key: LineKey<'_>, line: &str, since: Option<Mark>) -> io::Result<bool> {
    let mut log = Locked::open(path)?;
    if log.has(key, since)? {
        // Its writer may still wait for the disk, and our caller takes it for durable.
        log.file.sync_data()?;
        return Ok(false);
    }
    log.append(line).map(|()| true)
}

/// The open file, with its lock if that could be had.
struct Locked {
    file: File,
    /// Whether nobody else writes meanwhile.
    exclusive: bool,
}

impl Locked {
    fn open(path: &Path) -> io::Result<Self> {
        let mut attempts = 0;
        loop {
            let (file, created) = open(path)?;
            if created && let Some(folder) = path.parent() {
                sync_folder(folder)?;
            }
            let exclusive = lock(&file);
            attempts += 1;
            // The daemon may have replaced the file between our open and our lock; a line in the old one is lost.
            if same_file(&file, path)? || attempts == REOPEN_ATTEMPTS_MAX {
                return Ok(Self { file, exclusive });
            }
        }
    }

    /// Writes the line and gives the lock back.
    fn append(&mut self, line: &str) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        // A writer before us may have died in the middle of its line: that costs its line and not ours too.
        let torn = before > 0 && {
            let mut last = [0];
            self.file.read_exact_at(&mut last, before - 1)?;
            last != *b"\n"
        };
        let text = format!("{}{line}\n", if torn { "\n" } else { "" });
        let written = self.file.write(text.as_bytes())?;
        if written < text.len() {
            if self.exclusive {
                self.file.set_len(before)?;
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.exclusive {
            flock(&self.file, FlockOperation::Unlock)?;
            self.exclusive = false;
        }
        self.file.sync_data()
    }

    /// Whether a line of `key` stands in the file, after `since` where that mark still means this file.
    fn has(&mut self, key: LineKey<'_>, since: Option<Mark>) -> io::Result<bool> {
        let meta = self.file.metadata()?;
        let start = since
            .filter(|mark| (mark.device, mark.inode) == (meta.dev(), meta.ino()) && mark.bytes <= meta.len())
            .map_or(0, |mark| mark.bytes);
        self.file.seek(SeekFrom::Start(start))?;
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                return Ok(false);
            }
            if key.names(&String::from_utf8_lossy(&line)) {
                return Ok(true);
            }
        }
    }
}

impl LineKey<'_> {
    /// Whether `line` is one of this key. The generation must be followed by another field, because a line torn at
    /// `gen=71` must not pass for one of generation 7.
    fn names(&self, line: &str) -> bool {
        let Self { ev, identity, generation } = self;
        line.contains(&format!("ev={ev} identity={identity} gen={generation} "))
            && logfmt::parse(line.trim_end_matches('\n')).is_ok_and(|fields| {
                let has = |key: &str, value: &str| fields.iter().any(|(name, text)| name == key && text == value);
                has("ev", ev) && has("identity", identity) && has("gen", &generation.to_string())
            })
    }
}

/// Opens the file, and says whether it was made by that.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((options.create(true).open(path)?, true)),
        opened => Ok((opened?, false)),
    }
}

fn lock(file: &File) -> bool {
    let until = clock::boot_ms() + LOCK_WAIT_MS_MAX;
    loop {
        if flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        if clock::boot_ms() >= until {
            return false;
        }
        clock::pause_ms(LOCK_RETRY_MS);
    }
}

fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const KEY: LineKey<'static> = LineKey { ev: "server-exit", identity: "claude-bob", generation: 7 };

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("exits.log");
        (root, path)
    }

    #[test]
    fn a_torn_line_costs_one_line() {
        let (_root, path) = log();
        append(&path, "a=1").unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"b=").unwrap();
        append(&path, "c=3").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a=1\nb=\nc=3\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_of_another_life_or_kind_is_no_obstacle() {
        for (line, names) in [
            ("ts=x ev=server-exit identity=claude-bob gen=7 cause=killed", true),
            ("ts=x ev=server-exit identity=claude-bob gen=71 cause=killed", false),
            ("ts=x ev=server-exit identity=claude-bob gen=7", false),
            ("ts=x ev=session-exit identity=claude-bob gen=7 cause=exited", false),
            ("ts=x ev=server-exit identity=claude-bo gen=7 cause=killed", false),
            ("ts=x note=\" ev=server-exit identity=claude-bob gen=7 \" cause=killed", false),
            ("ts=x ev=server-exit identity=claude-bob gen=7 cause=\"kil", false),
        ] {
            assert_eq!(KEY.names(&format!("{line}\n")), names, "{line}");
            let (_root, path) = log();
            append(&path, line).unwrap();
            assert_eq!(append_once(&path, KEY, "new=1", None).unwrap(), !names, "{line}");
        }
    }

    #[test]
    fn a_mark_of_a_replaced_file_hides_nothing() {
        let (_root, path) = log();
        append(&path, "ts=x ev=server-exit identity=claude-bob gen=7 cause=killed").unwrap();
        let mark = mark(&path).unwrap();
        assert!(append_once(&path, KEY, "after=mark", Some(mark)).unwrap());
        fs::rename(&path, path.with_extension("old")).unwrap();
        append(&path, "ts=x ev=server-exit identity=claude-bob gen=7 cause=killed").unwrap();
        assert!(!append_once(&path, KEY, "hidden=1", Some(mark)).unwrap());
    }

    #[test]
    fn a_held_lock_delays_a_line_and_does_not_stop_it() {
        let (_root, path) = log();
        let holder = File::create(&path).unwrap();
        flock(&holder, FlockOperation::LockExclusive).unwrap();
        append(&path, "a=1").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a=1\n");
    }

    #[test]
    fn lines_of_many_writers_stay_whole_while_the_file_is_replaced() {
        let (_root, path) = log();
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || (0..25).for_each(|n| append(path, &format!("w={writer} n={n}")).unwrap()));
            }
            // What the daemon does when the file is too long: under the lock, a copy takes its place.
            for _ in 0..5 {
                let Ok(log) = Locked::open(&path) else { continue };
                if log.exclusive {
                    let copy = path.with_extension("copy");
                    fs::copy(&path, &copy).unwrap();
                    fs::rename(&copy, &path).unwrap();
                }
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 100, "{text}");
        assert!(text.lines().all(|line| logfmt::parse(line).unwrap().len() == 2));
    }
}

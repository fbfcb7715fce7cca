//! The pane log: standard input in two files of bounded size, whatever happens to them.
//!
//! tmux feeds it by `pipe-pane`. It never stops reading, because a full pipe would hold the pane back; what can not
//! be written is dropped, and the file is opened again as soon as that works.

use super::{
    args::{Usage, text, value_of},
    witness::clock,
};
use rustix::fs::OFlags;
use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Longest file before it is turned over, bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How much is read at once, bytes. Small, because one of these runs beside every peer.
const CHUNK_BYTES: usize = 16 * 1024;
/// How long a file that could not be opened is left alone, milliseconds.
const REOPEN_PAUSE_MS: u64 = 500;

/// Copies until the input ends.
///
/// # Errors
/// Wrong arguments.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode, Usage> {
    let (mut file, mut bytes_max) = (None, FILE_BYTES_MAX);
    while let Some(word) = args.next() {
        match word.to_str() {
            Some("--max") => bytes_max = size(&text("--max", value_of("--max", &mut args)?)?)?,
            Some(option) if option.starts_with('-') => return Err(Usage(format!("panelog does not know {option}"))),
            _ if file.is_none() => file = Some(word),
            _ => return Err(Usage("panelog takes one FILE".into())),
        }
    }
    let file = file.or_else(|| env::var_os("COALMINE_PANE_LOG").filter(|value| !value.is_empty()));
    let file = file.ok_or_else(|| Usage("panelog needs a FILE, or COALMINE_PANE_LOG".into()))?;
    Ok(copy(Log::new(file.into(), bytes_max)))
}

/// `16777216` or `16MiB`.
fn size(text: &str) -> Result<u64, Usage> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    let bytes = units.iter().find_map(|&(unit, factor)| {
        text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?.checked_mul(factor).filter(|&bytes| bytes > 0)
    });
    bytes.ok_or_else(|| Usage(format!("--max {text:?} is not a size")))
}

fn copy(mut log: Log) -> ExitCode {
    let mut chunk = [0; CHUNK_BYTES];
    let stdin = io::stdin();
    loop {
        // By descriptor: the buffer of `Stdin` would be a second copy.
        match rustix::io::read(stdin.as_fd(), &mut chunk) {
            Ok(0) => return ExitCode::SUCCESS,
            Ok(length) => log.write(&chunk[..length]),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// The two files.
struct Log {
    path: PathBuf,
    older: PathBuf,
    bytes_max: u64,
    /// The file, while it can be written.
    open: Option<File>,
    /// Until when a file that could not be opened is left alone, milliseconds since boot.
    retry_at_ms: u64,
}

impl Log {
    fn new(path: PathBuf, bytes_max: u64) -> Self {
        let mut older = path.clone().into_os_string();
        older.push(".1");
        Self { path, older: older.into(), bytes_max, open: None, retry_at_ms: 0 }
    }

    /// Appends `bytes`, or drops them where that fails.
    fn write(&mut self, bytes: &[u8]) {
        if let Err(_dropped) = self.try_write(bytes) {
            self.open = None;
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = self.open_in_place()?.metadata()?.len();
        let grown = length + u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > 0 && grown > self.bytes_max {
            fs::rename(&self.path, &self.older)?;
        }
        self.open_in_place()?.write_all(bytes)
    }

    /// The file that has the path now: not one that was unlinked or moved away since it was opened.
    fn open_in_place(&mut self) -> io::Result<&mut File> {
        let file = match self.open.take() {
            Some(file) if is_at(&file, &self.path) => file,
            _ => self.reopen()?,
        };
        Ok(self.open.insert(file))
    }

    fn reopen(&mut self) -> io::Result<File> {
        if clock::boot_ms() < self.retry_at_ms {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // Neither through a link nor into a pipe, which could keep us waiting for its reader.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(&self.path);
        if opened.is_err() {
            self.retry_at_ms = clock::boot_ms() + REOPEN_PAUSE_MS;
        }
        opened
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
    fs::metadata(path).ok().map(inode) == file.metadata().ok().map(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_may_have_a_unit() {
        for (text, bytes) in [("1", 1), ("16777216", 16 << 20), ("16MiB", 16 << 20), ("4KiB", 4096), ("1GiB", 1 << 30)]
        {
            assert_eq!(size(text), Ok(bytes));
        }
        for bad in ["", "0", "16MB", "-1", "MiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_log_that_is_unlinked_or_moved_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pane.log");
        let mut log = Log::new(path.clone(), 1_000);
        log.write(b"one");
        fs::remove_file(&path).unwrap();
        log.write(b"two");
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::rename(&path, root.path().join("moved")).unwrap();
        log.write(b"three");
        assert_eq!(fs::read(&path).unwrap(), b"three");
    }

    #[test]
    fn a_full_log_is_turned_over_and_two_files_are_the_limit() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pane.log");
        let mut log = Log::new(path.clone(), 10);
        for chunk in ["aaaaaa", "bbbb", "cccccc", "dddddddddddddd", "e"] {
            log.write(chunk.as_bytes());
        }
        assert_eq!(fs::read(&path).unwrap(), b"e");
        assert_eq!(fs::read(root.path().join("pane.log.1")).unwrap(), b"dddddddddddddd");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_that_can_not_be_opened_drops_and_heals() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("peer").join("pane.log");
        let mut log = Log::new(path.clone(), 10);
        log.write(b"lost");
        fs::create_dir(root.path().join("peer")).unwrap();
        log.write(b"too soon");
        assert!(!path.exists());
        log.retry_at_ms = 0;
        log.write(b"kept");
        assert_eq!(fs::read(&path).unwrap(), b"kept");
    }
}

//! The log of a daemon in the background: bounded, turned over while it runs, and never a reason to fail.
//!
//! Its file also stands where stdout and stderr stood, so that what is written past it (a panic's message) is in it too.

use rustix::stdio::{dup2_stderr, dup2_stdout};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Largest log before it is turned over, bytes; one older file is kept beside it.
pub const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An open log. Writers of several processes may share the path; each follows when one turns it over.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    bytes_max: u64,
    /// Whether the file takes the places of stdout and stderr.
    is_standard: bool,
    file: Mutex<File>,
}

impl LogFile {
    /// Opens the log (0600 where it is made), and puts it where stdout and stderr stood.
    ///
    /// # Errors
    /// It can not be opened.
    pub fn in_place_of_stdio(path: &Path) -> io::Result<Self> {
        let log = Self { path: path.into(), bytes_max: LOG_BYTES_MAX, is_standard: true, file: open(path)?.into() };
        log.stand_in(&log.file.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(log)
    }

    /// Opens a log that is one beside others.
    ///
    /// # Errors
    /// It can not be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), bytes_max: LOG_BYTES_MAX, is_standard: false, file: open(path)?.into() })
    }

    fn stand_in(&self, file: &File) {
        if self.is_standard {
            // Fails only for a descriptor that is none.
            let _same = (dup2_stdout(file), dup2_stderr(file));
        }
    }

    /// Opens the path again where something else lies there now, or where these bytes would make it too long. What
    /// fails leaves the file that is open.
    fn renew(&self, file: &mut File, bytes: usize) -> io::Result<()> {
        let open_one = file.metadata()?;
        let there = fs::symlink_metadata(&self.path).ok();
        let is_same = there.is_some_and(|there| (there.dev(), there.ino()) == (open_one.dev(), open_one.ino()));
        let is_full = is_same && open_one.len() + bytes as u64 > self.bytes_max;
        if is_full {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        if is_full || !is_same {
            *file = open(&self.path)?;
            self.stand_in(file);
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

impl Write for &LogFile {
    /// Takes everything: what the disk refuses is lost.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _as_it_was = self.renew(&mut file, bytes.len());
        let _lost = file.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(path: &Path, bytes_max: u64) -> LogFile {
        LogFile { path: path.into(), bytes_max, is_standard: false, file: open(path).unwrap().into() }
    }

    #[test]
    fn a_log_is_turned_over_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.log");
        let log = log(&path, 100);
        for line in 0..50 {
            (&log).write_all(format!("line {line:04}\n").as_bytes()).unwrap();
        }
        let both = ["daemon.log.1", "daemon.log"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
        assert!(both.iter().all(|text| text.len() <= 100), "{both:?}");
        assert!(both.concat().ends_with("line 0048\nline 0049\n") && both.concat().len() >= 100, "{both:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_that_somebody_took_away_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.log");
        let log = log(&path, 100);
        (&log).write_all(b"one\n").unwrap();
        fs::remove_file(&path).unwrap();
        (&log).write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn a_full_disk_is_no_failure_of_the_log() {
        let log = log(Path::new("/dev/full"), u64::MAX);
        assert_eq!((&log).write(b"lost\n").unwrap(), 5);
    }
}

//! The end of a log that is turned over once (`pane.log`, `pane.log.1`), read from behind and within a limit.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// How much of a log's end is looked at, whatever number of lines is wanted, bytes.
const TAIL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How much is read at once, bytes.
const BLOCK_BYTES: u64 = 64 * 1024;

/// Follows a log from where its tail ended.
pub(super) struct Follower {
    path: PathBuf,
    /// Absent until the log exists.
    file: Option<File>,
}

impl Follower {
    /// The last `lines` lines, and a follower of what comes. A log that does not exist is empty.
    pub(super) fn open(path: &Path, lines: usize) -> io::Result<(Vec<u8>, Self)> {
        let mut file = open(path)?;
        let mut end = match &mut file {
            Some(file) => tail(file, lines)?,
            None => Vec::new(),
        };
        let missing = lines.saturating_sub(lines_of(&end));
        if missing > 0
            && let Some(mut older) = open(&turned_over(path))?
        {
            let mut joined = tail(&mut older, missing)?;
            joined.append(&mut end);
            end = joined;
        }
        Ok((end, Self { path: path.to_path_buf(), file }))
    }

    /// What was written since, at most one block; after a turn-over first the rest of the old file.
    pub(super) fn more(&mut self) -> io::Result<Vec<u8>> {
        if let Some(file) = &mut self.file {
            let mut block = Vec::new();
            file.take(BLOCK_BYTES).read_to_end(&mut block)?;
            if !block.is_empty() || is_at(file, &self.path)? {
                return Ok(block);
            }
        }
        self.file = open(&self.path)?;
        match &mut self.file {
            None => Ok(Vec::new()),
            Some(file) => {
                let mut block = Vec::new();
                file.take(BLOCK_BYTES).read_to_end(&mut block)?;
                Ok(block)
            }
        }
    }
}

fn turned_over(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.1", path.display()))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the open file is still the one at `path`. A path without a file counts: its successor will come.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    Ok(fs::metadata(path).map_or(true, |there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// A last line without an end counts.
fn lines_of(bytes: &[u8]) -> usize {
    line_ends(bytes) + usize::from(bytes.last().is_some_and(|last| *last != b'\n'))
}

/// The last lines of a file, read backwards; the file is left at its end.
fn tail(file: &mut File, lines: usize) -> io::Result<Vec<u8>> {
    let end = file.seek(SeekFrom::End(0))?;
    let floor = end.saturating_sub(TAIL_BYTES_MAX);
    let (mut from, mut bytes) = (end, Vec::new());
    // One more line end than lines: the one before the first.
    while from > floor && line_ends(&bytes) <= lines {
        let start = from.saturating_sub(BLOCK_BYTES).max(floor);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&mut *file).take(from - start).read_to_end(&mut block)?;
        block.append(&mut bytes);
        (from, bytes) = (start, block);
    }
    file.seek(SeekFrom::Start(end))?;
    let cut = cut_before(&bytes, lines);
    bytes.drain(..cut);
    Ok(bytes)
}

/// Where the last `lines` lines begin; a last line without an end counts as one.
fn cut_before(bytes: &[u8], lines: usize) -> usize {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if lines == 0 {
        return bytes.len();
    }
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_last_lines_come_from_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pane.log");
        assert!(Follower::open(&path, 3).unwrap().0.is_empty());
        fs::write(&path, "c\nd\ne").unwrap();
        fs::write(turned_over(&path), "a\nb\n").unwrap();
        for (lines, end) in [(0, ""), (1, "e"), (2, "d\ne"), (4, "b\nc\nd\ne"), (9, "a\nb\nc\nd\ne")] {
            assert_eq!(text(Follower::open(&path, lines).unwrap().0), end, "{lines} lines");
        }
    }

    #[test]
    fn a_huge_log_is_read_from_its_end_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pane.log");
        fs::write(&path, "x".repeat(6 * 1024 * 1024) + "\nlast\n").unwrap();
        assert_eq!(text(Follower::open(&path, 1).unwrap().0), "last\n");
        assert_eq!(Follower::open(&path, 9).unwrap().0.len() as u64, TAIL_BYTES_MAX);
    }

    #[test]
    fn a_follower_crosses_a_turn_over_without_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pane.log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"a\n").unwrap();
        let (_, mut follower) = Follower::open(&path, 0).unwrap();
        log.write_all(b"b\n").unwrap();
        fs::rename(&path, turned_over(&path)).unwrap();
        fs::write(&path, "c\n").unwrap();
        let mut seen = follower.more().unwrap();
        seen.extend(follower.more().unwrap());
        assert_eq!(text(seen), "b\nc\n");
        assert!(follower.more().unwrap().is_empty());
    }
}

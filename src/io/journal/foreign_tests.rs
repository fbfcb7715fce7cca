//! What strangers do to exits.log, and what is made of it.

use super::*;
use crate::io::journal::JournalFolder;
use coalmine_actors::ports::JournalFile;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    time::Duration,
};

const DEADLINE: Duration = Duration::from_secs(20);

struct Place {
    _temp: tempfile::TempDir,
    folder: PathBuf,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    fs::create_dir(&folder).unwrap();
    Place { _temp: temp, folder }
}

/// A line whose second says which one it is.
fn line(second: u32) -> String {
    format!("ts=2026-11-21T01:00:{second:02}Z ev=server-exit gen={second}")
}

impl Place {
    fn write(&self, text: &str) {
        let mut exits = OpenOptions::new().create(true).append(true).open(exits_path(&self.folder)).unwrap();
        exits.write_all(text.as_bytes()).unwrap();
    }

    fn write_lines(&self, seconds: impl IntoIterator<Item = u32>) {
        self.write(&seconds.into_iter().map(|second| line(second) + "\n").collect::<String>());
    }

    /// As the daemon does it when the file has grown too long.
    fn replace(&self, seconds: impl IntoIterator<Item = u32>) {
        let temp = self.folder.join("exits.new");
        fs::write(&temp, seconds.into_iter().map(|second| line(second) + "\n").collect::<String>()).unwrap();
        fs::rename(temp, exits_path(&self.folder)).unwrap();
    }

    fn reader(&self) -> Reader {
        Reader::open(self.folder.clone()).unwrap()
    }
}

/// Everything that is new now, by its seconds.
fn read(reader: &mut Reader) -> Vec<u32> {
    let imports = std::iter::from_fn(|| reader.next().unwrap());
    imports.flat_map(|import| import.lines).map(|line| line.rsplit_once('=').unwrap().1.parse().unwrap()).collect()
}

#[test]
fn only_what_is_new_and_whole_is_taken() {
    let (place, none) = (place(), [0; 0]);
    let mut reader = place.reader();
    assert_eq!(read(&mut reader), none, "no file yet");
    place.write_lines([1, 2]);
    place.write(&line(3));
    assert_eq!(read(&mut reader), [1, 2]);
    place.write("\n\n");
    assert_eq!(read(&mut reader), [3], "whole now; the empty line is nothing");
    assert_eq!(read(&mut reader), none);
}

#[test]
fn a_replacement_gives_only_what_was_not_imported() {
    let place = place();
    let mut reader = place.reader();
    place.write_lines([1, 2, 3]);
    assert_eq!(read(&mut reader), [1, 2, 3]);
    place.replace([2, 3, 4]);
    assert_eq!(read(&mut reader), [4]);
    place.write_lines([3]);
    assert_eq!(read(&mut reader), [3], "appended after the replacement: new, whatever its time");
}

#[test]
fn a_file_that_was_cut_or_written_anew_in_place_is_a_replacement() {
    for text in [line(3) + "\n" + &line(4) + "\n", "x".repeat(500) + "\n" + &line(4) + "\n"] {
        let place = place();
        let mut reader = place.reader();
        place.write_lines([1, 2, 3]);
        assert_eq!(read(&mut reader), [1, 2, 3]);
        fs::write(exits_path(&place.folder), text).unwrap();
        assert_eq!(read(&mut reader), [4]);
    }
}

#[test]
fn a_file_that_was_removed_starts_again() {
    let place = place();
    let mut reader = place.reader();
    place.write_lines([1]);
    assert_eq!(read(&mut reader), [1]);
    fs::remove_file(exits_path(&place.folder)).unwrap();
    assert_eq!(read(&mut reader), [0; 0]);
    place.write_lines([2]);
    assert_eq!(read(&mut reader), [2]);
}

#[test]
fn a_long_file_comes_in_imports_of_bounded_size() {
    let place = place();
    let padded = format!("{} pad={}\n", line(1), "p".repeat(1_000));
    place.write(&padded.repeat(1_000));
    let mut reader = place.reader();
    let sizes: Vec<usize> =
        std::iter::from_fn(|| reader.next().unwrap()).map(|import| import.lines.concat().len()).collect();
    assert!(sizes.len() >= 4 && sizes.iter().all(|&size| size < IMPORT_BYTES_FULL + 2_000), "{sizes:?}");
    assert_eq!(reader.cursor.offset, padded.len() as u64 * 1_000);
}

#[test]
fn a_damaged_note_means_from_the_start() {
    let place = place();
    place.write_lines([1]);
    fs::write(cursor::path(&place.folder), "{\"inode\":").unwrap();
    assert_eq!(read(&mut place.reader()), [1]);
}

async fn next(lines: &mut mpsc::Receiver<ForeignLines>) -> ForeignLines {
    tokio::time::timeout(DEADLINE, lines.recv()).await.expect("lines within the deadline").expect("it follows")
}

#[tokio::test]
async fn a_line_is_heard_of_when_it_is_written_also_into_a_replacement() {
    let place = place();
    let journal = JournalFolder::new(place.folder.clone());
    let mut lines = journal.foreign_lines();
    place.write_lines([1]);
    assert_eq!(next(&mut lines).await.lines, [line(1)]);
    place.replace([1, 2]);
    assert_eq!(next(&mut lines).await.lines, [line(2)]);
    journal.append("not for us\n".into()).await.unwrap();
    place.write_lines([3]);
    assert_eq!(next(&mut lines).await.lines, [line(3)]);
}

#[tokio::test]
async fn what_was_imported_stays_so_and_what_was_not_comes_again() {
    let place = place();
    place.write_lines([1]);
    let journal = JournalFolder::new(place.folder.clone());
    let mut lines = journal.foreign_lines();
    let first = next(&mut lines).await;
    place.write_lines([2]);
    assert_eq!(next(&mut lines).await.lines, [line(2)]);
    journal.imported(first.up_to).await.unwrap();
    drop((journal, lines));
    place.write_lines([3]);
    let journal = JournalFolder::new(place.folder.clone());
    let mut lines = journal.foreign_lines();
    let again = next(&mut lines).await;
    assert_eq!(again.lines, [line(2), line(3)]);
    journal.imported(again.up_to).await.unwrap();
    assert_eq!(read(&mut place.reader()), [0; 0]);
}

#[tokio::test]
async fn a_folder_that_comes_late_or_goes_away_is_followed_again() {
    let place = place();
    fs::remove_dir(&place.folder).unwrap();
    let journal = JournalFolder::new(place.folder.clone());
    let mut lines = journal.foreign_lines();
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !place.folder.exists() {
        assert!(tokio::time::Instant::now() < deadline, "the follower makes the folder");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    place.write_lines([1]);
    assert_eq!(next(&mut lines).await.lines, [line(1)]);
    fs::remove_dir_all(&place.folder).unwrap();
    fs::create_dir(&place.folder).unwrap();
    place.write_lines([2]);
    assert_eq!(next(&mut lines).await.lines, [line(2)]);
}

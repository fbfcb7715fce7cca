//! What the records and exits.log say of an identity's lives; and how exits.log is kept from growing for ever.

use super::journal::{LOGS_KEPT_MAX, log_path};
use super::witness::life::{RECORDS_FOLDER, exits_log};
use coalmine_actors::{
    journal::logfmt,
    names::{Generation, Identity},
    ports::LifeKey,
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// The highest generation of `identity` that a record or a line of the journal names; 0 where there is none. A
/// generation is never given out twice, also when an identity's own file was lost.
///
/// # Errors
/// The journal can not be read.
pub fn highest_generation(journal: &Path, identity: &Identity) -> io::Result<Generation> {
    let mut highest = in_records(journal, identity)?;
    for log in logs(journal) {
        highest = highest.max(in_lines(&log, identity)?);
    }
    Ok(highest)
}

/// Everything with lines that may name lives: the story too, since each of them has its generation from us.
fn logs(journal: &Path) -> impl Iterator<Item = PathBuf> {
    let story = (0..=LOGS_KEPT_MAX).map(|age| log_path(journal, age));
    [exits_log(journal)].into_iter().chain(story)
}

/// Over this exits.log is written anew, bytes.
const EXITS_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What is kept of its newest lines then, bytes: the importer is never that far behind.
const EXITS_BYTES_KEPT: usize = 4 * 1024 * 1024;

/// Writes an overlong exits.log anew, under its lock: the newest lines, and every line of a life that is not settled.
/// Says whether it did; a lock that is held now is not waited for.
///
/// # Errors
/// It can not be read, or its successor not be written.
pub fn trim(journal: &Path, unsettled: &[LifeKey]) -> io::Result<bool> {
    trim_to(journal, unsettled, EXITS_BYTES_MAX, EXITS_BYTES_KEPT)
}

fn trim_to(journal: &Path, unsettled: &[LifeKey], bytes_max: u64, bytes_kept: usize) -> io::Result<bool> {
    let path = exits_log(journal);
    if or_nothing(std::fs::metadata(&path))?.is_none_or(|file| file.len() <= bytes_max) {
        return Ok(false);
    }
    // Writers lock the file that they find under this name, and look again whether it is still there.
    let file = File::options().read(true).write(true).open(&path)?;
    if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let text = std::fs::read(&path)?;
    let newest = text.len().saturating_sub(bytes_kept);
    let mut kept = Vec::with_capacity(bytes_kept);
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if at >= newest || unsettled.iter().any(|life| is_of(line, life)) {
            kept.extend_from_slice(line);
        }
        at += line.len();
    }
    super::atomic::replace(&path, &kept)?;
    Ok(true)
}

fn is_of(line: &[u8], life: &LifeKey) -> bool {
    let Ok(fields) = logfmt::parse(String::from_utf8_lossy(line).trim_end()) else { return false };
    let has = |key: &str, value: &str| fields.iter().any(|(name, is)| name == key && is == value);
    has("identity", &life.identity.to_string()) && has("gen", &life.generation.to_string())
}

/// A missing file or folder is one that says nothing.
fn or_nothing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn in_records(journal: &Path, identity: &Identity) -> io::Result<Generation> {
    let Some(folder) = or_nothing(std::fs::read_dir(journal.join(RECORDS_FOLDER)))? else { return Ok(Generation(0)) };
    let prefix = format!("{identity}-g");
    let generations = folder.filter_map(|file| {
        let name = file.ok()?.file_name();
        name.to_str()?.strip_suffix(".txt")?.strip_prefix(&prefix)?.parse().ok().map(Generation)
    });
    Ok(generations.max().unwrap_or_default())
}

fn in_lines(log: &Path, identity: &Identity) -> io::Result<Generation> {
    let Some(file) = or_nothing(File::open(log))? else { return Ok(Generation(0)) };
    let identity = identity.to_string();
    let mut highest = Generation(0);
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        // Most lines are about others, and need not be taken apart.
        if !text.contains(&identity) {
            continue;
        }
        let Ok(fields) = logfmt::parse(&text) else { continue };
        let field = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        if field("identity") == Some(&identity)
            && let Some(generation) = field("gen").and_then(|generation| generation.parse().ok())
        {
            highest = highest.max(Generation(generation));
        }
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(identity: &str, generation: u64) -> LifeKey {
        LifeKey { identity: identity.parse().unwrap(), generation: Generation(generation) }
    }

    #[test]
    fn an_overlong_log_keeps_its_newest_lines_and_those_of_lives_that_are_not_settled() {
        let journal = tempfile::tempdir().unwrap();
        let line =
            |generation: u64| format!("ts=2026-01-01T00:00:00Z ev=server-exit identity=shell-a gen={generation}\n");
        let all: String = (1..=100).map(line).collect();
        std::fs::write(exits_log(journal.path()), &all).unwrap();
        let kept = line(99).len() + line(100).len();
        assert!(!trim_to(journal.path(), &[], 1 << 20, kept).unwrap());
        assert!(trim_to(journal.path(), &[life("shell-a", 7)], 1000, kept).unwrap());
        let text = std::fs::read_to_string(exits_log(journal.path())).unwrap();
        assert_eq!(text, line(7) + &line(99) + &line(100));
    }

    #[test]
    fn the_highest_generation_is_that_of_any_trace() {
        let journal = tempfile::tempdir().unwrap();
        let bob = life("shell-bob", 0).identity;
        assert_eq!(highest_generation(journal.path(), &bob).unwrap(), Generation(0));
        std::fs::write(exits_log(journal.path()), "garbage\nidentity=shell-bob gen=4\nidentity=shell-bobby gen=9\n")
            .unwrap();
        assert_eq!(highest_generation(journal.path(), &bob).unwrap(), Generation(4));
        std::fs::create_dir(journal.path().join(RECORDS_FOLDER)).unwrap();
        std::fs::write(journal.path().join(RECORDS_FOLDER).join("shell-bob-g6.txt"), "").unwrap();
        assert_eq!(highest_generation(journal.path(), &bob).unwrap(), Generation(6));
    }
}

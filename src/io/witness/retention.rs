//! How long records are kept: the newest 200, or 30 days, whichever is more.

use super::{life::RECORDS_FOLDER, publish::TEMP_PREFIX};
use jiff::{SignedDuration, Timestamp};
use std::{
    cmp::Reverse,
    fs, io,
    path::{Path, PathBuf},
};

/// How many of the newest records are kept whatever their age.
pub const RECORDS_KEPT_MIN: usize = 200;
/// How long every record is kept, days.
pub const KEPT_DAYS_MIN: i64 = 30;
/// How long a temporary file is left to whoever may still write it, hours.
const TEMP_HOURS_MAX: i64 = 24;

/// Removes records (with their marks) that are neither among the newest 200 nor younger than 30 days, and temporary
/// files that are older than a day; says how many records went. Other files are left alone.
///
/// # Errors
/// When the folder can not be read. A file that can not be removed is left for the next time.
pub fn prune(journal: &Path, now: Timestamp) -> io::Result<usize> {
    let records = journal.join(RECORDS_FOLDER);
    let (mut finished, mut temps) = (Vec::new(), Vec::new());
    let entries = match fs::read_dir(&records) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // Gone in between, or of a time that can not be told: nothing to decide on.
        let Some(written) = entry.metadata().and_then(|meta| meta.modified()).ok() else { continue };
        let Ok(written) = Timestamp::try_from(written) else { continue };
        if name.starts_with(TEMP_PREFIX) {
            temps.push((written, entry.path()));
        } else if name.ends_with(".txt") {
            finished.push((written, entry.path()));
        }
    }
    let older = |written: Timestamp, limit| now.duration_since(written) > limit;
    for (written, temp) in temps {
        if older(written, SignedDuration::from_hours(TEMP_HOURS_MAX)) {
            let _next_time = fs::remove_file(temp);
        }
    }
    finished.sort_unstable_by_key(|(written, _)| Reverse(*written));
    let spent = finished.into_iter().skip(RECORDS_KEPT_MIN);
    let spent = spent.filter(|(written, _)| older(*written, SignedDuration::from_hours(24 * KEPT_DAYS_MIN)));
    Ok(spent.filter(|(_, record)| remove_pair(record)).count())
}

/// The record goes first: a mark without its record is nothing, a record without its mark would be logged again.
fn remove_pair(record: &PathBuf) -> bool {
    let gone = fs::remove_file(record).is_ok();
    if gone {
        let _next_time = fs::remove_file(record.with_extension("logged"));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, time::SystemTime};

    fn aged(folder: &Path, name: &str, now: Timestamp, hours: i64) {
        let file = File::create(folder.join(name)).unwrap();
        file.set_modified(SystemTime::from(now - SignedDuration::from_hours(hours))).unwrap();
    }

    fn count(folder: &Path, suffix: &str) -> usize {
        fs::read_dir(folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(suffix))
            .count()
    }

    #[test]
    fn the_newest_200_or_30_days_are_kept_whichever_is_more() {
        for (young, old, kept) in [(10, 250, 200), (250, 10, 250), (0, 150, 150), (199, 2, 200)] {
            let journal = tempfile::tempdir().unwrap();
            let folder = journal.path().join(RECORDS_FOLDER);
            fs::create_dir(&folder).unwrap();
            let now = Timestamp::now();
            for n in 0..young + old {
                let hours = if n < young { n } else { 24 * 31 + n };
                aged(&folder, &format!("claude-bob-g{n}.txt"), now, hours);
                aged(&folder, &format!("claude-bob-g{n}.logged"), now, hours);
            }
            let removed = prune(journal.path(), now).unwrap();
            assert_eq!(removed, usize::try_from(young + old).unwrap() - kept);
            assert_eq!((count(&folder, ".txt"), count(&folder, ".logged")), (kept, kept));
        }
    }

    #[test]
    fn a_temporary_file_of_today_and_a_stranger_are_left_alone() {
        let journal = tempfile::tempdir().unwrap();
        assert_eq!(prune(journal.path(), Timestamp::now()).unwrap(), 0);
        let folder = journal.path().join(RECORDS_FOLDER);
        fs::create_dir(&folder).unwrap();
        let now = Timestamp::now();
        aged(&folder, ".tmp-a-b-g1-1-0", now, 23);
        aged(&folder, ".tmp-a-b-g2-1-0", now, 25);
        aged(&folder, "notes", now, 10_000);
        prune(journal.path(), now).unwrap();
        assert_eq!((count(&folder, "g1-1-0"), count(&folder, "g2-1-0"), count(&folder, "notes")), (1, 0, 1));
    }
}

//! Finds the last place in the journal from the end of its newest file.

use super::{LOGS_KEPT_MAX, log_path};
use coalmine_actors::journal::event;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// The first look at a file's end, bytes; each further look is four times as long.
const FIRST_LOOK_BYTES: u64 = 64 * 1024;

/// The highest `seq` in the newest file that names one, 0 where none does.
pub(super) fn last_seq(folder: &Path) -> io::Result<u64> {
    for age in 0..=LOGS_KEPT_MAX {
        match File::open(log_path(folder, age)) {
            Ok(log) => match last_seq_of(&log)? {
                Some(seq) => return Ok(seq),
                None => continue,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}

fn last_seq_of(log: &File) -> io::Result<Option<u64>> {
    let length = log.metadata()?.len();
    let mut look = FIRST_LOOK_BYTES;
    loop {
        let start = length.saturating_sub(look);
        let mut end = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
        log.read_exact_at(&mut end, start)?;
        // A torn last line counts when it can be read: the next append makes a whole line of it. The first line of
        // a look may be a part and can then not be read, or it was seen whole in the look before.
        let text = String::from_utf8_lossy(&end);
        let seqs = text.split('\n').filter_map(|line| event::parse_line(line).ok()).map(|event| event.seq);
        match seqs.max() {
            None if start > 0 => look *= 4,
            found => return Ok(found),
        }
    }
}

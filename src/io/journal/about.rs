//! The last events of one identity, for whoever asks why it died.

use super::log_path;
use coalmine_actors::{journal::event, names::Identity};
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// How far from the newest file's end events are looked for, bytes.
const LOOK_BYTES: u64 = 256 * 1024;

/// The last lines of the journal that are about `identity`, oldest first, at most `limit`. Only the newest part of
/// the newest file is looked at.
///
/// # Errors
/// The journal can not be read; one that is not there yet says nothing.
pub fn last_events_about(journal: &Path, identity: &Identity, limit: usize) -> io::Result<Vec<String>> {
    let log = match File::open(log_path(journal, 0)) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let length = log.metadata()?.len();
    let start = length.saturating_sub(LOOK_BYTES);
    let mut end = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
    log.read_exact_at(&mut end, start)?;
    let identity = identity.to_string();
    let text = String::from_utf8_lossy(&end);
    let is_about = |line: &&str| event::parse_line(line).is_ok_and(|event| event.get("identity") == Some(&identity));
    let mut lines: Vec<_> = text.lines().rev().filter(is_about).take(limit).map(ToOwned::to_owned).collect();
    lines.reverse();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_events_of_this_identity_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let bob: Identity = "shell-bob".parse().unwrap();
        assert!(last_events_about(folder.path(), &bob, 2).unwrap().is_empty());
        let line = |seq: u32, identity: &str| format!("ts=2026-01-01T00:00:00Z seq={seq} ev=up identity={identity}\n");
        let text =
            line(1, "shell-bob") + &line(2, "shell-bob") + &line(3, "shell-al") + "garbage\n" + &line(4, "shell-bob");
        std::fs::write(log_path(folder.path(), 0), text).unwrap();
        let last = last_events_about(folder.path(), &bob, 2).unwrap();
        assert_eq!(last, [line(2, "shell-bob").trim_end(), line(4, "shell-bob").trim_end()]);
    }
}

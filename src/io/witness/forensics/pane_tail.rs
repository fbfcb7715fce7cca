//! The last lines that the peer's program printed.

use super::report::{Section, Skip};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// How many lines are kept.
const LINES_MAX: usize = 200;
/// How far back they are looked for, bytes.
const TAIL_BYTES_MAX: u64 = 32 * 1024;

/// Prints the last 200 lines of the pane log, as far as they lie in its last 32 KiB.
pub(super) fn last_lines(section: &mut Section<'_>, log: Option<&Path>) -> Result<(), Skip> {
    let log = log.ok_or_else(|| Skip::Because("no pane log is known".into()))?;
    let mut bytes = tail(log, TAIL_BYTES_MAX)?;
    let missing = TAIL_BYTES_MAX.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    // Just turned over: the lines before are in the older file, if there is one.
    if missing > 0
        && let Ok(mut older) = tail(&older(log), missing)
    {
        older.append(&mut bytes);
        bytes = older;
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    section.foreign_tail(&lines[lines.len().saturating_sub(LINES_MAX)..])
}

/// `pane.log.1`, to which `coalmine-helper panelog` turns `pane.log` over.
fn older(log: &Path) -> PathBuf {
    let mut older = log.as_os_str().to_owned();
    older.push(".1");
    older.into()
}

fn tail(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes_max)))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

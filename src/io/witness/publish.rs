//! Puts a record under its name, so that of all witnesses exactly one succeeds, and only with a whole file.

use super::{
    durable::sync_folder,
    life::LifePaths,
    settle::{Fault, Step},
};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// How the names of unfinished records begin.
pub(super) const TEMP_PREFIX: &str = ".tmp-";

/// Whose record has the name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// Ours.
    Linked,
    /// Somebody else's, who was first.
    Stands,
}

/// Writes `text` and gives it the record's name with `link(2)`, which fails where the name is taken.
pub(super) fn publish(life: &LifePaths, text: &str, fault: &mut Fault<'_>) -> io::Result<Published> {
    let records = life.records();
    let temp = write_temp(life, &records, text)?;
    fault(Step::TempWritten)?;
    let linked = fs::hard_link(&temp, life.record());
    // Linked or not, the temporary name has served; if it stays, retention takes it after a day.
    let _gone = fs::remove_file(&temp);
    match linked {
        Ok(()) => sync_folder(&records)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Published::Stands),
        Err(error) => return Err(error),
    }
    fault(Step::Linked)?;
    Ok(Published::Linked)
}

fn write_temp(life: &LifePaths, records: &Path, text: &str) -> io::Result<PathBuf> {
    // Threads of one daemon may draw up the same record at once.
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let temp = records.join(format!("{TEMP_PREFIX}{}-{}-{serial}", life.key(), process::id()));
    let mut file = match create(&temp) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(records)?;
            create(&temp)?
        }
        created => created?,
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
    if written.is_err() {
        let _gone = fs::remove_file(&temp);
    }
    written.map(|()| temp)
}

fn create(temp: &Path) -> io::Result<fs::File> {
    // A dead process's file of this very name (its pid came round) is overwritten: nobody else writes to it.
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(temp)
}

/// Makes the folder of the records, but not the journal: where that is gone, the whole fleet is.
fn make_folder(records: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(records) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

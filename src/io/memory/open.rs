//! Opens the file: what is there, whose it is, how it ends.

use super::{OpenOptions, beside, now_ms, read, restore, traces};
use crate::io::{
    atomic::sync_folder,
    lock,
    witness::{clock, proc_stat},
};
use coalmine_actors::{
    error::FleetError,
    memory::{
        MemoryError,
        index::Index,
        line::{self, Line},
        port::Opened,
        scan, time, write,
    },
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// How often a file that is replaced while we open it is opened again.
const REPLACED_TRIES_MAX: usize = 100;
/// Between two looks at a lock: at first, and for who waits long.
const LOCK_PAUSE_MS: u64 = 5;
const LOCK_PAUSE_MS_MAX: u64 = 20;

/// Opens, locks, mends and reads. `former` is what we had open before: where the file is gone, its bytes come back.
pub(super) fn open(
    path: &Path,
    cache: &Path,
    options: OpenOptions,
    former: Option<&File>,
) -> Result<(File, Opened), FleetError> {
    let io = |op: &'static str| move |source| FleetError::io(op, path, source);
    let (file, restored) = open_locked(path, cache, options, former)?;
    let mut bytes = read::whole(&file).map_err(io("read"))?;
    if let Some(version) = line::header_version(&bytes).filter(|version| *version > 1) {
        return Err(MemoryError::Newer { path: path.to_owned(), version }.into());
    }
    if bytes.is_empty() {
        bytes = write::header(&time::render(now_ms()), None);
        (&file).write_all(&bytes).and_then(|()| file.sync_data()).map_err(io("write"))?;
        sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(io("sync"))?;
    }
    let torn_now = mend(path, &file, &mut bytes).map_err(io("mend"))?;
    let torn = traces::torn_count(path);
    Ok((file, Opened { index: Index::load(bytes), torn, torn_now, restored }))
}

/// Opens the file and takes its lock; the descriptor is the one that `path` names. And whether it had to be put back.
fn open_locked(
    path: &Path,
    cache: &Path,
    options: OpenOptions,
    former: Option<&File>,
) -> Result<(File, bool), FleetError> {
    let io = |op: &'static str| move |source| FleetError::io(op, path, source);
    let deadline_ms = clock::boot_ms() + u64::try_from(options.patience.as_millis()).unwrap_or(u64::MAX / 2);
    // One that was purged meanwhile has nothing to give.
    let former = former.filter(|file| file.metadata().is_ok_and(|meta| meta.len() > 0));
    let mut restored = false;
    for _ in 0..REPLACED_TRIES_MAX {
        let there = read::is_regular(path)?;
        match former.filter(|_| !there).map(|former| restore::put_back(path, former)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io("restore")(error)),
            Some(put_back) => {
                restored |= put_back.is_ok();
                continue;
            }
            None if there || options.begin_anew => {}
            None => traces::nothing_was_there(path, cache)?,
        }
        let mut how = File::options();
        how.read(true).append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        // Made only where nothing was lost: the one that was there a moment ago may have been removed.
        let file = match how.create(!there).open(path) {
            Err(error) if there && error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened.map_err(io("open"))?,
        };
        take_lock(path, &file, deadline_ms)?;
        let (ours, there) = (file.metadata().map_err(io("look at"))?, fs::symlink_metadata(path));
        // Another file by now: the one that held the lock has compacted, or somebody replaced it.
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            if !options.allow_unlocked && !excludes(path) {
                return Err(MemoryError::NoLocks { path: path.to_owned() }.into());
            }
            return Ok((file, restored));
        }
    }
    Err(FleetError::Busy { what: format!("{} is replaced again and again", path.display()) })
}

fn take_lock(path: &Path, file: &File, deadline_ms: u64) -> Result<(), FleetError> {
    // Processes that began to wait together look at different times.
    let mut pause_ms = LOCK_PAUSE_MS + u64::from(std::process::id()) % LOCK_PAUSE_MS;
    while !lock::is_free(file).map_err(|source| FleetError::io("lock", path, source))? {
        let left_ms = deadline_ms.saturating_sub(clock::boot_ms());
        if left_ms == 0 {
            return Err(MemoryError::Held { path: path.to_owned(), holder: holder(path) }.into());
        }
        clock::pause_ms(pause_ms.min(left_ms));
        pause_ms = (pause_ms + 1).min(LOCK_PAUSE_MS_MAX);
    }
    Ok(())
}

/// Whether our lock keeps another description of the same file out. Over some network file systems it does not.
fn excludes(path: &Path) -> bool {
    match File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Ok(other) => matches!(lock::is_free(other), Ok(false)),
        // Nothing learned: the lock that we have is all that can be had.
        Err(_) => true,
    }
}

/// `pid 4242 (coalmine), since 2026-11-21 01:23:45Z`, and whether it is stopped: then it will not let go by itself.
fn holder(path: &Path) -> String {
    let mut text = lock::holder(path);
    if let Some(stat) = lock::holder_pid(path).and_then(|pid| proc_stat::read(pid).ok()) {
        let age_ms = clock::boot_ms().saturating_sub(proc_stat::ticks_to_ms(stat.start_ticks));
        if let Ok(since) = jiff::Timestamp::now().checked_sub(Duration::from_millis(age_ms)) {
            text.push_str(&format!(", since {}", crate::age::moment(since)));
        }
        if stat.state == 'T' || stat.state == 't' {
            text.push_str(", which is stopped");
        }
    }
    text
}

/// Makes the last line whole, or moves it away; `bytes` is what the file holds afterwards.
fn mend(path: &Path, file: &File, bytes: &mut Vec<u8>) -> io::Result<Option<(PathBuf, u64)>> {
    let torn_at = scan::torn_at(bytes);
    let tail = &bytes[torn_at..];
    if tail.is_empty() {
        return Ok(None);
    }
    // A power cut leaves room that was never written: NULs.
    let nuls = tail.iter().rev().take_while(|byte| **byte == 0).count();
    let written = &tail[..tail.len() - nuls];
    let whole = matches!(line::read(written), Ok(Line::Item(_) | Line::Tombstone { .. } | Line::NoId));
    let keep = if whole { torn_at + written.len() } else { torn_at };
    let moved = (keep < bytes.len()).then(|| put_aside(path, &bytes[keep..])).transpose()?;
    file.set_len(keep as u64)?;
    bytes.truncate(keep);
    if whole {
        (&*file).write_all(b"\n")?;
        bytes.push(b'\n');
    }
    file.sync_data()?;
    Ok(moved)
}

/// Writes what is cut off to a file of its own, durably, before it is cut off.
fn put_aside(path: &Path, torn: &[u8]) -> io::Result<(PathBuf, u64)> {
    let place = beside(path, &format!(".torn-{}", now_ms()));
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&place)?;
    file.write_all(torn)?;
    file.sync_all()?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    Ok((place, torn.len() as u64))
}

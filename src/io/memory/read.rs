//! Reads the file without its lock, while somebody else may be writing to it.

use coalmine_actors::{
    error::FleetError,
    memory::{MemoryError, index::Index},
};
use rustix::mm::{Advice, madvise};
use std::{
    fs::{self, File},
    io,
    num::NonZero,
    os::unix::fs::FileExt,
    path::Path,
    thread,
};

/// What one thread reads at least, bytes.
const SHARE_BYTES_MIN: usize = 4 * 1024 * 1024;
/// Most threads that read a file.
const THREADS_MAX: usize = 8;

/// What the file says now; an unfinished last line is left out, a missing file is empty.
///
/// # Errors
/// It is no file, or can not be read.
pub fn read_unlocked(path: &Path) -> Result<Index, FleetError> {
    read_bytes(path).map(Index::load)
}

/// All bytes of the file; none where it is missing.
///
/// # Errors
/// It is no file, or can not be read.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FleetError> {
    if !is_regular(path)? {
        return Ok(Vec::new());
    }
    File::open(path).and_then(|file| whole(&file)).map_err(|source| FleetError::io("read", path, source))
}

/// All bytes that the file has now, read on all cores where there are many: most of it is copying, and making room.
pub(super) fn whole(file: &File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = room(len);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let share = len.div_ceil(threads).max(SHARE_BYTES_MIN);
    let read: Vec<_> = thread::scope(|scope| {
        let parts = bytes.chunks_mut(share).enumerate();
        let running: Vec<_> = parts.map(|(nth, part)| scope.spawn(move || fill(file, part, nth * share))).collect();
        running.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut end = 0;
    for (nth, read) in read.into_iter().enumerate() {
        end += read?;
        if end < (nth + 1) * share {
            break; // the last part, or somebody cut the file meanwhile
        }
    }
    bytes.truncate(end);
    Ok(bytes)
}

/// Room for so many bytes, in huge pages where the kernel has them: to make it in small ones takes longer than to read.
fn room(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let page_bytes = rustix::param::page_size();
    let first = bytes.as_ptr().align_offset(page_bytes);
    let whole_bytes = len.saturating_sub(first) / page_bytes * page_bytes;
    if whole_bytes >= SHARE_BYTES_MIN {
        let pages = bytes[first..first + whole_bytes].as_mut_ptr().cast();
        // SAFETY: whole pages within `bytes`, which nobody else has; the advice changes what they are made of, not
        // what they hold.
        let _slower_without = unsafe { madvise(pages, whole_bytes, Advice::LinuxHugepage) };
    }
    bytes
}

/// Reads up to the end of the file or of `part`; how much.
fn fill(file: &File, part: &mut [u8], at: usize) -> io::Result<usize> {
    let mut read = 0;
    while read < part.len() {
        match file.read_at(&mut part[read..], (at + read) as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Whether a plain file is there; `false` where nothing is.
///
/// # Errors
/// Something else is there: opening it could hang, or write through it.
pub(super) fn is_regular(path: &Path) -> Result<bool, FleetError> {
    let why = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => return Ok(true),
        Ok(meta) if meta.is_dir() => "is a folder",
        Ok(meta) if meta.is_symlink() && fs::metadata(path).is_err() => "is a link to nothing",
        Ok(meta) if meta.is_symlink() => "is a link, and compaction would replace it",
        Ok(_) => "is no plain file",
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(FleetError::io("look at", path, source)),
    };
    Err(MemoryError::NotAFile { path: path.to_owned(), why }.into())
}

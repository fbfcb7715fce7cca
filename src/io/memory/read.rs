//! Reads the file without its lock, while somebody else may be writing to it.

use coalmine_actors::{
    error::FleetError,
    memory::{MemoryError, index::Index},
};
use std::{fs, io, path::Path};

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
    fs::read(path).map_err(|source| FleetError::io("read", path, source))
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

//! The claim: a deliberate end, on disk before anything is signalled.

use super::{durable::sync_folder, life::LifePaths};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
};

/// What became of an attempt to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimWritten {
    /// The claim is ours, and durable.
    Ours,
    /// Somebody claimed this life before; that claim stands as it is.
    Stands,
}

/// Claims the end of a life with `text` (one logfmt line: why, by, then); durable when it returns.
///
/// # Errors
/// Whatever the file system says. A claim that could not be made durable is taken back.
pub fn write(life: &LifePaths, text: &str) -> io::Result<ClaimWritten> {
    let path = life.claim();
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(ClaimWritten::Stands),
        Err(error) => return Err(error),
    };
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_folder(&life.peer_dir));
    if written.is_err() {
        // A claim that may vanish at a power cut must not silence a witness now.
        let _gone = fs::remove_file(&path);
    }
    written.map(|()| ClaimWritten::Ours)
}

/// Takes a claim back, durably. A claim that is not there is fine.
///
/// # Errors
/// Whatever the file system says.
pub fn remove(life: &LifePaths) -> io::Result<()> {
    match fs::remove_file(life.claim()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_folder(&life.peer_dir)),
    }
}

/// Whether the end of this life is claimed.
///
/// # Errors
/// When that can not be told: unknown is not unclaimed.
pub fn exists(life: &LifePaths) -> io::Result<bool> {
    life.claim().try_exists()
}

/// What the claim says, where there is one.
///
/// # Errors
/// Whatever the file system says.
pub fn read(life: &LifePaths) -> io::Result<Option<String>> {
    match fs::read(life.claim()) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_stands_until_it_is_taken_back() {
        let root = tempfile::tempdir().unwrap();
        let life = LifePaths {
            journal: root.path().into(),
            peer_dir: root.path().into(),
            identity: "claude-bob".into(),
            generation: 7,
        };
        assert!(!exists(&life).unwrap());
        assert_eq!(read(&life).unwrap(), None);
        assert_eq!(write(&life, "why=stop").unwrap(), ClaimWritten::Ours);
        assert_eq!(write(&life, "why=restart").unwrap(), ClaimWritten::Stands);
        assert_eq!(read(&life).unwrap().as_deref(), Some("why=stop"));
        assert!(exists(&life).unwrap());
        remove(&life).unwrap();
        remove(&life).unwrap();
        assert!(!exists(&life).unwrap());
    }
}

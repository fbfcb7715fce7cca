//! `peers/<identity>/state.json`: read, replaced atomically, and taken away with everything beside it.

use super::{
    atomic, blocking,
    fault::{self, FaultPoint},
    private_dir,
};
use crate::paths::Paths;
use coalmine_actors::{
    error::FleetError,
    names::Identity,
    peer::file::{PEER_FILE_VERSION, PeerFile},
    ports::{Answer, PeerStore},
};
use dashmap::DashMap;
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// The adapter. Clones share it.
#[derive(Debug, Clone)]
pub struct PeerFiles(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    paths: Paths,
    /// The last revision that was written of each identity: a slow save never undoes a later one.
    written: DashMap<Identity, Arc<Mutex<u64>>>,
}

impl PeerFiles {
    /// The files of the fleet at `paths`.
    pub fn new(paths: Paths) -> Self {
        Self(Arc::new(Shared { paths, written: DashMap::new() }))
    }
}

impl PeerStore for PeerFiles {
    fn load(&self, identity: &Identity) -> Answer<PeerFile> {
        let (shared, identity) = (Arc::clone(&self.0), identity.clone());
        blocking::answer(move || {
            let written = shared.written.get(&identity).map(|written| Arc::clone(written.value()));
            let revision = written.map_or(0, |written| *written.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(PeerFile { revision, ..load(&shared.paths, &identity)? })
        })
    }

    fn save(&self, identity: &Identity, file: PeerFile) -> Answer<()> {
        let (shared, identity) = (Arc::clone(&self.0), identity.clone());
        blocking::answer(move || {
            let written = Arc::clone(shared.written.entry(identity.clone()).or_default().value());
            let mut last = written.lock().unwrap_or_else(PoisonError::into_inner);
            if file.revision < *last {
                return Ok(());
            }
            let folder = shared.paths.peer(&identity);
            private_dir::ensure(&folder)?;
            let path = folder.join("state.json");
            let text = serde_json::to_string_pretty(&file).map_err(|error| FleetError::Internal(error.to_string()))?;
            atomic::replace(&path, (text + "\n").as_bytes())
                .map_err(|source| FleetError::io("write", &path, source))?;
            fault::reached(FaultPoint::StateSaved);
            *last = file.revision;
            Ok(())
        })
    }

    fn purge(&self, identity: &Identity) -> Answer<()> {
        let (shared, identity) = (Arc::clone(&self.0), identity.clone());
        blocking::answer(move || {
            shared.written.remove(&identity);
            let folder = shared.paths.peer(&identity);
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FleetError::io("remove", &folder, error)),
                _ => {
                    fault::reached(FaultPoint::Purged);
                    Ok(())
                }
            }
        })
    }
}

fn load(paths: &Paths, identity: &Identity) -> Result<PeerFile, FleetError> {
    let path = paths.peer(identity).join("state.json");
    match std::fs::read(&path) {
        Ok(bytes) => parse(&path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let highest = super::exits::highest_generation(&paths.journal(), identity)
                .map_err(|source| FleetError::io("read", paths.journal(), source))?;
            Ok(PeerFile { highest, ..PeerFile::default() })
        }
        Err(error) => Err(FleetError::io("read", &path, error)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<PeerFile, FleetError> {
    let damaged = |why: String| FleetError::Damaged {
        path: path.to_owned(),
        why,
        hint: "move it away: the peer then starts with its generation after the highest in the journal".into(),
    };
    let file: PeerFile = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if file.version > PEER_FILE_VERSION {
        return Err(damaged(format!("version {} was written by a newer coalmine", file.version)));
    }
    let highest = file.lives.iter().map(|life| life.generation).max().unwrap_or_default().max(file.highest);
    Ok(PeerFile { highest, ..file })
}

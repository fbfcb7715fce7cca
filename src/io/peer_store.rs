//! `peers/<identity>/state.json`: read, replaced atomically, and taken away with everything beside it.

use super::{
    atomic, blocking,
    fault::{self, FaultPoint},
    late_canary,
    lock::{self, NotLocked},
    lock_holder, private_dir, traces,
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
        Box::pin(async move {
            nobody_left(&shared.paths, &identity).await?;
            let purge = move || {
                shared.written.remove(&identity);
                let folder = shared.paths.peer(&identity);
                match std::fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(FleetError::io("remove", &folder, error))
                    }
                    _ => {
                        fault::reached(FaultPoint::Purged);
                        Ok(())
                    }
                }
            };
            blocking::answer(purge).await
        })
    }
}

/// Sees to it that no canary is left that would miss its claim, and refuses where a server lives: with the folder
/// would go what tells of it.
async fn nobody_left(paths: &Paths, identity: &Identity) -> Result<(), FleetError> {
    let (folder, lock) = (paths.peer(identity), paths.server_lock(identity));
    let held = |holder| FleetError::LockHeld { identity: identity.clone(), holder };
    if let Some(server) = lock_holder::find_id(&lock, lock_holder::SERVER_FD) {
        return Err(held(format!("pid {}", server.pid)));
    }
    for generation in late_canary::generations(&folder) {
        if !late_canary::dismiss(&folder, generation).await {
            return Err(held(format!("the canary of life {generation}")));
        }
    }
    match lock.exists() {
        true => lock::lock(&lock).await.map(drop).or_else(|why| match why {
            NotLocked::Held => Err(held(lock::holder(&lock))),
            NotLocked::Io(_) => Ok(()), // who can not be asked; the removal says what is wrong with the folder
        }),
        false => Ok(()),
    }
}

fn load(paths: &Paths, identity: &Identity) -> Result<PeerFile, FleetError> {
    let path = paths.peer(identity).join("state.json");
    match std::fs::read(&path) {
        Ok(bytes) => parse(&path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            traces::rebuild(paths, identity).map_err(|source| FleetError::io("read", paths.journal(), source))
        }
        Err(error) => Err(FleetError::io("read", &path, error)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<PeerFile, FleetError> {
    let damaged = |why: String| {
        FleetError::Damaged {
        path: path.to_owned(),
        why,
        hint: "move it away: the daemon then finds what lives of the peer by its lock, and its generation by the other traces".into(),
    }
    };
    let file: PeerFile = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if file.version > PEER_FILE_VERSION {
        return Err(damaged(format!("version {} was written by a newer coalmine", file.version)));
    }
    let highest = file.lives.iter().map(|life| life.generation).max().unwrap_or_default().max(file.highest);
    Ok(PeerFile { highest, ..file })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{pidfd::Pidfd, spawn::Spawn};
    use rustix::process::Signal;
    use std::os::fd::AsFd;

    #[tokio::test]
    async fn the_folder_of_a_living_server_is_not_purged_also_where_its_lock_was_removed() {
        let root = tempfile::tempdir().unwrap();
        let (paths, identity) = (Paths::new(root.path()).unwrap(), "shell-a".parse().unwrap());
        let (files, path) = (PeerFiles::new(paths.clone()), paths.server_lock(&identity));
        files.save(&identity, PeerFile { revision: 1, ..PeerFile::default() }).await.unwrap();
        let lock = lock::try_lock(&path).unwrap();
        let spawn = Spawn::new(Path::new("/bin/sleep")).unwrap().arg("60").unwrap().pass(lock.as_fd());
        let server = Pidfd::open(spawn.start().unwrap()).unwrap();
        drop(lock);
        for removed in [false, true] {
            if removed {
                std::fs::remove_file(&path).unwrap();
            }
            let error = files.purge(&identity).await.unwrap_err();
            assert_eq!(error.code(), "lock-held", "{error}");
            assert!(paths.peer(&identity).join("state.json").exists());
        }
        server.signal(Signal::KILL).unwrap();
        server.ended().await;
        server.reap();
        files.purge(&identity).await.unwrap();
        assert!(!paths.peer(&identity).exists());
    }
}

//! Keeps the daemon's socket where clients look for it: whoever removes it only has it made again.

use super::bind::{Bound, bind_private};
use crate::{
    io::{
        inotify::{Mask, Watcher},
        socket_folder,
    },
    paths::Paths,
};
use coalmine_actors::{backoff::backoff, error::FleetError};
use std::{io, path::PathBuf};

/// Watches the folder of the daemon's own socket.
pub(super) struct Guard {
    paths: Paths,
    socket: PathBuf,
    watcher: Option<Watcher>,
}

impl Guard {
    /// Without a watcher (the user's are used up) the socket is not made again, and that is said.
    pub(super) fn new(paths: &Paths) -> Self {
        let mut guard = Self { paths: paths.clone(), socket: paths.daemon_socket(), watcher: None };
        match Watcher::new().and_then(|watcher| guard.watch(&watcher).map(|()| watcher)) {
            Ok(watcher) => guard.watcher = Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "the daemon's socket is not watched: were it removed, it would stay so")
            }
        }
        guard
    }

    fn watch(&self, watcher: &Watcher) -> io::Result<()> {
        let folder = self.socket.parent().ok_or(io::ErrorKind::InvalidInput)?;
        watcher.add(folder, Mask::IN_DELETE | Mask::IN_MOVED_FROM | Mask::IN_MOVED_TO | Mask::IN_DELETE_SELF).map(drop)
    }

    /// Resolves when the socket had been lost and was made again. Cancel-safe: what it goes by is the file that lies
    /// there, looked at again each time.
    pub(super) async fn made_again(&self, bound: &Bound) -> Bound {
        let Some(watcher) = self.watcher.as_ref().filter(|_| bound.is_own()) else {
            return std::future::pending().await;
        };
        let mut failures = 0;
        loop {
            if bound.is_in_place() {
                if let Err(error) = watcher.next().await {
                    tracing::warn!(%error, "the daemon's socket is not watched any more");
                    return std::future::pending().await;
                }
                continue;
            }
            match self.make(watcher) {
                Ok(bound) => {
                    tracing::warn!(socket = %self.socket.display(), "the daemon's socket was removed; it is made again");
                    return bound;
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(
                            error = error.chain(),
                            "the daemon's socket was removed and can not be made again"
                        );
                    }
                    failures += 1;
                    tokio::time::sleep(backoff(failures)).await;
                }
            }
        }
    }

    fn make(&self, watcher: &Watcher) -> Result<Bound, FleetError> {
        let lost = |source| FleetError::io("watch", self.paths.run(), source);
        // A fleet whose root was removed is not brought back by its daemon.
        self.paths.root().metadata().map_err(|source| FleetError::io("inspect", self.paths.root(), source))?;
        socket_folder::ensure(&self.paths, &self.socket)?;
        // First, so that no removal falls between the two.
        self.watch(watcher).map_err(lost)?;
        bind_private(&self.socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Duration};

    async fn again(guard: &Guard, bound: &Bound) -> Bound {
        tokio::time::timeout(Duration::from_secs(20), guard.made_again(bound)).await.expect("made again")
    }

    #[tokio::test]
    async fn a_socket_that_is_removed_is_made_again_also_with_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path()).unwrap();
        let bound = bind_private(&paths.daemon_socket()).unwrap();
        let guard = Guard::new(&paths);
        fs::remove_file(paths.daemon_socket()).unwrap();
        let bound = again(&guard, &bound).await;
        assert!(bound.is_in_place());
        fs::remove_dir_all(paths.run()).unwrap();
        let bound = again(&guard, &bound).await;
        fs::rename(paths.daemon_socket(), root.path().join("elsewhere")).unwrap();
        assert!(again(&guard, &bound).await.is_in_place());
    }

    #[tokio::test(start_paused = true)]
    async fn a_root_that_is_gone_is_not_brought_back() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path()).unwrap();
        let bound = bind_private(&paths.daemon_socket()).unwrap();
        let guard = Guard::new(&paths);
        fs::remove_dir_all(paths.root()).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(600), guard.made_again(&bound)).await.is_err());
        assert!(!paths.root().exists());
        fs::create_dir(root.path()).unwrap();
    }
}

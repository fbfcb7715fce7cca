//! A canary that outlived its life, or the line that names it: it is known by its lock, and dismissed.
//!
//! A canary tells of a death unless a claim silences it. So what a life leaves behind, its claim above all, may only
//! be cleared away when no canary of that life is left: one that was stopped, and goes on later, would tell of an end
//! that was meant.

use super::{
    lock::{self, NotLocked},
    lock_holder::{self, CANARY_FD},
};
use coalmine_actors::names::Generation;
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a canary may take to go after TERM, and after KILL. One that records finishes its record first.
const DISMISS_GRACE: Duration = Duration::from_millis(500);
/// The files of a life begin with these, and go on with its generation.
const PREFIXES: [&str; 5] = ["claim-g", "canary-g", "pane-g", "server-g", "token-g"];

/// The lock of a life's canary in the folder of its peer.
pub(super) fn lock_of(folder: &Path, generation: Generation) -> PathBuf {
    folder.join(format!("canary-g{generation}.lock"))
}

/// The generations whose files lie in the folder of a peer.
pub(super) fn generations(folder: &Path) -> BTreeSet<Generation> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| generation(file.file_name().to_str()?)).collect()
}

/// The life that a file of this name belongs to.
pub(super) fn generation(name: &str) -> Option<Generation> {
    let number = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    number.trim_end_matches(".lock").trim_end_matches(".err").parse().ok().map(Generation)
}

/// Ends whoever watches as this life's canary; whether nobody does now.
pub(super) async fn dismiss(folder: &Path, generation: Generation) -> bool {
    let lock = lock_of(folder, generation);
    if is_free(&lock) {
        return true;
    }
    let Some(canary) = lock_holder::find(&lock, CANARY_FD) else {
        // Without a file nobody else can be asked; a held one may be in the hands of a child that is just born.
        return !lock.exists() || lock::lock(&lock).await.is_ok();
    };
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = canary.signal(signal); // gone is what we want
        if tokio::time::timeout(DISMISS_GRACE, canary.ended()).await.is_ok() {
            return true;
        }
    }
    false
}

/// Whether the lock is there and nobody holds it. Where it is not there, whoever held it when it was removed may live.
fn is_free(lock: &Path) -> bool {
    lock.exists() && !matches!(lock::try_lock(lock), Err(NotLocked::Held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{pidfd::Pidfd, spawn::Spawn};
    use std::os::fd::AsFd;

    /// A stopped process that holds this life's lock as a canary does.
    fn stopped_canary(folder: &Path, generation: Generation) -> Pidfd {
        let lock = lock::try_lock(&lock_of(folder, generation)).unwrap();
        let other = std::fs::File::open("/dev/null").unwrap();
        let spawn = Spawn::new(Path::new("/bin/sleep")).unwrap().arg("60").unwrap();
        let canary = Pidfd::open(spawn.pass(other.as_fd()).pass(lock.as_fd()).start().unwrap()).unwrap();
        canary.signal(Signal::STOP).unwrap();
        canary
    }

    #[tokio::test]
    async fn a_stopped_canary_is_found_by_its_lock_and_dismissed_also_where_that_was_removed() {
        for removed in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let life = Generation(3);
            let canary = stopped_canary(folder.path(), life);
            if removed {
                std::fs::remove_file(lock_of(folder.path(), life)).unwrap();
            }
            assert!(dismiss(folder.path(), life).await);
            canary.ended().await;
            canary.reap();
        }
    }

    #[tokio::test]
    async fn what_is_held_by_somebody_who_is_no_canary_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        let _held = lock::try_lock(&lock_of(folder.path(), Generation(3))).unwrap();
        assert!(!dismiss(folder.path(), Generation(3)).await);
        assert!(dismiss(folder.path(), Generation(4)).await);
    }

    #[test]
    fn the_files_of_a_life_name_its_generation() {
        let named = [("claim-g7", 7), ("canary-g8.lock", 8), ("pane-g9", 9)];
        assert!(named.iter().all(|(name, life)| generation(name) == Some(Generation(*life))));
        assert!(["state.json", "server.lock", "pane.log", "claim-gx"].iter().all(|name| generation(name).is_none()));
    }
}

//! Hears of changes to files and folders without asking for them: no timer, no poll.

use nix::sys::inotify::{InitFlags, Inotify};
use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::io::{Interest, unix::AsyncFd};

pub use nix::sys::inotify::{AddWatchFlags as Mask, WatchDescriptor};

/// What happened to something that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which watch saw it. Of no watch when `mask` holds `IN_Q_OVERFLOW`: changes were lost, look at everything.
    pub watch: WatchDescriptor,
    /// What happened. `IN_IGNORED` is the last word of a watch: what it watched is gone.
    pub mask: Mask,
    /// The entry of the watched folder that it happened to; nothing where a file itself is watched.
    pub name: Option<OsString>,
}

/// One inotify instance. Its drop closes it, and with it all its watches.
///
/// A user has 128 instances by default: one a subsystem, with as many watches as it needs.
#[derive(Debug)]
pub struct Watcher {
    inotify: AsyncFd<Descriptor>,
    /// Read and not handed out yet. Never held across a wait.
    queue: Mutex<VecDeque<Change>>,
}

#[derive(Debug)]
struct Descriptor(Inotify);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Watcher {
    /// A watcher that watches nothing yet. Must be called within a tokio runtime that drives I/O.
    ///
    /// # Errors
    /// When the user's instances or descriptors are used up.
    pub fn new() -> io::Result<Self> {
        let inotify = Descriptor(Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?);
        // SAFETY: the `Inotify` owns an open descriptor, answers with that same one every time, and nothing takes
        // it out or closes it while the `AsyncFd` holds it.
        let inotify = unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) }?;
        Ok(Self { inotify, queue: Mutex::default() })
    }

    /// Watches a file or a folder's entries. A path that is watched already gets the new mask.
    ///
    /// # Errors
    /// When it is not there, can not be read, or the user's watches are used up.
    pub fn add(&self, path: &Path, mask: Mask) -> io::Result<WatchDescriptor> {
        Ok(self.inotify.get_ref().0.add_watch(path, mask)?)
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn remove(&self, watch: WatchDescriptor) -> io::Result<()> {
        Ok(self.inotify.get_ref().0.rm_watch(watch)?)
    }

    /// The next change, in order. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the kernel's queue can not be read.
    pub async fn next(&self) -> io::Result<Change> {
        loop {
            if let Some(change) = self.queue().pop_front() {
                return Ok(change);
            }
            let mut ready = self.inotify.readable().await?;
            // `Err` is a false alarm: nothing was there to read, wait on.
            let Ok(read) = ready.try_io(|inotify| Ok(inotify.get_ref().0.read_events()?)) else { continue };
            self.queue().extend(read?.into_iter().map(|event| Change {
                watch: event.wd,
                mask: event.mask,
                name: event.name,
            }));
        }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Duration};

    const DEADLINE: Duration = Duration::from_secs(20);

    async fn next(watcher: &mut Watcher) -> Change {
        tokio::time::timeout(DEADLINE, watcher.next()).await.expect("a change within the deadline").unwrap()
    }

    #[tokio::test]
    async fn a_write_a_creation_and_a_rename_are_heard_in_order() {
        let temp = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new().unwrap();
        let watch = watcher.add(temp.path(), Mask::IN_CREATE | Mask::IN_CLOSE_WRITE | Mask::IN_MOVED_TO).unwrap();
        fs::write(temp.path().join("a"), "x").unwrap();
        fs::rename(temp.path().join("a"), temp.path().join("b")).unwrap();
        for (mask, name) in [(Mask::IN_CREATE, "a"), (Mask::IN_CLOSE_WRITE, "a"), (Mask::IN_MOVED_TO, "b")] {
            assert_eq!(next(&mut watcher).await, Change { watch, mask, name: Some(name.into()) });
        }
    }

    #[tokio::test]
    async fn a_change_wakes_who_waits_already() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("pane.log");
        fs::write(&file, "").unwrap();
        let mut watcher = Watcher::new().unwrap();
        let watch = watcher.add(&file, Mask::IN_MODIFY).unwrap();
        let waiter = tokio::spawn(async move { next(&mut watcher).await });
        tokio::task::yield_now().await;
        fs::write(&file, "x").unwrap();
        assert_eq!(waiter.await.unwrap(), Change { watch, mask: Mask::IN_MODIFY, name: None });
    }

    #[tokio::test]
    async fn a_watch_ends_with_what_it_watches() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("run");
        fs::create_dir(&folder).unwrap();
        let mut watcher = Watcher::new().unwrap();
        let watch = watcher.add(&folder, Mask::IN_CREATE).unwrap();
        fs::remove_dir(&folder).unwrap();
        assert_eq!(next(&mut watcher).await, Change { watch, mask: Mask::IN_IGNORED, name: None });
        assert!(watcher.remove(watch).is_err());
        assert_eq!(watcher.add(&folder, Mask::IN_CREATE).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

//! Hears when a peer writes to its pane log: one inotify instance for the whole fleet, and nothing while nobody asks.
//!
//! A user has 128 instances by default, so a fleet of starting agents must share one.

use crate::io::inotify::{Mask, WatchDescriptor, Watcher};
use dashmap::DashMap;
use std::{
    io,
    path::Path,
    sync::{Arc, OnceLock},
};
use tokio::sync::Notify;

const GROWTH: Mask = Mask::IN_MODIFY.union(Mask::IN_CREATE).union(Mask::IN_MOVED_TO);

/// The shared watcher; made when the first one asks.
#[derive(Default)]
pub(super) struct Outputs(OnceLock<Hub>);

struct Hub {
    watcher: Arc<Watcher>,
    waiting: Arc<DashMap<WatchDescriptor, Waiting>>,
}

/// All who listen to one log: whoever looks for signs of life, and whoever waits for an echo.
struct Waiting {
    log: std::ffi::OsString,
    grown: Vec<Arc<Notify>>,
}

impl Waiting {
    fn notify(&self) {
        self.grown.iter().for_each(|grown| grown.notify_one());
    }
}

/// One pane log that is being listened to; its drop ends that.
pub(super) struct Output {
    watch: WatchDescriptor,
    watcher: Arc<Watcher>,
    waiting: Arc<DashMap<WatchDescriptor, Waiting>>,
    grown: Arc<Notify>,
}

impl Outputs {
    /// Listens to this log, which need not exist yet; its folder must.
    pub(super) fn listen(&self, log: &Path) -> io::Result<Output> {
        let hub = match self.0.get() {
            Some(hub) => hub,
            None => {
                let new = Hub::new()?;
                self.0.get_or_init(|| new)
            }
        };
        let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let watch = hub.watcher.add(folder, GROWTH)?;
        let grown = Arc::new(Notify::new());
        // Output may have come before the watch: the first look needs no change.
        grown.notify_one();
        // A watch is one a folder, whoever asks for it.
        let mut waiting =
            hub.waiting.entry(watch).or_insert_with(|| Waiting { log: name.to_owned(), grown: Vec::new() });
        waiting.grown.push(Arc::clone(&grown));
        drop(waiting);
        Ok(Output { watch, watcher: Arc::clone(&hub.watcher), waiting: Arc::clone(&hub.waiting), grown })
    }
}

impl Hub {
    fn new() -> io::Result<Self> {
        let watcher = Arc::new(Watcher::new()?);
        let waiting: Arc<DashMap<WatchDescriptor, Waiting>> = Arc::default();
        let (source, sinks) = (Arc::clone(&watcher), Arc::clone(&waiting));
        // Ends with the runtime.
        tokio::spawn(async move {
            while let Ok(change) = source.next().await {
                if change.mask.contains(Mask::IN_Q_OVERFLOW) {
                    sinks.iter().for_each(|waiting| waiting.notify());
                } else if let Some(waiting) = sinks.get(&change.watch)
                    && change.name.as_ref() == Some(&waiting.log)
                {
                    waiting.notify();
                }
            }
        });
        Ok(Self { watcher, waiting })
    }
}

impl Output {
    /// Waits until the log has grown since the last time; the first time it does not wait.
    pub(super) async fn grown(&self) {
        self.grown.notified().await;
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let last = self.waiting.remove_if_mut(&self.watch, |_, waiting| {
            waiting.grown.retain(|grown| !Arc::ptr_eq(grown, &self.grown));
            waiting.grown.is_empty()
        });
        if last.is_some() {
            let _ = self.watcher.remove(self.watch); // the folder is gone, and the watch with it
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn growth_of_the_log_is_heard_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pane.log");
        let outputs = Outputs::default();
        let output = outputs.listen(&log).unwrap();
        output.grown().await;
        std::fs::write(folder.path().join("state.json"), "x").unwrap();
        std::fs::write(&log, "x").unwrap();
        tokio::time::timeout(Duration::from_secs(20), output.grown()).await.expect("the log grew");
        drop(output);
        assert!(outputs.0.get().unwrap().waiting.is_empty());
    }

    #[tokio::test]
    async fn all_who_listen_to_a_log_hear_it_also_when_one_of_them_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pane.log");
        let outputs = Outputs::default();
        let (first, second) = (outputs.listen(&log).unwrap(), outputs.listen(&log).unwrap());
        for output in [&first, &second] {
            output.grown().await;
        }
        std::fs::write(&log, "x").unwrap();
        for output in [&first, &second] {
            tokio::time::timeout(Duration::from_secs(20), output.grown()).await.expect("both hear it");
        }
        drop(second);
        std::fs::write(&log, "xy").unwrap();
        tokio::time::timeout(Duration::from_secs(20), first.grown()).await.expect("the other one still hears it");
    }
}

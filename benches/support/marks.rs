//! Sees files appear in a folder, with the time at which they did.

use super::Outcome;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::{collections::HashMap, path::Path, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};

/// A watched folder. The watching thread ends with the process.
pub struct MarkFolder {
    appeared: UnboundedReceiver<(String, Instant)>,
    seen: HashMap<String, Instant>,
}

impl MarkFolder {
    /// Watches `folder` for files that are made there from now on.
    pub fn watch(folder: &Path) -> Outcome<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
        inotify.add_watch(folder, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
        let (sender, appeared) = unbounded_channel();
        // A thread of its own that blocks: its wake-up waits for no other task.
        std::thread::spawn(move || {
            while let Ok(events) = inotify.read_events() {
                let now = Instant::now();
                for name in events.into_iter().filter_map(|event| event.name) {
                    if sender.send((name.to_string_lossy().into_owned(), now)).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { appeared, seen: HashMap::new() })
    }

    /// When the file of this name appeared; waits for it.
    pub async fn appeared(&mut self, name: &str, patience: Duration) -> Outcome<Instant> {
        loop {
            if let Some(at) = self.seen.remove(name) {
                return Ok(at);
            }
            let next = tokio::time::timeout(patience, self.appeared.recv()).await;
            let (name, at) = next.map_err(|_elapsed| format!("{name} did not appear"))?.ok_or("the watch ended")?;
            self.seen.insert(name, at);
        }
    }
}

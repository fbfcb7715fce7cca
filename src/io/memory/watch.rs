//! Hears that the file was removed, also while nobody writes: its bytes are there only as long as the descriptor is.

use crate::io::inotify::{Mask, Watcher};
use coalmine_actors::error::FleetError;
use std::path::{Path, PathBuf};

/// Tells of every removal from now on, until it is dropped.
///
/// # Errors
/// The folder can not be watched.
pub(super) async fn removals(path: PathBuf, tell: Box<dyn Fn() + Send>) -> Result<(), FleetError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let io = |source| FleetError::io("watch", folder, source);
    let watcher = Watcher::new().map_err(io)?;
    watcher.add(folder, Mask::IN_DELETE | Mask::IN_MOVED_FROM).map_err(io)?;
    // What went before the watch began is told too.
    if !path.exists() {
        tell();
    }
    loop {
        let change = watcher.next().await.map_err(io)?;
        if change.name.as_deref() == path.file_name() || change.mask.contains(Mask::IN_Q_OVERFLOW) {
            tell();
        }
    }
}

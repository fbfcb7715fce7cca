//! Makes room for a socket: below the root, or in the short folder where its path would be too long.

use super::{lock, private_dir};
use crate::paths::Paths;
use coalmine_actors::error::FleetError;
use std::{path::Path, time::Duration};

/// Between two looks at a folder that is being left.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// Removes the short folder where no server listens in it any more, and the one above where no other fleet has one.
/// For who holds the fleet's lock and has ended its last peer: what sweeps up after it may still be at work, and is
/// waited for as long as a lock may seem to be held.
pub async fn clear(paths: &Paths) {
    let deadline = tokio::time::Instant::now() + lock::LINGER;
    while paths.short_run().exists() && !try_clear(paths) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

fn try_clear(paths: &Paths) -> bool {
    let sockets = std::fs::read_dir(paths.short_run()).into_iter().flatten().flatten();
    for socket in sockets.map(|entry| entry.path()) {
        let identity = socket.file_stem().and_then(|name| name.to_str()?.parse().ok());
        // A server that was ended just now may have left its own behind.
        if identity.is_some_and(|identity| !lock::is_held(&paths.peer(&identity).join("server.lock"))) {
            let _gone = std::fs::remove_file(socket);
        }
    }
    let is_gone = std::fs::remove_dir(paths.short_run()).is_ok();
    let _shared = paths.short_run().parent().map(std::fs::remove_dir);
    is_gone
}

/// Makes the folder of `socket` (one of this fleet's), private like all that is above it and ours. Says whether it
/// is the short one.
///
/// # Errors
/// It can not be made, or somebody else can enter it.
pub fn ensure(paths: &Paths, socket: &Path) -> Result<bool, FleetError> {
    let short = paths.short_run();
    if !socket.starts_with(short) {
        return private_dir::ensure(paths.run()).map(|()| false);
    }
    // Each of the two must be private by itself: their parent is everybody's.
    for folder in short.parent().into_iter().chain([short]) {
        private_dir::ensure(folder)?;
    }
    Ok(true)
}

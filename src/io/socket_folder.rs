//! Makes room for a socket: below the root, or in the short folder where its path would be too long.

use super::{lock, private_dir};
use crate::paths::Paths;
use coalmine_actors::error::FleetError;
use std::path::Path;

/// Removes the short folder where no server listens in it any more, and the one above where no other fleet has one.
/// For who holds the fleet's lock.
pub fn clear(paths: &Paths) {
    let sockets = std::fs::read_dir(paths.short_run()).into_iter().flatten().flatten();
    for socket in sockets.map(|entry| entry.path()) {
        let identity = socket.file_stem().and_then(|name| name.to_str()?.parse().ok());
        // A server that was ended just now may have left its own behind.
        if identity.is_some_and(|identity| !lock::is_held(&paths.peer(&identity).join("server.lock"))) {
            let _gone = std::fs::remove_file(socket);
        }
    }
    // In use, or never made: both stay as they are.
    let _in_use = std::fs::remove_dir(paths.short_run());
    let _shared = paths.short_run().parent().map(std::fs::remove_dir);
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

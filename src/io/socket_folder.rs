//! Makes room for a socket: below the root, or in the short folder where its path would be too long.

use super::private_dir;
use crate::paths::Paths;
use coalmine_actors::error::FleetError;
use std::path::Path;

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

//! `host-plugins.json`: who uses what is installed once for the whole host.

use super::damaged;
use crate::io::atomic;
use coalmine_actors::{error::FleetError, provisioner::port::HostPlugins};
use std::{io, path::Path};

/// A missing file is nobody. Blocks.
pub(super) fn load(path: &Path) -> Result<HostPlugins, FleetError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(path.to_owned(), error)),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(HostPlugins::default()),
        Err(source) => Err(FleetError::io("read", path, source)),
    }
}

/// Durable on return. Blocks.
pub(super) fn save(path: &Path, plugins: &HostPlugins) -> Result<(), FleetError> {
    let bytes = serde_json::to_vec(plugins).map_err(|error| FleetError::Internal(error.to_string()))?;
    atomic::replace(path, &bytes).map_err(|source| FleetError::io("write", path, source))
}

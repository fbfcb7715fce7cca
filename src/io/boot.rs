//! Which boot of the host this is.

use super::witness;
use std::{io, sync::OnceLock};

/// The kernel's id of this boot, read once.
///
/// # Errors
/// /proc is not there.
pub fn boot_id() -> io::Result<&'static str> {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    if let Some(id) = BOOT_ID.get() {
        return Ok(id);
    }
    let id = witness::clock::boot_id()?;
    Ok(BOOT_ID.get_or_init(|| id))
}

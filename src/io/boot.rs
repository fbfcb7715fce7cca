//! Which boot of the host this is.

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
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(BOOT_ID.get_or_init(|| id))
}

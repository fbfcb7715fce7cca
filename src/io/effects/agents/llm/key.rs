//! How we are known to a provider: read when it is needed, shown to nobody else.

use crate::config::models::KeySource;
use coalmine_actors::effects::EffectError;
use hyper::header::HeaderValue;
use std::{
    fs::File,
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Longest key, bytes.
const KEY_BYTES_MAX: u64 = 8 * 1024;

/// What goes into the header for the provider `name`, marked so that nothing prints it; nothing where there is no key.
///
/// # Errors
/// [`EffectError::Unsupported`]: the operator's file can not be read, or is not the operator's alone.
pub(super) async fn read(name: &str, source: &KeySource) -> Result<Option<HeaderValue>, EffectError> {
    let key = match source {
        KeySource::None => None,
        KeySource::Env(variable) => std::env::var(variable).ok().filter(|key| !key.is_empty()),
        KeySource::File(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || of_file(&path)).await;
            let read = read.map_err(|panic| EffectError::Internal(panic.to_string()))?;
            Some(read.map_err(|why| EffectError::unsupported(format!("provider.{name}.api_key_file: {why}")))?)
        }
    };
    let Some(key) = key else { return Ok(None) };
    let header = HeaderValue::from_str(&format!("Bearer {}", key.trim()));
    let unfit = |_| EffectError::unsupported(format!("the key of provider {name} holds what no header can"));
    let mut header = header.map_err(unfit)?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// Blocks.
fn of_file(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("it can not be read: {}", error.kind());
    // Never waits: where a FIFO stands in its place, that is told.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err("it is no regular file".into());
    }
    if meta.permissions().mode() & 0o077 != 0 || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err("others may read it: give it to the daemon's user, and chmod 600".into());
    }
    let mut key = String::new();
    file.take(KEY_BYTES_MAX).read_to_string(&mut key).map_err(failed)?;
    if key.trim().is_empty() { Err("it is empty".into()) } else { Ok(key) }
}

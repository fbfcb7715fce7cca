//! The same work by hand, and what the benches share.

use super::support::Outcome;
use bytes::Bytes;
use coalmine::io::{
    attachments::{Disk, SqliteManifest},
    clock::HostClock,
};
use coalmine_actors::attachments::{Attachments, AttachmentsParts, Intent, Owners, SessionStore, change::Quotas};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

const MIB: usize = 1024 * 1024;

/// Everybody lives.
struct Everybody;

impl Owners for Everybody {
    fn lives(&self, _: &Intent) -> bool {
        true
    }
}

/// A store of its own below `root`, and a session in it.
pub(super) async fn shop(root: &Path, name: &str) -> Outcome<(PathBuf, SessionStore)> {
    let folder = root.join(name);
    coalmine::io::private_dir::ensure(&folder)?;
    let store = Disk::open(&folder.join("attachments"), Arc::new(HostClock), 128 * MIB as u64)?;
    let parts = AttachmentsParts {
        store: Arc::new(store),
        manifest: Arc::new(SqliteManifest::new(folder.join("attachments/manifest.sqlite"))),
        owners: Arc::new(Everybody),
        clock: Arc::new(HostClock),
        journal: None,
        quotas: Quotas::default(),
        grace: Duration::from_secs(3600),
        sweep_every: None,
    };
    let attachments = Attachments::start(parts, None).await?;
    Ok((folder, attachments.session("bench".parse()?, "one".parse()?)))
}

/// Bytes that no seed but this one gives.
pub(super) fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

pub(super) fn hashed(bytes: &[u8]) -> Duration {
    let before = Instant::now();
    std::hint::black_box(Sha256::digest(bytes));
    before.elapsed()
}

/// `write` and `fdatasync` of a new file, which is removed afterwards.
pub(super) fn written(path: &Path, bytes: &[u8]) -> Outcome<Duration> {
    let before = Instant::now();
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    let took = before.elapsed();
    std::fs::remove_file(path)?;
    Ok(took)
}

/// Hash, then write, fsync, rename, and fsync of the folder.
pub(super) fn stored(folder: &Path, bytes: &[u8]) -> Outcome<Duration> {
    let before = Instant::now();
    let name: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let temp = folder.join("temp");
    let mut file = File::create(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temp, folder.join(name))?;
    File::open(folder)?.sync_all()?;
    Ok(before.elapsed())
}

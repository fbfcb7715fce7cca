//! Attachments: what every store must do, what the disk survives, and how people and programs meet them.
mod alone;
mod broken;
mod conformance;
mod crash;
mod disk;
mod durable;
mod faces;
mod hostile;
mod killed;
#[cfg(feature = "object-store")]
mod object;
mod shown;
mod store;

use coalmine::io::{
    attachments::{Disk, SqliteManifest},
    clock::HostClock,
};
use coalmine_actors::attachments::{
    AttachmentStore, Attachments, AttachmentsParts, Intent, Owner, Owners, SessionStore, change::Quotas,
};
use std::{path::Path, sync::Arc, time::Duration};

/// Longest attachment in these tests, bytes.
pub const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Sessions that begin with `live` live.
pub struct ByName;

impl Owners for ByName {
    fn lives(&self, intent: &Intent) -> bool {
        intent.session_id.as_str().starts_with("live")
    }
}

/// A folder with a store and its manifest, private as the store wants it.
pub struct Shop {
    pub folder: tempfile::TempDir,
    pub store: Disk,
    pub attachments: Attachments,
}

impl Shop {
    pub async fn new() -> Self {
        Self::with(Quotas::default()).await
    }

    pub async fn with(quotas: Quotas) -> Self {
        let folder = private_folder();
        let store = disk(folder.path());
        let attachments = attachments(folder.path(), Arc::new(store.clone()), quotas).await;
        Self { folder, store, attachments }
    }

    pub fn session(&self, name: &str) -> SessionStore {
        self.attachments.session(name.parse().unwrap(), Owner::whole())
    }
}

pub fn private_folder() -> tempfile::TempDir {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new().prefix("cm").permissions(private).tempdir().unwrap()
}

pub fn disk(folder: &Path) -> Disk {
    Disk::open(&folder.join("attachments"), Arc::new(HostClock), BYTES_MAX).unwrap()
}

pub async fn attachments(folder: &Path, store: Arc<dyn AttachmentStore>, quotas: Quotas) -> Attachments {
    let parts = AttachmentsParts {
        store,
        manifest: Arc::new(SqliteManifest::new(folder.join("attachments/manifest.sqlite"))),
        owners: Arc::new(ByName),
        clock: Arc::new(HostClock),
        journal: None,
        quotas,
        grace: Duration::from_secs(3600),
        sweep_every: None,
    };
    Attachments::start(parts, None).await.unwrap()
}

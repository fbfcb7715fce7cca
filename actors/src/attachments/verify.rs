//! Reads every attachment, and holds the store and the manifest against each other.

use super::{
    change::BlobState,
    error::AttachmentError,
    handle::Shared,
    id::AttachmentId,
    store::{AttachmentStore, PAGE_MAX},
};
use crate::error::FleetError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Attachments that were read.
    pub checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that are not what their id says; they were put aside.
    pub corrupt: Vec<AttachmentId>,
    /// Those whose bytes are there and whose record is lost, and those that could not be read.
    pub unreadable: Vec<AttachmentId>,
    /// Those that somebody refers to and whose bytes are gone.
    pub missing: Vec<AttachmentId>,
    /// Those of which the manifest knows nothing; they are never removed.
    pub unknown: Vec<AttachmentId>,
}

impl Verified {
    /// Whether everything is as it should be.
    pub fn is_clean(&self) -> bool {
        [&self.corrupt, &self.unreadable, &self.missing, &self.unknown].iter().all(|list| list.is_empty())
    }
}

pub(super) async fn verify(shared: &Arc<Shared>) -> Result<Verified, FleetError> {
    shared.flush().await?;
    let mut found = Verified::default();
    let mut after = None;
    loop {
        let page = shared.store.list(after, PAGE_MAX).await?;
        for meta in &page.items {
            read(shared, &*shared.store, meta.id, &mut found).await;
            let known = shared.manifest.row(meta.id).await?;
            if known.is_none() {
                found.unknown.push(meta.id);
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    missing(shared, &mut found).await?;
    Ok(found)
}

async fn read(shared: &Arc<Shared>, store: &dyn AttachmentStore, id: AttachmentId, found: &mut Verified) {
    let read = async {
        let mut reading = store.open(id, None).await?;
        while let Some(chunk) = reading.next().await {
            found.bytes += chunk?.len() as u64;
        }
        Ok::<_, FleetError>(())
    };
    match read.await {
        Ok(()) => found.checked += 1,
        // It went while we looked.
        Err(FleetError::Attachment(AttachmentError::NotFound(_))) => {}
        Err(error) => {
            let damaged = matches!(error, FleetError::Attachment(AttachmentError::Corrupt { .. }));
            if damaged {
                found.corrupt.push(id)
            } else {
                found.unreadable.push(id)
            }
            shared.heard(id, &error);
        }
    }
}

/// What the manifest says is there, and is not.
async fn missing(shared: &Arc<Shared>, found: &mut Verified) -> Result<(), FleetError> {
    let mut after = None;
    loop {
        let page = shared.manifest.list(None, after, PAGE_MAX).await?;
        for meta in page.items {
            let gone =
                matches!(shared.store.stat(meta.id).await, Err(FleetError::Attachment(AttachmentError::NotFound(_))));
            let still = match shared.manifest.row(meta.id).await?.map(|row| row.state) {
                Some(BlobState::Live) => true,
                // Damaged, and put aside; or being put again, until when it is lost.
                Some(BlobState::Staged) => shared.manifest.owes(meta.id).await?,
                Some(BlobState::Condemned) | None => false,
            };
            if gone && still && !found.corrupt.contains(&meta.id) {
                found.missing.push(meta.id);
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

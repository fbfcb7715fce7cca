//! Finishes what an earlier process left half done: the manifest says what was meant, the bytes say how far it came.

use super::{
    change::{BlobState, Change},
    handle::Shared,
    id::AttachmentId,
    store::PAGE_MAX,
};
use crate::error::FleetError;
use std::sync::Arc;

/// Blobs that were published and not noted are live; condemned ones go.
pub(super) async fn finish(shared: &Arc<Shared>) -> Result<(), FleetError> {
    let mut after = None;
    loop {
        let window = shared.manifest.unfinished(after, PAGE_MAX).await?;
        let mut condemned = Vec::new();
        for (id, state) in &window {
            match state {
                BlobState::Condemned => condemned.push(*id),
                BlobState::Staged => look(shared, *id).await?,
                BlobState::Live => {}
            }
        }
        if !condemned.is_empty() && shared.manifest.unreadable().await?.is_empty() {
            shared.sweep(condemned, true).await?;
        }
        match window.last() {
            Some((id, _)) if window.len() == PAGE_MAX => after = Some(*id),
            _ => return Ok(()),
        }
    }
}

/// The same for some of them that are staged.
pub(super) async fn look_again(shared: &Arc<Shared>, ids: &[AttachmentId]) -> Result<(), FleetError> {
    for id in ids {
        if shared.manifest.row(*id).await?.is_some_and(|row| row.state == BlobState::Staged) {
            look(shared, *id).await?;
        }
    }
    Ok(())
}

/// One that was meant and never stored stays as it is: it goes with its last reference.
async fn look(shared: &Arc<Shared>, id: AttachmentId) -> Result<(), FleetError> {
    if shared.store.stat(id).await.is_ok() {
        shared.change(Change::Landed(id)).await?;
    }
    Ok(())
}

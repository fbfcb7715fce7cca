//! Puts the bytes into a request to a model, where it carries references.

use super::{id::AttachmentId, meta::AttachmentRef, store::AttachmentStore};
use crate::error::FleetError;
use bytes::Bytes;

/// An attachment of a request to a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestAttachment {
    /// Which attachment of the store.
    pub reference: Option<AttachmentRef>,
    /// Its bytes.
    pub data: Option<Bytes>,
    /// What they are, as MIME.
    pub mime: Option<String>,
}

impl RequestAttachment {
    /// One that is to be resolved.
    pub fn of(reference: AttachmentRef) -> Self {
        Self { reference: Some(reference), ..Self::default() }
    }

    fn wanted(&self) -> Option<AttachmentId> {
        self.reference.as_ref().filter(|_| self.data.is_none()).map(|reference| reference.id)
    }
}

/// A request that may carry attachments.
pub trait ModelRequest {
    /// All of them, wherever they are in it.
    fn attachments(&mut self) -> Vec<&mut RequestAttachment>;
}

impl ModelRequest for Vec<RequestAttachment> {
    fn attachments(&mut self) -> Vec<&mut RequestAttachment> {
        self.iter_mut().collect()
    }
}

/// Gives every attachment that has a reference and no data its bytes and its canonical MIME. The others are left alone.
///
/// # Errors
/// One is missing or can not be read; the request is unchanged then.
pub async fn resolve(store: &dyn AttachmentStore, request: &mut impl ModelRequest) -> Result<(), FleetError> {
    let wanted: Vec<_> = request.attachments().iter().map(|attachment| attachment.wanted()).collect();
    let mut found = Vec::with_capacity(wanted.len());
    for id in wanted {
        found.push(match id {
            Some(id) => Some(store.get(id).await?),
            None => None,
        });
    }
    for (attachment, found) in request.attachments().into_iter().zip(found) {
        if let Some((meta, data)) = found {
            attachment.data = Some(data);
            attachment.mime = Some(meta.media_type.mime().to_owned());
        }
    }
    Ok(())
}

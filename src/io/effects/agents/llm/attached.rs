//! What a question refers to: attachments that the peer itself holds.

use bytes::Bytes;
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentStore, Attachments, Owner, Session,
        resolve::{RequestAttachment, resolve},
    },
    effects::{
        EffectError,
        argument::chat::{ChatMessage, Part},
    },
    error::FleetError,
    names::Identity,
};
use std::collections::BTreeMap;

/// All attachments of a question together, bytes.
const ATTACHED_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// What a model is shown of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// A picture: its MIME and its bytes.
    Image(String, Bytes),
    /// A text.
    Text(String),
}

/// Everything that `messages` refer to, by id, read as `peer` may.
///
/// # Errors
/// [`EffectError::BadArgs`]: the peer has none of this id, or a model can not be shown it; [`EffectError::Limit`].
pub(super) async fn of(
    attachments: &Attachments,
    peer: &Identity,
    messages: &[ChatMessage],
) -> Result<BTreeMap<AttachmentId, Shown>, EffectError> {
    let parts = messages.iter().flat_map(|message| &message.content);
    let ids: std::collections::BTreeSet<_> = parts
        .filter_map(|part| match part {
            Part::Attachment(id) => Some(*id),
            Part::Text(_) => None,
        })
        .collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let session: Session = peer.to_string().parse().expect("an identity is the name of a session");
    let store = attachments.session(session, Owner::whole());
    let (mut request, mut byte_len) = (Vec::new(), 0_u64);
    for id in &ids {
        let meta = store.stat(*id).await.map_err(missing)?;
        byte_len = byte_len.saturating_add(meta.byte_len);
        if byte_len > ATTACHED_BYTES_MAX {
            return Err(EffectError::limit("attachments", ATTACHED_BYTES_MAX));
        }
        request.push(RequestAttachment::of(meta.into_ref()));
    }
    resolve(&store, &mut request).await.map_err(missing)?;
    ids.into_iter().zip(request).map(|(id, found)| Ok((id, shown(id, found)?))).collect()
}

fn shown(id: AttachmentId, found: RequestAttachment) -> Result<Shown, EffectError> {
    let (mime, data) = (found.mime.unwrap_or_default(), found.data.unwrap_or_default());
    if mime.starts_with("image/") {
        return Ok(Shown::Image(mime, data));
    }
    let unfit =
        || EffectError::bad("messages", format!("attachment {id} is {mime}: a model is shown images and texts"));
    if !mime.starts_with("text/") {
        return Err(unfit());
    }
    String::from_utf8(data.into()).map(Shown::Text).map_err(|_| unfit())
}

fn missing(error: FleetError) -> EffectError {
    match error {
        FleetError::Attachment(AttachmentError::NotFound(id)) => {
            EffectError::bad("messages", format!("this peer has no attachment {id}"))
        }
        other => EffectError::bad("messages", other.to_string()),
    }
}

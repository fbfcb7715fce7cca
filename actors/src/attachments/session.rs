//! The store as one owner in a session sees it: what it puts is claimed before it is stored, and what it does not
//! refer to is not there.

use super::{
    change::{BlobState, Change, Changed, Scope},
    claim::{Claim, Owner, Session},
    desk::Input,
    error::AttachmentError,
    handle::{Attachments, Shared},
    id::AttachmentId,
    media::{HEAD_BYTES, MediaType},
    meta::{AttachmentRef, CreateMeta, Meta},
    store::{
        AttachmentStore, ByteRange, Expect, LIKELY_KEPT_BYTES_MAX, Lent, Page, Reading, Sealed, Staging, Terms, Tidied,
        Upload,
    },
};
use crate::{error::FleetError, ports::Answer};
use bytes::Bytes;
use std::sync::Arc;

/// See the module. Clones share it.
#[derive(Clone)]
pub struct SessionStore {
    pub(super) attachments: Attachments,
    pub(super) session: Session,
    pub(super) owner: Owner,
}

impl SessionStore {
    /// These references are meant to last; all of them or none.
    ///
    /// # Errors
    /// As [`Attachments::commit`].
    pub async fn commit(&self, ids: Vec<AttachmentId>) -> Result<(), FleetError> {
        self.attachments.commit(self.session.clone(), self.owner.clone(), ids).await
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.attachments.shared
    }

    fn claim(&self, id: AttachmentId) -> Claim {
        Claim { session: self.session.clone(), id, owner: self.owner.clone() }
    }

    /// Whether the session refers to it; else nothing of it is looked at.
    async fn guard(&self, id: AttachmentId) -> Result<(), FleetError> {
        if self.shared().manifest.holds(self.session.clone(), id).await? {
            Ok(())
        } else {
            Err(AttachmentError::NotFound(id).into())
        }
    }

    /// What can be said before the first byte comes.
    async fn expect(&self, byte_len: Option<u64>) -> Result<Expect, FleetError> {
        let Some(len) = byte_len else { return Ok(Expect::default()) };
        let shared = self.shared();
        // A manifest that can not be read will say so when the intent is written.
        let likely_known = shared.manifest.knows_length(len).await.unwrap_or(false);
        let (mine, all) = (shared.quotas.session_bytes_max, shared.quotas.total_bytes_max);
        if !likely_known && (mine.is_some() || all.is_some()) {
            let (held, total) = shared.manifest.usage(self.session.clone()).await?;
            let whose = format!("the session {}", self.session);
            for (whose, limit, held) in [(whose, mine, held), ("the store".into(), all, total)] {
                if let Some(limit) = limit.filter(|limit| held.saturating_add(len) > *limit) {
                    return Err(AttachmentError::OverQuota { whose, limit, wanted: held.saturating_add(len) }.into());
                }
            }
        }
        Ok(Expect { byte_len, likely_known })
    }

    /// Whether the store may well have these bytes. The intent says it for certain: that some have landed is written
    /// down with it, and not before.
    async fn may_have(&self, id: AttachmentId) -> bool {
        let row = self.shared().manifest.row(id).await.unwrap_or(None);
        row.is_some_and(|row| row.state != BlobState::Condemned)
    }

    /// A reference to bytes that are there already, without writing them anywhere; nothing where they are not.
    async fn refer(&self, bytes: &Bytes, create: &CreateMeta) -> Result<Option<AttachmentRef>, FleetError> {
        let media_type = MediaType::settle(create.media_type.clone(), &bytes[..bytes.len().min(HEAD_BYTES)])?;
        let hashed = bytes.clone();
        let id = tokio::task::spawn_blocking(move || AttachmentId::of(&hashed)).await;
        let id = id.map_err(|panic| FleetError::Internal(panic.to_string()))?;
        if !self.may_have(id).await {
            return Ok(None);
        }
        let meta = create.clone().into_meta(id, bytes.len() as u64, media_type, self.now_ms());
        let mut put = Put::intend(self.clone(), &meta).await?;
        if !put.have {
            return Ok(None);
        }
        put.landed().await?;
        Ok(Some(meta.into_ref()))
    }
}

impl AttachmentStore for SessionStore {
    fn begin(&self, expect: Expect) -> Answer<Box<dyn Staging>> {
        let this = self.clone();
        Box::pin(async move {
            let expect = this.expect(expect.byte_len).await?;
            let inner = this.shared().store.begin(expect).await?;
            let staging = Claimed { inner: Some(inner), store: this, likely_known: expect.likely_known, put: None };
            Ok(Box::new(staging) as Box<dyn Staging>)
        })
    }

    fn put(&self, bytes: Bytes, create: CreateMeta) -> Answer<AttachmentRef> {
        let this = self.clone();
        Box::pin(async move {
            let limit = this.bytes_max();
            if bytes.len() as u64 > limit {
                return Err(AttachmentError::TooLarge { limit }.into());
            }
            create.check()?;
            let long = bytes.len() > LIKELY_KEPT_BYTES_MAX;
            if long && this.shared().manifest.knows_length(bytes.len() as u64).await.unwrap_or(false) {
                let (this, bytes, create) = (this.clone(), bytes.clone(), create.clone());
                // Carried through, whoever waits: a claim must not stay open.
                let known = tokio::spawn(async move { this.refer(&bytes, &create).await }).await;
                if let Some(known) = known.map_err(|panic| FleetError::Internal(panic.to_string()))?? {
                    return Ok(known);
                }
            }
            let mut upload: Upload = this.upload(Some(bytes.len() as u64), create).await?;
            upload.write(bytes).await?;
            upload.finish().await
        })
    }

    fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Answer<Reading> {
        let this = self.clone();
        Box::pin(async move {
            this.guard(id).await?;
            this.shared().open(id, range).await
        })
    }

    fn stat(&self, id: AttachmentId) -> Answer<Meta> {
        let this = self.clone();
        Box::pin(async move {
            this.guard(id).await?;
            this.shared().stat(id).await
        })
    }

    /// Ends the session's references to it; the bytes go with the last reference of all.
    fn delete(&self, id: AttachmentId) -> Answer<bool> {
        let this = self.clone();
        Box::pin(async move { Ok(this.attachments.release(Scope::One(this.session, id)).await? > 0) })
    }

    fn list(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        let this = self.clone();
        Box::pin(async move { this.attachments.list(Some(this.session), after, limit).await })
    }

    /// A session keeps no house: nothing.
    fn tidy(&self, _before_ms: i64, _remove: bool) -> Answer<Tidied> {
        Box::pin(async { Ok(Tidied::default()) })
    }

    fn terms(&self) -> &Terms {
        self.shared().store.terms()
    }
}

/// A put whose intent is on disk. Dropped before it has landed, the desk is told that it failed.
struct Put {
    store: SessionStore,
    claim: Claim,
    new: bool,
    /// The bytes are there already.
    have: bool,
    over: bool,
}

impl Put {
    async fn intend(store: SessionStore, meta: &Meta) -> Result<Self, FleetError> {
        let (claim, shared) = (store.claim(meta.id), Arc::clone(store.shared()));
        let change = Change::Intend {
            claim: claim.clone(),
            meta: Box::new(meta.clone()),
            at_ms: shared.now_ms(),
            quotas: shared.quotas,
        };
        let intended = shared.ask(|waiting| Input::Intend(change, waiting)).await?;
        let (have, new) = match intended {
            Changed::Intended { have, new } => (have, new),
            _ => (false, false),
        };
        let mut put = Self { store, claim, new, have, over: false };
        // The manifest may say so and be wrong: somebody removed the file, or put it aside as damaged.
        if have {
            let there = shared.store.stat(meta.id).await;
            put.have = there.is_ok_and(|there| there.byte_len == meta.byte_len);
        }
        Ok(put)
    }

    async fn landed(&mut self) -> Result<(), FleetError> {
        self.over = true;
        let claim = self.claim.clone();
        self.store.shared().ask(|waiting| Input::Landed(claim, waiting)).await.map(drop)
    }
}

impl Drop for Put {
    fn drop(&mut self) {
        if !self.over {
            self.store.shared().tell(Input::Failed(self.claim.clone(), self.new));
        }
    }
}

/// Bytes on their way into the store, whose intent is on disk before they are visible.
struct Claimed {
    store: SessionStore,
    inner: Option<Box<dyn Staging>>,
    likely_known: bool,
    put: Option<Put>,
}

impl Claimed {
    fn inner(&mut self) -> Result<&mut Box<dyn Staging>, FleetError> {
        self.inner.as_mut().ok_or_else(|| FleetError::Internal("an upload was used after its end".into()))
    }
}

impl Staging for Claimed {
    fn write(&mut self, chunk: Bytes) -> Lent<'_, ()> {
        Box::pin(async move { self.inner()?.write(chunk).await })
    }

    fn seal(&mut self) -> Lent<'_, Sealed> {
        Box::pin(async move { self.inner()?.seal().await })
    }

    fn settle(&mut self, meta: Meta) -> Lent<'_, ()> {
        Box::pin(async move {
            let intent = Put::intend(self.store.clone(), &meta);
            if self.likely_known && self.store.may_have(meta.id).await {
                let put = self.put.insert(intent.await?);
                if !put.have {
                    self.inner()?.settle(meta).await?;
                }
                return Ok(());
            }
            // Two syncs side by side take little longer than one; nothing is visible before both are done.
            let inner = self.inner.as_mut().ok_or_else(|| FleetError::Internal("settled twice".into()))?;
            let (intended, settled) = tokio::join!(intent, inner.settle(meta.clone()));
            self.put = Some(intended?);
            settled
        })
    }

    fn publish(mut self: Box<Self>) -> Answer<()> {
        Box::pin(async move {
            let (inner, put) = (self.inner.take(), self.put.take());
            let mut put = put.ok_or_else(|| FleetError::Internal("published before it was settled".into()))?;
            if let Some(inner) = inner.filter(|_| !put.have) {
                inner.publish().await?;
            }
            put.landed().await
        })
    }
}

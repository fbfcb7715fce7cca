//! Stores that are broken on purpose, one way each: a suite that they pass proves nothing.

use super::BYTES_MAX;
use bytes::Bytes;
use coalmine::io::{attachments::InMemory, clock::HostClock};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentRef, AttachmentStore, CreateMeta, Meta,
        store::{ByteRange, Expect, Lent, Page, Reading, Sealed, Staging, Terms, Tidied},
    },
    error::FleetError,
    ports::Answer,
};
use std::sync::Arc;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    NotAtAll,
    IdsDependOnTheLabel,
    LengthsLie,
    LosesTheLastByte,
    LosesThePieces,
    RangesAreOffByOne,
    InventsWhatIsMissing,
    DeletesNothing,
    PagesSkip,
    PublishesTooEarly,
    HasNoLimit,
    BelievesEverything,
    ForgetsTheRecord,
}

/// See the module.
pub struct Broken {
    inner: InMemory,
    how: How,
}

impl Broken {
    pub fn new(how: How) -> Self {
        Self { inner: InMemory::new(Arc::new(HostClock), BYTES_MAX), how }
    }

    /// Removes everything.
    pub async fn clear(&self) {
        for meta in self.inner.list(None, 1_000).await.unwrap().items {
            self.inner.delete(meta.id).await.unwrap();
        }
    }
}

impl AttachmentStore for Broken {
    fn begin(&self, expect: Expect) -> Answer<Box<dyn Staging>> {
        let (inner, how) = (self.inner.begin(expect), self.how);
        Box::pin(async move {
            let staging = BrokenStaging { inner: Some(inner.await?), how, pieces: 0 };
            Ok(Box::new(staging) as Box<dyn Staging>)
        })
    }

    fn put(&self, bytes: Bytes, create: CreateMeta) -> Answer<AttachmentRef> {
        let (inner, how) = (self.inner.clone(), self.how);
        let upload = self.upload(Some(bytes.len() as u64), create.clone());
        Box::pin(async move {
            let mut put = match how {
                How::BelievesEverything => inner.put(bytes, CreateMeta { media_type: None, ..create }).await?,
                How::IdsDependOnTheLabel => {
                    let salted = [&bytes[..], create.label.clone().unwrap_or_default().as_bytes()].concat();
                    inner.put(salted.into(), create).await?
                }
                _ => {
                    let mut upload = upload.await?;
                    upload.write(bytes).await?;
                    upload.finish().await?
                }
            };
            if how == How::LengthsLie {
                put.byte_len += 1;
            }
            Ok(put)
        })
    }

    fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Answer<Reading> {
        let (inner, how) = (self.inner.clone(), self.how);
        let shifted = range.map(|range| ByteRange { start: range.start.saturating_sub(1), ..range });
        let range = if how == How::RangesAreOffByOne { shifted } else { range };
        Box::pin(async move {
            match inner.open(id, range).await {
                Ok(reading) if how == How::LosesTheLastByte && reading.range.end > 0 => {
                    let range = ByteRange { start: reading.range.start, end: reading.range.end - 1 };
                    inner.open(id, Some(range)).await.or(Ok(reading))
                }
                Err(FleetError::Attachment(AttachmentError::NotFound(_))) if how == How::InventsWhatIsMissing => {
                    let empty = inner.put(Bytes::new(), CreateMeta::default()).await?;
                    inner.open(empty.id, None).await
                }
                result => result,
            }
        })
    }

    fn stat(&self, id: AttachmentId) -> Answer<Meta> {
        let (stat, forgets) = (self.inner.stat(id), self.how == How::ForgetsTheRecord);
        Box::pin(async move {
            let meta = stat.await?;
            Ok(if forgets { Meta { label: None, ..meta } } else { meta })
        })
    }

    fn delete(&self, id: AttachmentId) -> Answer<bool> {
        if self.how == How::DeletesNothing { Box::pin(async { Ok(true) }) } else { self.inner.delete(id) }
    }

    fn list(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        let (list, skips) = (self.inner.list(after, limit), self.how == How::PagesSkip);
        Box::pin(async move {
            let mut page = list.await?;
            if skips && after.is_some() && !page.items.is_empty() {
                page.items.remove(0);
            }
            Ok(page)
        })
    }

    fn tidy(&self, before_ms: i64, remove: bool) -> Answer<Tidied> {
        self.inner.tidy(before_ms, remove)
    }

    fn terms(&self) -> &Terms {
        self.inner.terms()
    }

    fn bytes_max(&self) -> u64 {
        if self.how == How::HasNoLimit { u64::MAX } else { self.inner.bytes_max() }
    }
}

struct BrokenStaging {
    inner: Option<Box<dyn Staging>>,
    how: How,
    pieces: usize,
}

impl BrokenStaging {
    fn inner(&mut self) -> &mut Box<dyn Staging> {
        self.inner.as_mut().unwrap()
    }
}

impl Staging for BrokenStaging {
    fn write(&mut self, chunk: Bytes) -> Lent<'_, ()> {
        Box::pin(async move {
            self.pieces += 1;
            let loses = self.how == How::LosesThePieces && self.pieces > 1;
            if loses || self.inner.is_none() {
                return Ok(());
            }
            self.inner().write(chunk).await?;
            if self.how == How::PublishesTooEarly {
                let sealed = self.inner().seal().await?;
                let media = coalmine_actors::attachments::MediaType::Bytes;
                let meta = CreateMeta::default().into_meta(sealed.id, sealed.byte_len, media, 0);
                self.inner().settle(meta).await?;
                self.inner.take().unwrap().publish().await?;
            }
            Ok(())
        })
    }

    fn seal(&mut self) -> Lent<'_, Sealed> {
        Box::pin(async move { self.inner().seal().await })
    }

    fn settle(&mut self, meta: Meta) -> Lent<'_, ()> {
        Box::pin(async move { self.inner().settle(meta).await })
    }

    fn publish(mut self: Box<Self>) -> Answer<()> {
        self.inner.take().unwrap().publish()
    }
}

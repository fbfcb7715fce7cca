//! What every store of attachments can do, durable or not, and how bytes get into one.
//!
//! ```text
//! begin ─▶ write ─▶ … ─▶ seal: what are they? ─▶ settle: durable, without a name ─▶ publish: visible under the id
//!              dropped before publish: nothing is left
//! ```

use super::{
    error::AttachmentError,
    id::AttachmentId,
    media::{HEAD_BYTES, MediaType},
    meta::{AttachmentRef, CreateMeta, Meta},
    tier::Persistence,
};
use crate::{
    error::FleetError,
    ports::{Answer, Clock},
};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Largest piece that is handed on at once, bytes.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Pieces that a reader may be behind.
pub const CHUNKS_AHEAD: usize = 4;
/// Bytes that the store may well have are kept in memory up to this many, until their hash says whether it does: nothing
/// of them is written anywhere before that.
pub const LIKELY_KEPT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most entries of a page.
pub const PAGE_MAX: usize = 1_000;

/// A future that borrows from what it works on.
pub type Lent<'a, T> = Pin<Box<dyn Future<Output = Result<T, FleetError>> + Send + 'a>>;

/// A part of an attachment: `start..end`, in bytes, `end` not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// Behind the last one; the attachment's end where it is larger.
    pub end: u64,
}

impl ByteRange {
    /// All of an attachment of this length.
    pub fn all(byte_len: u64) -> Self {
        Self { start: 0, end: byte_len }
    }

    /// The part of an attachment of this length.
    ///
    /// # Errors
    /// It begins behind the end, or is empty.
    pub fn within(self, byte_len: u64) -> Result<Self, AttachmentError> {
        let end = self.end.min(byte_len);
        if self.start >= end { Err(AttachmentError::BadRange { byte_len }) } else { Ok(Self { end, ..self }) }
    }
}

/// Hears of a failed read.
type Alarm = Box<dyn FnOnce(&FleetError) + Send>;

/// An attachment that is being read. Dropping it ends the reading.
pub struct Reading {
    /// What it is.
    pub meta: Meta,
    /// The part that comes.
    pub range: ByteRange,
    chunks: mpsc::Receiver<Result<Bytes, FleetError>>,
    alarm: Option<Alarm>,
}

impl Reading {
    /// Bytes that come through a channel, of at most [`CHUNKS_AHEAD`] pieces.
    pub fn new(meta: Meta, range: ByteRange, chunks: mpsc::Receiver<Result<Bytes, FleetError>>) -> Self {
        Self { meta, range, chunks, alarm: None }
    }

    /// The same; should it fail, somebody hears of it.
    #[must_use]
    pub fn with_alarm(self, alarm: impl FnOnce(&FleetError) + Send + 'static) -> Self {
        Self { alarm: Some(Box::new(alarm)), ..self }
    }

    /// The next piece, of at most [`CHUNK_BYTES`]; nothing at the end. The last one is held back until the whole was
    /// found to be what its id says. Cancel-safe.
    ///
    /// # Errors
    /// As the store says: what came before must not be used.
    pub async fn next(&mut self) -> Option<Result<Bytes, FleetError>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// The same for who polls.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, FleetError>>> {
        let next = self.chunks.poll_recv(context);
        if let Poll::Ready(Some(Err(error))) = &next
            && let Some(alarm) = self.alarm.take()
        {
            alarm(error);
        }
        next
    }

    /// All of it.
    ///
    /// # Errors
    /// As the store says; what came before is dropped.
    pub async fn collect(mut self) -> Result<(Meta, Bytes), FleetError> {
        let mut bytes = BytesMut::with_capacity(usize::try_from(self.range.end - self.range.start).unwrap_or(0));
        while let Some(chunk) = self.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok((self.meta, bytes.freeze()))
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("meta", &self.meta).field("range", &self.range).finish_non_exhaustive()
    }
}

/// What is known of bytes before the first of them comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expect {
    /// How many will come, where that is known.
    pub byte_len: Option<u64>,
    /// The store may well have them already, so that nothing should be written before that is known.
    pub likely_known: bool,
}

/// What bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Their id.
    pub id: AttachmentId,
    /// How many.
    pub byte_len: u64,
}

/// Bytes on their way into a store. Dropped before it is published, it leaves nothing.
pub trait Staging: Send {
    /// Takes the next piece.
    fn write(&mut self, chunk: Bytes) -> Lent<'_, ()>;
    /// There are no more.
    fn seal(&mut self) -> Lent<'_, Sealed>;
    /// Makes bytes and record durable, under no name yet. Whatever must be on disk before the bytes are visible is
    /// there when this returns.
    fn settle(&mut self, meta: Meta) -> Lent<'_, ()>;
    /// Makes them visible under their id, durably. Equal bytes that are there already are left alone.
    fn publish(self: Box<Self>) -> Answer<()>;
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The records, by id.
    pub items: Vec<Meta>,
    /// What to go on after; nothing at the end.
    pub next: Option<AttachmentId>,
}

/// What a look at a store's own housekeeping found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidied {
    /// Unfinished writes that were removed (or would be).
    pub staging_removed: u64,
    /// Their bytes.
    pub staging_bytes: u64,
    /// What lies there and is not the store's. It is never removed.
    pub strange: Vec<String>,
}

/// What a store goes by, wherever it keeps its bytes.
#[derive(Clone)]
pub struct Terms {
    /// Whether it outlives the process.
    pub persistence: Persistence,
    /// Longest attachment, bytes.
    pub bytes_max: u64,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A store of attachments. Bytes are stored once, verified whenever they are read, and never changed.
pub trait AttachmentStore: Send + Sync + 'static {
    /// Room for bytes.
    fn begin(&self, expect: Expect) -> Answer<Box<dyn Staging>>;
    /// Reads an attachment, or a part of it.
    fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Answer<Reading>;
    /// What is known of an attachment; that its bytes are there, but not that they are whole.
    fn stat(&self, id: AttachmentId) -> Answer<Meta>;
    /// Removes an attachment; whether there was one.
    fn delete(&self, id: AttachmentId) -> Answer<bool>;
    /// Records with ids behind `after`, by id, at most `limit` and [`PAGE_MAX`].
    fn list(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Page>;
    /// Removes unfinished writes that began before `before_ms` (with `remove`), and names what does not belong.
    fn tidy(&self, before_ms: i64, remove: bool) -> Answer<Tidied>;
    /// What it goes by.
    fn terms(&self) -> &Terms;

    /// Whether it outlives the process.
    fn persistence(&self) -> Persistence {
        self.terms().persistence
    }

    /// Longest attachment, bytes.
    fn bytes_max(&self) -> u64 {
        self.terms().bytes_max
    }

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64 {
        self.terms().clock.now().wall.as_millisecond()
    }

    /// Stores bytes.
    fn put(&self, bytes: Bytes, create: CreateMeta) -> Answer<AttachmentRef> {
        let upload = self.upload(Some(bytes.len() as u64), create);
        Box::pin(async move {
            let mut upload = upload.await?;
            upload.write(bytes).await?;
            upload.finish().await
        })
    }

    /// Begins to store bytes that come piece by piece. What is refused without a look at them is refused here.
    fn upload(&self, byte_len: Option<u64>, create: CreateMeta) -> Answer<Upload> {
        let limit = self.bytes_max();
        let refused = match byte_len {
            Some(announced) if announced > limit => Err(AttachmentError::TooLarge { limit }),
            _ => create.check(),
        };
        if let Err(error) = refused {
            return Box::pin(async move { Err(error.into()) });
        }
        let (staging, now_ms) = (self.begin(Expect { byte_len, likely_known: false }), self.now_ms());
        Box::pin(async move {
            let staging = staging.await?;
            Ok(Upload { staging, create, head: Vec::new(), byte_len: 0, announced: byte_len, limit, now_ms })
        })
    }

    /// All bytes of an attachment.
    fn get(&self, id: AttachmentId) -> Answer<(Meta, Bytes)> {
        let opened = self.open(id, None);
        Box::pin(async move { opened.await?.collect().await })
    }
}

/// Bytes on their way into a store, with their limit and their record.
pub struct Upload {
    staging: Box<dyn Staging>,
    create: CreateMeta,
    head: Vec<u8>,
    byte_len: u64,
    announced: Option<u64>,
    limit: u64,
    now_ms: i64,
}

impl Upload {
    /// Takes more bytes.
    ///
    /// # Errors
    /// Over the limit, or the store can not take them: the upload is to be dropped then.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), FleetError> {
        self.byte_len += bytes.len() as u64;
        if self.byte_len > self.limit {
            return Err(AttachmentError::TooLarge { limit: self.limit }.into());
        }
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        while !bytes.is_empty() {
            self.staging.write(bytes.split_to(bytes.len().min(CHUNK_BYTES))).await?;
        }
        Ok(())
    }

    /// Stores them. It goes on to its end also where nobody waits for it any more: an end in the middle would leave
    /// it open whether the bytes are there.
    ///
    /// # Errors
    /// Fewer or more bytes than were announced, bytes that are not what was declared; the store can not take them.
    pub async fn finish(self) -> Result<AttachmentRef, FleetError> {
        let finished = tokio::spawn(self.carry_through()).await;
        finished.map_err(|panic| FleetError::Internal(panic.to_string()))?
    }

    async fn carry_through(mut self) -> Result<AttachmentRef, FleetError> {
        if let Some(announced) = self.announced.filter(|announced| *announced != self.byte_len) {
            let what = format!("{announced} bytes were announced, and {} came", self.byte_len);
            return Err(AttachmentError::invalid(what, "announce as many as there are, or nothing").into());
        }
        let media_type = MediaType::settle(self.create.media_type.take(), &self.head)?;
        let Sealed { id, byte_len } = self.staging.seal().await?;
        let meta = self.create.into_meta(id, byte_len, media_type, self.now_ms);
        self.staging.settle(meta.clone()).await?;
        self.staging.publish().await?;
        Ok(meta.into_ref())
    }
}

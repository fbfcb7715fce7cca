//! Attachments in an object store: S3 and what speaks like it, GCS, Azure.
//!
//! An object a blob, `blobs/<id>`, whose metadata says what it is: bytes and record appear together or not at all. The
//! manifest stays with the daemon. An upload that is dropped is aborted; one whose daemon died is the bucket's to
//! expire (a lifecycle rule for incomplete uploads).

use bytes::{Bytes, BytesMut};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentStore, MediaType, Meta,
        meta::CreateMeta,
        store::{
            ByteRange, CHUNK_BYTES, CHUNKS_AHEAD, Expect, Lent, PAGE_MAX, Page, Reading, Sealed, Staging, Terms, Tidied,
        },
        tier::Persistence,
    },
    error::FleetError,
    ports::{Answer, Clock},
};
use object_store::{Attribute, Attributes, GetResult, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, path::Path};
use sha2::{Digest, Sha256};
use std::{io, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;

/// Which store of objects.
pub type ObjectBackend = Arc<dyn ObjectStore>;

/// The key of the record in an object's metadata.
const RECORD: &str = "coalmine-record";

/// The durable [`AttachmentStore`] in a bucket. Clones share it.
#[derive(Clone)]
pub struct Objects {
    backend: ObjectBackend,
    terms: Terms,
}

impl Objects {
    /// The store in this bucket (a prefix of it is `object_store::prefix::PrefixStore`), for attachments of at most so
    /// many bytes. Each upload is held in memory until it is sealed.
    pub fn new(backend: ObjectBackend, clock: Arc<dyn Clock>, bytes_max: u64) -> Self {
        Self { backend, terms: Terms { persistence: Persistence::Durable, bytes_max, clock } }
    }

    async fn fetch(&self, id: AttachmentId) -> Result<(GetResult, Meta), FleetError> {
        let got = self.backend.get(&path(id)).await.map_err(|error| failed("read", id, error))?;
        let meta = record(&got.attributes, id).ok_or(AttachmentError::MissingMeta(id))?;
        Ok((got, meta))
    }

    /// Puts bad bytes aside, so that the next put of the true ones finds the place free.
    async fn corrupt(&self, id: AttachmentId, found: String) -> FleetError {
        let aside = Path::from(format!("quarantine/{id}"));
        if let Err(error) = self.backend.rename(&path(id), &aside).await {
            tracing::warn!(%id, %error, "a corrupt attachment could not be put aside");
        }
        AttachmentError::Corrupt { id, found }.into()
    }
}

fn path(id: AttachmentId) -> Path {
    Path::from(format!("blobs/{id}"))
}

fn failed(op: &'static str, id: AttachmentId, error: object_store::Error) -> FleetError {
    match error {
        object_store::Error::NotFound { .. } => AttachmentError::NotFound(id).into(),
        other => FleetError::io(op, path(id).to_string(), io::Error::other(other)),
    }
}

fn record(attributes: &Attributes, id: AttachmentId) -> Option<Meta> {
    let text = attributes.get(&Attribute::Metadata(RECORD.into()))?;
    let meta: Meta = serde_json::from_str(text).ok()?;
    (meta.id == id).then_some(meta)
}

impl AttachmentStore for Objects {
    fn begin(&self, _expect: Expect) -> Answer<Box<dyn Staging>> {
        let upload = Buffered { store: self.clone(), bytes: BytesMut::new(), hasher: Sha256::new(), settled: None };
        Box::pin(async move { Ok(Box::new(upload) as Box<dyn Staging>) })
    }

    fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Answer<Reading> {
        let this = self.clone();
        Box::pin(async move {
            let (got, meta) = this.fetch(id).await?;
            let range = range.map_or(Ok(ByteRange::all(meta.byte_len)), |range| range.within(meta.byte_len))?;
            let (send, chunks) = mpsc::channel(CHUNKS_AHEAD);
            let of = meta.clone();
            tokio::spawn(async move {
                if let Err(error) = stream(&this, got, &of, range, &send).await {
                    let _nobody_reads = send.send(Err(error)).await;
                }
            });
            Ok(Reading::new(meta, range, chunks))
        })
    }

    fn stat(&self, id: AttachmentId) -> Answer<Meta> {
        let this = self.clone();
        Box::pin(async move {
            let (got, meta) = this.fetch(id).await?;
            if got.meta.size != meta.byte_len {
                let found = format!("{} bytes and not {}", got.meta.size, meta.byte_len);
                return Err(this.corrupt(id, found).await);
            }
            Ok(meta)
        })
    }

    fn delete(&self, id: AttachmentId) -> Answer<bool> {
        let this = self.clone();
        Box::pin(async move {
            // S3 deletes what is not there as well, and does not say so.
            match this.backend.head(&path(id)).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                found => found.map_err(|error| failed("look at", id, error))?,
            };
            this.backend.delete(&path(id)).await.map_err(|error| failed("remove", id, error))?;
            Ok(true)
        })
    }

    fn list(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        let (this, limit) = (self.clone(), limit.clamp(1, PAGE_MAX));
        Box::pin(async move {
            let (prefix, io) = (Path::from("blobs"), |error| FleetError::io("list", "blobs", io::Error::other(error)));
            let mut objects = match after {
                Some(after) => this.backend.list_with_offset(Some(&prefix), &path(after)),
                None => this.backend.list(Some(&prefix)),
            };
            // Stores give names in their own order; the lowest of all is only known at the end.
            let mut ids = std::collections::BTreeSet::new();
            while let Some(object) = objects.next().await {
                let object = object.map_err(io)?;
                let id = object.location.filename().and_then(|name| name.parse::<AttachmentId>().ok());
                ids.extend(id.filter(|id| after.is_none_or(|after| *id > after)));
                if ids.len() > limit + 1 {
                    ids.pop_last();
                }
            }
            drop(objects);
            let more = ids.len() > limit;
            let mut items = Vec::new();
            for id in ids.into_iter().take(limit) {
                match this.stat(id).await {
                    Ok(meta) => items.push(meta),
                    Err(FleetError::Attachment(AttachmentError::MissingMeta(_) | AttachmentError::Corrupt { .. })) => {
                        items.push(CreateMeta::default().into_meta(id, 0, MediaType::Bytes, 0));
                    }
                    Err(FleetError::Attachment(AttachmentError::NotFound(_))) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(Page { next: items.last().map(|meta| meta.id).filter(|_| more), items })
        })
    }

    /// Nothing of ours lies there unfinished; what is strange is the bucket's owner's.
    fn tidy(&self, _before_ms: i64, _remove: bool) -> Answer<Tidied> {
        Box::pin(async { Ok(Tidied::default()) })
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// Sends the part piece by piece; the last piece only once the whole was found to be good.
async fn stream(
    store: &Objects,
    got: GetResult,
    meta: &Meta,
    range: ByteRange,
    send: &mpsc::Sender<Result<Bytes, FleetError>>,
) -> Result<(), FleetError> {
    let (mut hasher, mut at, mut held) = (Sha256::new(), 0u64, None);
    let mut pieces = got.into_stream();
    while let Some(piece) = pieces.next().await {
        let mut piece = piece.map_err(|error| failed("read", meta.id, error))?;
        hasher.update(&piece);
        let (from, to) = (at, at + piece.len() as u64);
        at = to;
        let index = |byte: u64| usize::try_from(byte.clamp(from, to) - from).unwrap_or(usize::MAX);
        piece = piece.slice(index(range.start)..index(range.end));
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(CHUNK_BYTES));
            if let Some(before) = held.replace(part)
                && send.send(Ok(before)).await.is_err()
            {
                return Ok(()); // nobody reads any more
            }
        }
    }
    let found = AttachmentId::from_digest(hasher.finalize().into());
    if found != meta.id || at != meta.byte_len {
        return Err(store.corrupt(meta.id, found.to_string()).await);
    }
    if let Some(last) = held {
        let _nobody_reads = send.send(Ok(last)).await;
    }
    Ok(())
}

/// Bytes on their way in. Their name is their hash, so none of them can be sent before the last one has come.
struct Buffered {
    store: Objects,
    bytes: BytesMut,
    hasher: Sha256,
    settled: Option<(Meta, Bytes)>,
}

impl Staging for Buffered {
    fn write(&mut self, chunk: Bytes) -> Lent<'_, ()> {
        self.hasher.update(&chunk);
        self.bytes.extend_from_slice(&chunk);
        Box::pin(async { Ok(()) })
    }

    fn seal(&mut self) -> Lent<'_, Sealed> {
        let id = AttachmentId::from_digest(self.hasher.finalize_reset().into());
        let sealed = Sealed { id, byte_len: self.bytes.len() as u64 };
        Box::pin(async move { Ok(sealed) })
    }

    fn settle(&mut self, meta: Meta) -> Lent<'_, ()> {
        self.settled = Some((meta, self.bytes.split().freeze()));
        Box::pin(async { Ok(()) })
    }

    fn publish(self: Box<Self>) -> Answer<()> {
        Box::pin(async move {
            let Self { store, settled, .. } = *self;
            let Some((meta, bytes)) = settled else {
                return Err(FleetError::Internal("published before it was settled".into()));
            };
            // What is there and whole keeps its record. Two puts at once both write the same bytes.
            if store.stat(meta.id).await.is_ok_and(|there| there.byte_len == meta.byte_len) {
                return Ok(());
            }
            let text = serde_json::to_string(&meta).expect("a record has only text keys");
            let attributes = Attributes::from_iter([
                (Attribute::Metadata(RECORD.into()), text),
                (Attribute::ContentType, meta.media_type.mime().to_owned()),
            ]);
            let options = PutOptions { attributes, ..PutOptions::default() };
            let put = store.backend.put_opts(&path(meta.id), PutPayload::from_bytes(bytes), options).await;
            put.map(drop).map_err(|error| failed("store", meta.id, error))
        })
    }
}

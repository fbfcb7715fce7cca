//! Bytes on their way to the disk: hashed by one thread while another writes them, and pushed out early, so that the
//! sync at the end finds little left to do.
//!
//! ```text
//! few bytes   kept ─▶ seal: hashed ──────────────┬─▶ settle: written and synced ─▶ publish
//! many        ├─▶ hasher ──────────────┐          │
//!             └─▶ writer ─▶ staging/   ┴─▶ seal ──┘
//! ```
//!
//! Bytes that the store may well have are in no hurry: the writer leaves their sync to settle, which is not reached
//! where the store has them.

use super::{Inner, folders::shard_of, record};
use crate::io::{
    blocking,
    fault::{FaultPoint, reached},
};
use bytes::Bytes;
use coalmine_actors::{
    attachments::{
        AttachmentId, Meta,
        store::{CHUNKS_AHEAD, Expect, LIKELY_KEPT_BYTES_MAX, Lent, Sealed, Staging},
    },
    error::FleetError,
    ports::Answer,
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsRawFd,
    sync::Arc,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Bytes that are kept until they are sealed, and hashed by whoever seals them: threads would cost more than they save.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// How much is written before the disk is asked to begin with it, bytes.
const PUSH_BYTES: u64 = 1024 * 1024;

/// See the module.
pub(super) struct DiskStaging {
    inner: Arc<Inner>,
    expect: Expect,
    phase: Phase,
}

enum Phase {
    Kept(Vec<Bytes>, usize),
    Piped(Pipe),
    /// All bytes are here, or in the file.
    Sealed(Vec<Bytes>, Option<Temp>, Sealed),
    Settled {
        bytes: Temp,
        record: Temp,
        sealed: Sealed,
    },
    /// It failed, or is being worked on.
    Spent,
}

/// A file in the staging folder, removed when it is dropped.
pub(super) struct Temp {
    inner: Arc<Inner>,
    name: String,
    file: File,
    /// Nothing was written since the disk has confirmed it.
    durable: bool,
}

impl Temp {
    pub(super) fn new(inner: &Arc<Inner>) -> io::Result<Self> {
        let name = inner.active.enter();
        match inner.folders.stage(&name) {
            Ok(file) => Ok(Self { inner: Arc::clone(inner), name, file, durable: false }),
            Err(error) => {
                inner.active.leave(&name);
                Err(error)
            }
        }
    }
}

impl Temp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.durable = false;
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if !self.durable {
            self.file.sync_data()?;
            self.durable = true;
        }
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Err(error) = self.inner.folders.unstage(&self.name) {
            tracing::warn!(%error, name = self.name, "a staged file stays until the next sweep");
        }
        self.inner.active.leave(&self.name);
    }
}

/// Two threads that get the same pieces.
struct Pipe {
    to_hasher: mpsc::Sender<Bytes>,
    to_writer: mpsc::Sender<Bytes>,
    hashed: JoinHandle<Sealed>,
    written: JoinHandle<io::Result<Temp>>,
}

impl Pipe {
    fn start(inner: &Arc<Inner>, hurry: bool) -> Self {
        let (to_hasher, mut pieces) = mpsc::channel::<Bytes>(CHUNKS_AHEAD);
        let hashed = tokio::task::spawn_blocking(move || {
            let (mut hasher, mut byte_len) = (Sha256::new(), 0);
            while let Some(piece) = pieces.blocking_recv() {
                hasher.update(&piece);
                byte_len += piece.len() as u64;
            }
            Sealed { id: AttachmentId::from_digest(hasher.finalize().into()), byte_len }
        });
        let (to_writer, mut pieces) = mpsc::channel::<Bytes>(CHUNKS_AHEAD);
        let inner = Arc::clone(inner);
        let written = tokio::task::spawn_blocking(move || {
            let mut temp = Temp::new(&inner)?;
            let (mut at, mut pushed) = (0, 0);
            while let Some(piece) = pieces.blocking_recv() {
                temp.write(&piece)?;
                at += piece.len() as u64;
                if hurry && at - pushed >= PUSH_BYTES {
                    push_out(&temp.file, pushed, at - pushed);
                    pushed = at;
                }
            }
            if hurry {
                temp.sync()?; // while the hasher is still busy
            }
            Ok(temp)
        });
        Self { to_hasher, to_writer, hashed, written }
    }

    /// Hands a piece to both; where one has ended, its end says why.
    async fn take(&mut self, piece: Bytes) -> bool {
        self.to_writer.send(piece.clone()).await.is_ok() && self.to_hasher.send(piece).await.is_ok()
    }

    async fn end(self) -> Result<io::Result<(Temp, Sealed)>, FleetError> {
        let Self { to_hasher, to_writer, hashed, written } = self;
        drop((to_hasher, to_writer));
        let panicked = |_| FleetError::Internal("an upload's thread panicked".into());
        let (written, hashed) = (written.await.map_err(panicked)?, hashed.await.map_err(panicked)?);
        Ok(written.map(|temp| (temp, hashed)))
    }
}

/// Asks the disk to begin to write this part. Only a hint: the sync that counts comes later.
fn push_out(file: &File, from: u64, byte_len: u64) {
    let (from, byte_len) = (i64::try_from(from).unwrap_or(0), i64::try_from(byte_len).unwrap_or(0));
    // SAFETY: a system call on a descriptor that `file` keeps open; it touches no memory of ours.
    let _only_a_hint = unsafe { libc::sync_file_range(file.as_raw_fd(), from, byte_len, libc::SYNC_FILE_RANGE_WRITE) };
}

impl DiskStaging {
    pub(super) fn new(inner: Arc<Inner>, expect: Expect) -> Self {
        Self { inner, expect, phase: Phase::Kept(Vec::new(), 0) }
    }

    fn spent() -> FleetError {
        FleetError::Internal("an upload was used after it had failed".into())
    }

    /// Works on the store's files off the workers.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>) -> io::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let inner = Arc::clone(&self.inner);
        blocking::answer(move || work(&inner).map_err(|error| inner.io("write", error)))
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), FleetError> {
        if let Phase::Kept(pieces, kept) = &mut self.phase {
            let kept_max = if self.expect.likely_known { LIKELY_KEPT_BYTES_MAX } else { KEPT_BYTES_MAX };
            if *kept + piece.len() <= kept_max {
                *kept += piece.len();
                pieces.push(piece);
                return Ok(());
            }
            let mut pipe = Pipe::start(&self.inner, !self.expect.likely_known);
            let mut went = true;
            for earlier in std::mem::take(pieces) {
                went = went && pipe.take(earlier).await;
            }
            self.phase = Phase::Piped(pipe);
            if !went {
                return Err(self.why().await);
            }
        }
        let Phase::Piped(pipe) = &mut self.phase else { return Err(Self::spent()) };
        if pipe.take(piece).await { Ok(()) } else { Err(self.why().await) }
    }

    /// Why a thread has ended early.
    async fn why(&mut self) -> FleetError {
        let Phase::Piped(pipe) = std::mem::replace(&mut self.phase, Phase::Spent) else { return Self::spent() };
        match pipe.end().await {
            Ok(Err(error)) => self.inner.io("write", error),
            Ok(Ok(_)) => Self::spent(),
            Err(error) => error,
        }
    }
}

impl Staging for DiskStaging {
    fn write(&mut self, chunk: Bytes) -> Lent<'_, ()> {
        Box::pin(self.take(chunk))
    }

    fn seal(&mut self) -> Lent<'_, Sealed> {
        Box::pin(async move {
            let (pieces, temp, sealed) = match std::mem::replace(&mut self.phase, Phase::Spent) {
                Phase::Kept(pieces, kept) => {
                    let (pieces, id) = if kept <= KEPT_BYTES_MAX {
                        let id = hash(&pieces);
                        (pieces, id)
                    } else {
                        blocking::answer(move || {
                            let id = hash(&pieces);
                            Ok((pieces, id))
                        })
                        .await?
                    };
                    (pieces, None, Sealed { id, byte_len: kept as u64 })
                }
                Phase::Piped(pipe) => {
                    let (temp, sealed) = pipe.end().await?.map_err(|error| self.inner.io("write", error))?;
                    (Vec::new(), Some(temp), sealed)
                }
                _ => return Err(Self::spent()),
            };
            self.phase = Phase::Sealed(pieces, temp, sealed);
            Ok(sealed)
        })
    }

    fn settle(&mut self, meta: Meta) -> Lent<'_, ()> {
        Box::pin(async move {
            let Phase::Sealed(pieces, temp, sealed) = std::mem::replace(&mut self.phase, Phase::Spent) else {
                return Err(Self::spent());
            };
            let record = [record::write(&meta).into()];
            let (bytes, record) = if sealed.byte_len <= KEPT_BYTES_MAX as u64 {
                // Where many put little, the syncs of all are side by side already.
                self.blocking(move |inner| Ok((durable(inner, temp, &pieces)?, durable(inner, None, &record)?))).await?
            } else {
                // Two syncs side by side take little longer than one.
                tokio::try_join!(
                    self.blocking(move |inner| durable(inner, temp, &pieces)),
                    self.blocking(move |inner| durable(inner, None, &record)),
                )?
            };
            reached(FaultPoint::AttachmentStaged);
            self.phase = Phase::Settled { bytes, record, sealed };
            Ok(())
        })
    }

    fn publish(mut self: Box<Self>) -> Answer<()> {
        let Phase::Settled { bytes, record, sealed } = std::mem::replace(&mut self.phase, Phase::Spent) else {
            return Box::pin(async { Err(Self::spent()) });
        };
        let inner = Arc::clone(&self.inner);
        blocking::answer(move || {
            publish(&inner, &bytes, &record, sealed)
                .map_err(|error| FleetError::io("store", inner.folders.path(sealed.id), error))
        })
    }
}

fn hash(pieces: &[Bytes]) -> AttachmentId {
    let mut hasher = Sha256::new();
    pieces.iter().for_each(|piece| hasher.update(piece));
    AttachmentId::from_digest(hasher.finalize().into())
}

/// Writes these behind what is staged already, and makes all of it durable.
fn durable(inner: &Arc<Inner>, staged: Option<Temp>, pieces: &[Bytes]) -> io::Result<Temp> {
    let mut temp = staged.map_or_else(|| Temp::new(inner), Ok)?;
    pieces.iter().try_for_each(|piece| temp.write(piece))?;
    temp.sync()?;
    Ok(temp)
}

/// Names them, the record first: bytes that are visible can always be described.
fn publish(inner: &Inner, bytes: &Temp, record: &Temp, Sealed { id, byte_len }: Sealed) -> io::Result<()> {
    inner.folders.describe(&record.name, id)?;
    reached(FaultPoint::AttachmentDescribed);
    inner.folders.link(&bytes.name, id, byte_len)?;
    reached(FaultPoint::AttachmentLinked);
    inner.group.sync(&inner.folders, shard_of(id))?;
    reached(FaultPoint::AttachmentPublished);
    Ok(())
}

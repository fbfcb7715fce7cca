//! Reads a blob and holds every byte against its id. Whatever part was asked for, the whole is read: a part alone
//! proves nothing.

use super::{Inner, folders::is_no_file};
use bytes::Bytes;
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, Meta,
        store::{ByteRange, CHUNK_BYTES, CHUNKS_AHEAD, Reading},
    },
    error::FleetError,
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Opens a blob and begins to read it.
pub(super) fn open(inner: &Arc<Inner>, id: AttachmentId, range: Option<ByteRange>) -> Result<Reading, FleetError> {
    let (file, meta) = inner.find(id)?;
    let range = range.map_or(Ok(ByteRange::all(meta.byte_len)), |range| range.within(meta.byte_len))?;
    let (send, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let (inner, of) = (Arc::clone(inner), meta.clone());
    tokio::task::spawn_blocking(move || {
        if let Err(error) = stream(&inner, &file, &of, range, &send) {
            let _nobody_reads = send.blocking_send(Err(error));
        }
    });
    Ok(Reading::new(meta, range, chunks))
}

/// Sends the part piece by piece; the last piece only once the whole was found to be good.
fn stream(
    inner: &Inner,
    file: &File,
    meta: &Meta,
    range: ByteRange,
    send: &mpsc::Sender<Result<Bytes, FleetError>>,
) -> Result<(), FleetError> {
    let (mut hasher, mut at) = (Sha256::new(), 0u64);
    let mut held = None;
    loop {
        let chunk = next_chunk(file).map_err(|error| FleetError::io("read", inner.folders.path(meta.id), error))?;
        if chunk.is_empty() {
            break;
        }
        hasher.update(&chunk);
        let (from, to) = (at, at + chunk.len() as u64);
        at = to;
        let (start, end) = (range.start.clamp(from, to), range.end.clamp(from, to));
        if start < end {
            let index = |byte: u64| usize::try_from(byte - from).unwrap_or(usize::MAX);
            let part = Bytes::from(chunk).slice(index(start)..index(end));
            if let Some(before) = held.replace(part)
                && send.blocking_send(Ok(before)).is_err()
            {
                return Ok(()); // nobody reads any more
            }
        }
    }
    let found = AttachmentId::from_digest(hasher.finalize().into());
    if found != meta.id || at != meta.byte_len {
        return Err(inner.corrupt(meta.id, file, found.to_string()));
    }
    if let Some(last) = held {
        let _nobody_reads = send.blocking_send(Ok(last));
    }
    Ok(())
}

fn next_chunk(mut file: &File) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    // Into room that was never written: zeroing it first would cost as much as reading.
    file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

impl Inner {
    /// The bytes and the record of an attachment, of the same length.
    pub(super) fn find(&self, id: AttachmentId) -> Result<(File, Meta), FleetError> {
        let io = |error| FleetError::io("open", self.folders.path(id), error);
        let file = match self.folders.blob(id) {
            Ok(file) => file,
            // What is no file in their place are not the bytes either: the next put puts it aside.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound || is_no_file(&gone) => {
                return Err(AttachmentError::NotFound(id).into());
            }
            Err(error) => return Err(io(error)),
        };
        let Some(meta) = self.folders.record(id).map_err(io)? else {
            // Both may be on their way out, the bytes first.
            let gone = self.folders.blob(id).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            let error = if gone { AttachmentError::NotFound(id) } else { AttachmentError::MissingMeta(id) };
            return Err(error.into());
        };
        let byte_len = file.metadata().map_err(io)?.len();
        if byte_len != meta.byte_len {
            return Err(self.corrupt(id, &file, format!("{byte_len} bytes and not {}", meta.byte_len)));
        }
        Ok((file, meta))
    }

    /// Puts bad bytes aside, so that the next put of the true ones finds the place free.
    fn corrupt(&self, id: AttachmentId, file: &File, found: String) -> FleetError {
        if let Err(error) = self.folders.put_aside(id, Some(file)) {
            tracing::warn!(%id, %error, "a corrupt attachment could not be put aside");
        }
        AttachmentError::Corrupt { id, found }.into()
    }
}
